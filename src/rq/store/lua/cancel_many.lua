--- cancel_many: a batch of failed jobs is given up for good; they stand among the canceled ones.
--- from failed
--- to canceled
--- keys action
--- args now began number release_dependents forget_dependencies, then id queue ended...
--- gives a letter for each id looked at, 1: changed
--- include batch cancel_job
return batch(function(id) return (cancel_job(id, ARGV[4] == '1', ARGV[5] == '1')) end, ARGV[4] == '1')
