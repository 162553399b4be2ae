--- delete: the job and all that belongs to it is removed; those who waited for it wait no longer, or go with it.
--- from any
--- to none
--- keys job
--- args now id remove_from_queue with_dependents
--- gives ok gone
--- include remove_job
return remove_job(ARGV[2], ARGV[3] == '1', ARGV[4] == '1')
