--- requeue_many: a batch of failed jobs is queued again.
--- from failed
--- to queued rate_limited
--- keys action
--- args now began number front unused, then id queue ended...
--- gives a letter for each id looked at, 1: changed
--- include batch requeue_job
return batch(function(id, registry) return requeue_job(registry, id, ARGV[4] == '1') end)
