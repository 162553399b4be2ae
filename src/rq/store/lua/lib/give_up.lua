--- give_up: the job ends without success: registry entry, result, expiry. Shared by fail and stop.
--- include outcome
-- ARGV: 4 failure ttl 5 stored 6 result type 7 worker name 8 started 9 ended 10 seconds 11 name of the value 12 value
local function give_up(failed, first)
  local ttl = tonumber(ARGV[4])
  count('failed_job_count', ARGV[10])
  if not again then set_fields(KEYS[1], first) end
  if ARGV[5] ~= '1' then
    queue_again()
    return
  end
  add_result(ARGV[6], ttl, ARGV[7], ARGV[8], ARGV[9], ARGV[11], ARGV[12])
  if queue_again() then return end
  if ttl == 0 then
    redis.call('DEL', KEYS[1], KEYS[8], dependents_key(id), dependencies_key(id))
  elseif ttl > 0 then
    expire_job(id, ttl)
  end
  redis.call('ZADD', failed, ttl < 0 and ttl or now_s + ttl, id)
end
