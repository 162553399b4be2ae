--- outcome: what an ended execution leaves: counters of the worker, an entry in the result stream.
local function count(field, seconds)
  -- a worker hash that expired must not come back as a ghost of counters without a TTL
  if redis.call('EXISTS', KEYS[6]) == 0 then return end
  redis.call('HINCRBY', KEYS[6], field, 1)
  if seconds ~= '' then redis.call('HINCRBYFLOAT', KEYS[6], 'total_working_time', seconds) end
end

local function add_result(kind, ttl, worker, started, ended, name, value)
  local entry = {'type', kind, 'worker_name', worker, 'execution_id', execution}
  if started ~= '' then
    entry[#entry + 1] = 'execution_started_at'
    entry[#entry + 1] = started
  end
  if ended ~= '' then
    entry[#entry + 1] = 'execution_ended_at'
    entry[#entry + 1] = ended
  end
  if value ~= '' then
    entry[#entry + 1] = name
    entry[#entry + 1] = value
  end
  redis.call('XADD', KEYS[8], 'MAXLEN', '~', 10, '*', unpack(entry))
  if ttl >= 0 then expire(KEYS[8], ttl) else redis.call('PERSIST', KEYS[8]) end
end
