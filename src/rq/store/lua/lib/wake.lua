--- wake: tokens that idle workers wait for. Waiting is not claiming: a lost token costs latency, never a job.
local function wake(key, cap)
  local number = redis.pcall('LLEN', key)
  if type(number) == 'table' then number = redis.call('DEL', key) - 1 end -- no list: tokens are worth nothing
  if number < cap then
    redis.call('LPUSH', key, 1)
    redis.call('EXPIRE', key, 60)
  end
end
