--- leave_places: the job leaves its queue and every registry of its origin.
--- include keys aside
local function leave_registries(id, origin)
  for _, kind in ipairs({'finished', 'failed', 'deferred', 'ready', 'scheduled', 'canceled'}) do
    redis.pcall('ZREM', place_key(kind, origin), id) -- a broken registry must not keep anybody in the others
  end
  leave_aside(origin, id)
end

-- The bucket of its failure group, too. Who is no failed job stands in none; what stands there all the same is stale.
local function leave_failed(id, status)
  if status ~= 'failed' then return end
  local bucket = redis.call('HGET', job_key(id), 'failed_in')
  if not bucket then return end
  redis.pcall('ZREM', failed_in_key(bucket), id)
  redis.call('HDEL', job_key(id), 'failed_in')
end

-- A record that is made again waits for others than before, or for none.
local function leave_parents(id)
  for _, parent in ipairs(redis.pcall('SMEMBERS', dependencies_key(id))) do
    redis.pcall('SREM', dependents_key(parent), id)
  end
  redis.call('DEL', dependencies_key(id))
end

-- Its living executions lose their claim: their settle will answer "lost".
local function leave_wip(id, origin, execution)
  local members = {id}
  for _, one in ipairs(redis.pcall('ZRANGE', executions_key(id), 0, -1)) do members[#members + 1] = id .. ':' .. one end
  if execution then members[#members + 1] = id .. ':' .. execution end
  redis.pcall('ZREM', place_key('wip', origin), unpack(members))
  redis.pcall('ZREM', place_key('leases', origin), unpack(members))
end
