--- unclaimed: a job could not be taken because of a broken key, and is aside by now. Was it the fault of a key of the queue?
--- include aside
-- Then it goes back to the front: the queue has to wait until that key is put right.
local function queue_is_at_fault(queue, list, id, execution)
  local origin, fault = redis.pcall('HGET', job_key(id), 'origin'), false
  redis.pcall('ZREM', executions_key(id), execution)
  redis.call('DEL', execution_key(id, execution))
  for _, kind in ipairs({'wip', 'leases'}) do
    local key = place_key(kind, type(origin) == 'string' and origin ~= '' and origin or queue)
    if not is_sorted(queue, key) then fault = true else redis.call('ZREM', key, id .. ':' .. execution) end
  end
  if fault then
    leave_aside(queue, id)
    for at = #put_aside - 1, 1, -2 do -- so it was not set aside, and nobody is told so at each claim
      if put_aside[at] == id then table.remove(put_aside, at + 1) table.remove(put_aside, at) end
    end
    redis.call('LPUSH', list, id)
  end
  return fault
end
