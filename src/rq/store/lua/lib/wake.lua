--- wake: tokens that idle workers wait for. Waiting is not claiming: a lost token costs latency, never a job.
local function wake(key, cap)
  if redis.call('LLEN', key) < cap then
    redis.call('LPUSH', key, 1)
    redis.call('EXPIRE', key, 60)
  end
end
