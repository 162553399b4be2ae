--- fail: the execution is over and the job is given up; dependents that allow it go on.
--- from started
--- to failed queued rate_limited
--- keys job wip leases executions execution worker worker_executions results list wake failed
--- args now id execution failure_ttl stored result_type worker_name started ended seconds value_name value news attempt keep cause fields...
--- gives ok already lost gone
--- first plain_fail
--- include leave_started fields dependents give_up tally
local answer = leave_started('failed')
if answer ~= 'ok' then return answer end
local stays = not again and tonumber(ARGV[4]) ~= 0
local bucket = tally(ARGV[16], stays and ARGV[5] == '1', id, queue)
local stands = bucket and stays and {'failed_in', bucket} or {}
redis.call('HSET', KEYS[1], 'status', 'failed', 'last_heartbeat', now_text, unpack(stands))
local _, unfinished
if not again then _, unfinished = release_dependents(id, 'failed') end
give_up(KEYS[11], unfinished)
return 'ok'
