--- cancel: the job will not run; a running function is not interrupted, but its outcome is no longer wanted.
--- from created queued started finished failed deferred scheduled stopped rate_limited ready_to_enqueue
--- to canceled
--- keys job
--- args now id release_dependents forget_dependencies
--- gives ok canceled gone, then pairs of queue and id of the dependents that went on
--- include cancel_job
local answer, into = cancel_job(ARGV[2], ARGV[3] == '1', ARGV[4] == '1')
return {answer, unpack(into)}
