--- fill_slots: free slots of a rate limit are given to those who wait.
--- from rate_limited
--- to queued
--- keys config
--- args now limit concurrency
--- gives ids
--- include slots
return fill_slots(ARGV[2], ARGV[3])
