--- outcome: what an ended execution leaves: counters of the worker, an entry in the result stream.
local function count(field, seconds)
  -- a worker hash that expired must not come back as a ghost of counters without a TTL
  if redis.call('EXISTS', KEYS[6]) == 0 then return end
  redis.pcall('HINCRBY', KEYS[6], field, 1)
  if seconds ~= '' then redis.pcall('HINCRBYFLOAT', KEYS[6], 'total_working_time', seconds) end
end

-- Counted beside the successes: finished, but not as it should be (its result could not be stored).
local function count_warning(first)
  for number = first, #ARGV, 2 do
    if ARGV[number] == 'warning' and ARGV[number + 1] ~= '' and redis.call('EXISTS', KEYS[6]) == 1 then
      redis.pcall('HINCRBY', KEYS[6], 'warned_job_count', 1)
    end
  end
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
  local before = redis.pcall('XLEN', KEYS[8])
  if type(before) == 'table' then before = redis.call('DEL', KEYS[8]) - 1 end -- no stream: no results either
  redis.call('XADD', KEYS[8], 'MAXLEN', '~', 10, '*', unpack(entry))
  -- The server gives a new stream 4 KiB, room for more entries; a copy has the size it needs. Failures stay for a year.
  if tonumber(kind) ~= 1 and before == 0 then
    redis.call('COPY', KEYS[8], KEYS[8] .. ':copy', 'REPLACE')
    redis.call('RENAME', KEYS[8] .. ':copy', KEYS[8])
  end
  if ttl >= 0 then expire(KEYS[8], ttl) else redis.call('PERSIST', KEYS[8]) end
end
