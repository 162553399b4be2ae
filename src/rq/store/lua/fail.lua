--- fail: the execution is over and the job is given up.
--- from started
--- to failed queued
--- keys job wip leases executions execution worker worker_executions results list wake failed
--- args now id execution failure_ttl stored result_type worker_name started ended seconds value_name value fields...
--- gives ok already lost gone
--- include leave_started fields give_up
local answer = leave_started('failed')
if answer ~= 'ok' then return answer end
redis.call('HSET', KEYS[1], 'status', 'failed', 'last_heartbeat', now_text)
give_up(KEYS[11], 13)
return 'ok'
