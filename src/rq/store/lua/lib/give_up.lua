--- give_up: the job ends without success: registry entry, result, expiry. Shared by fail and stop.
--- include outcome attempt trim
-- ARGV: 4 failure ttl 5 stored 6 result type 7 worker name 8 started 9 ended 10 seconds 11 name of the value 12 value 13 news 14 attempt 15 keep 16 cause
-- unfinished: its dependents are still to be released
local function give_up(failed, unfinished)
  local ttl = tonumber(ARGV[4])
  count('failed_job_count', ARGV[10])
  post(ARGV[13])
  if ttl ~= 0 or again then remember(ARGV[14]) end
  if not again then set_fields(KEYS[1], 17) end
  if ARGV[5] ~= '1' then
    queue_again()
    return free_slot()
  end
  add_result(ARGV[6], ttl, ARGV[7], ARGV[8], ARGV[9], ARGV[11], ARGV[12])
  if queue_again() then return end
  free_slot()
  if ttl == 0 then
    leave_group()
    redis.call('DEL', KEYS[1], KEYS[8], dependencies_key(id), unfinished and KEYS[1] or dependents_key(id))
  elseif ttl > 0 then
    expire_job(id, ttl)
  end
  register(failed, ttl < 0 and ttl or now_s + ttl)
  trim(failed, tonumber(ARGV[15]), id)
end
