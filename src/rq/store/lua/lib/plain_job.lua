--- plain_job: a queued job about which nothing is unusual, read and marked as started.
--- include now
local taken, next_execution, first_execution = {}, nil, nil

-- Its hash, its origin, its lease and whether it holds a slot, when there is nothing unusual about a job.
local function plain_job(id, lease_ms, wip_s)
  local hash, status, origin, timeout, limited = redis.call('HGETALL', '@prefix@:job:' .. id), nil, nil, nil, false
  for i = 1, #hash, 2 do
    local name = hash[i]
    if name == 'status' then status = hash[i + 1]
    elseif name == 'origin' then origin = hash[i + 1]
    elseif name == 'timeout' then timeout = hash[i + 1]
    elseif name == 'again' or name == 'alone' then return
    elseif name == 'rate_limit_key' then limited = true end
  end
  if status ~= 'queued' or (origin or '') == '' or string.find(id, '[^%w_-]') then return end
  if lease_ms > 0 then return hash, origin, lease_ms, wip_s, limited end
  timeout = tonumber(timeout or 180)
  if not timeout or timeout < 0 or timeout >= 315360000 then return end
  wip_s = timeout - timeout % 1 + 60
  return hash, origin, wip_s * 1000, wip_s, limited
end

-- An execution whose id begins with x is one of a batch: it has no record before somebody has something to say of it
-- (`book`), which for most is never. The job goes to the worker as one text, with its
-- fields between what no field can hold by chance: the end of this new id, and two bytes that it cannot contain.
local function mark(number, id, hash, wip_s, limited)
  local execution, key = ARGV[next_execution], nil
  if limited or string.byte(execution) ~= 120 then
    key = '@prefix@:execution:' .. id .. ':' .. execution
    redis.call('HSET', key, 'id', execution, 'job_id', id, 'created_at', now_float, 'last_heartbeat', now_float,
      'worker_name', ARGV[2], ARGV[6] == '1' and 'begun' or 'id', ARGV[6] == '1' and '1' or execution)
    redis.call('EXPIRE', key, wip_s > 86400 and string.format('%d', wip_s) or '86400')
    key = '@prefix@:executions:' .. id
    redis.call('ZADD', key, string.format('%d', now_s + wip_s + 60), execution)
    redis.call('EXPIRE', key, string.format('%d', wip_s + 60))
  end
  key = '@prefix@:job:' .. id
  redis.call('HSET', key, 'status', 'started', 'started_at', now_text, 'last_heartbeat', now_text, 'worker_name', ARGV[2],
    'execution', execution)
  redis.call('PERSIST', key)
  redis.call('PERSIST', key .. ':dependents') -- RQ 3.0 may have made the job lasting, and left these to expire
  next_execution, first_execution = next_execution + 1, first_execution or execution
  local size = #hash
  hash[size + 1], hash[size + 2] = id, number
  taken[#taken + 1] = table.concat(hash, string.sub(execution, -8) .. '\0\1')
end
