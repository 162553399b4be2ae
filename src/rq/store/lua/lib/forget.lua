--- forget: an execution leaves the books, whatever state they are in.
--- include keys
local function forget(queue, member, id, execution, owner)
  redis.pcall('ZREM', place_key('leases', queue), member)
  redis.pcall('ZREM', place_key('wip', queue), member)
  redis.pcall('ZREM', executions_key(id), execution)
  redis.call('DEL', execution_key(id, execution))
  if owner then redis.pcall('SREM', worker_executions_key(owner), member) end
end
