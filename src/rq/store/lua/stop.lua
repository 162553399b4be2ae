--- stop: somebody stopped the execution on purpose; the job is not tried again.
--- from started
--- to stopped queued rate_limited
--- keys job wip leases executions execution worker worker_executions results list wake failed
--- args now id execution failure_ttl stored result_type worker_name started ended seconds value_name value news attempt keep cause fields...
--- gives ok already lost gone
--- include leave_started fields give_up
local answer = leave_started('stopped')
if answer ~= 'ok' then return answer end
redis.call('HSET', KEYS[1], 'status', 'stopped', 'last_heartbeat', now_text)
give_up(KEYS[11])
return 'ok'
