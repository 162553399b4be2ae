--- finish: the execution succeeded; a job that repeats goes on to its next time.
--- from started
--- to finished queued scheduled rate_limited
--- keys job wip leases executions execution worker worker_executions results list wake finished scheduled
--- args now id execution result_ttl worker_name started ended seconds value repeat news fields...
--- gives ok already lost gone
--- first plain_finish
--- include leave_started fields outcome dependents try_again
local ttl, interval = tonumber(ARGV[4]), tonumber(ARGV[10])
local answer = leave_started(interval and (interval > 0 and 'scheduled' or 'queued') or 'finished')
if answer ~= 'ok' then return answer end
count('successful_job_count', ARGV[8])
count_warning(12)
post(ARGV[11])
if ttl == 0 and not again and not interval then
  local _, unfinished = release_dependents(id, 'finished')
  redis.call('HSET', KEYS[1], 'status', 'finished') -- so that nobody finds it queued any more
  redis.pcall('ZREM', KEYS[11], id) -- it may have repeated before
  leave_group()
  free_slot()
  redis.call('DEL', KEYS[1], KEYS[8], dependencies_key(id), unfinished and KEYS[1] or dependents_key(id))
  return 'ok'
end
if not again then set_fields(KEYS[1], 12) end
if ttl ~= 0 then
  add_result(1, ttl, ARGV[5], ARGV[6], ARGV[7], 'return_value', ARGV[9])
  if interval and not again then register(KEYS[11], ttl < 0 and '+inf' or now_s + ttl) end
end
if interval then
  redis.call('HSET', KEYS[1], 'last_heartbeat', now_text)
  try_again(KEYS[12], interval, redis.call('HGET', KEYS[1], 'enqueue_at_front') == '1')
elseif not queue_again() then
  redis.call('HSET', KEYS[1], 'status', 'finished', 'last_heartbeat', now_text)
  if ttl > 0 then expire_job(id, ttl) end
  register(KEYS[11], ttl < 0 and '+inf' or now_s + ttl)
end
release_dependents(id, 'finished') -- behind the job itself, if that is queued again
free_slot()
return 'ok'
