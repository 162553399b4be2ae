--- requeue: a job of a registry is queued again, or waits for a slot of its rate limit.
--- from created queued finished failed deferred scheduled stopped canceled rate_limited ready_to_enqueue
--- to queued rate_limited
--- keys registry job
--- args now id front
--- gives ok absent gone started broken, and the time in us
--- include requeue_job
return {requeue_job(KEYS[1], ARGV[2], ARGV[3] == '1'), now_us}
