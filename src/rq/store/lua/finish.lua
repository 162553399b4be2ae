--- finish: the execution succeeded.
--- from started
--- to finished queued
--- keys job wip leases executions execution worker worker_executions results list wake finished
--- args now id execution result_ttl worker_name started ended seconds value fields...
--- gives ok already lost gone
--- include leave_started fields outcome
local answer = leave_started('finished')
if answer ~= 'ok' then return answer end
local ttl = tonumber(ARGV[4])
count('successful_job_count', ARGV[8])
if ttl == 0 and not again then
  redis.call('DEL', KEYS[1], KEYS[8], dependents_key(id), dependencies_key(id))
  return 'ok'
end
if not again then set_fields(KEYS[1], 10) end
if ttl ~= 0 then add_result(1, ttl, ARGV[5], ARGV[6], ARGV[7], 'return_value', ARGV[9]) end
if queue_again() then return 'ok' end
redis.call('HSET', KEYS[1], 'status', 'finished', 'last_heartbeat', now_text)
if ttl > 0 then expire_job(id, ttl) end
redis.call('ZADD', KEYS[11], ttl < 0 and '+inf' or now_s + ttl, id)
return 'ok'
