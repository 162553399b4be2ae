--- retry: the execution failed and the job gets another attempt.
--- from started
--- to queued scheduled rate_limited
--- keys job wip leases executions execution worker worker_executions results list wake scheduled
--- args now id execution interval front seconds attempt cause fields...
--- gives ok already lost gone
--- first plain_retry
--- include leave_started fields outcome attempt try_again tally
local interval = tonumber(ARGV[4])
local answer = leave_started(interval > 0 and 'scheduled' or 'queued')
if answer ~= 'ok' then return answer end
count('failed_job_count', ARGV[6])
remember(ARGV[7])
tally(ARGV[8], false, id, queue)
if not again then set_fields(KEYS[1], 9) end
try_again(KEYS[11], interval, ARGV[5] == '1')
free_slot()
return 'ok'
