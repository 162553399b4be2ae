--- delete_many: a batch of failed jobs is removed with all that belongs to them.
--- from failed
--- to none
--- keys action
--- args now began number with_dependents unused, then id queue ended...
--- gives a letter for each id looked at, 1: changed
--- include batch remove_job
return batch(function(id) return remove_job(id, false, ARGV[4] == '1') end, true)
