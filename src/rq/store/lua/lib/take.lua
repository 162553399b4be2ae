--- take: make an execution and its lease. The membership in the wip set is the lease; its own expiry stands beside it.
--- include now keys
-- A lease of 0 ms asks for that of jobs run in the worker's own process: by their timeout, as RQ's SimpleWorker.
local function lease_of(lease_ms, wip_s, timeout)
  -- RQ's cleaners go by the wip score: it must not run out before the lease
  if lease_ms > 0 then return lease_ms, math.max(wip_s, math.ceil(lease_ms / 1000)) end
  timeout = tonumber(timeout or '') or 180
  -- a number that is none, or beyond ten years, is as good as no limit
  local seconds = (timeout >= 0 and timeout < 315360000) and math.floor(timeout) + 60 or 420
  return seconds * 1000, seconds
end

local function take(id, origin, execution, worker, lease_ms, wip_s)
  local member, key = id .. ':' .. execution, execution_key(id, execution)
  redis.call('HSET', key, 'id', execution, 'job_id', id, 'created_at', now_float, 'last_heartbeat', now_float,
    'worker_name', worker)
  -- a day: whoever comes after a long outage must still find whether it had begun
  redis.call('EXPIRE', key, math.max(wip_s, 86400))
  redis.call('ZADD', executions_key(id), now_s + wip_s + 60, execution)
  redis.call('EXPIRE', executions_key(id), wip_s + 60)
  redis.call('ZADD', place_key('wip', origin), now_s + wip_s, member)
  redis.call('ZADD', place_key('leases', origin), now_ms + lease_ms, member)
  redis.pcall('SADD', worker_executions_key(worker), member) -- if somebody has made it another type: no reason not to work
  redis.call('EXPIRE', worker_executions_key(worker), wip_s + 60)
end
