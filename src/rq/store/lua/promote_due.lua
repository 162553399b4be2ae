--- promote_due: scheduled jobs whose time has come are queued. A queue served by an RQ 3.0 scheduler is left to it.
--- from scheduled
--- to queued
--- keys scheduled list wake lock
--- args now queue limit
--- gives number of ids handled
--- include now keys wake push
if redis.call('EXISTS', KEYS[4]) == 1 then return 0 end
local ids = redis.call('ZRANGEBYSCORE', KEYS[1], 0, now_s, 'LIMIT', 0, tonumber(ARGV[3]))
for _, id in ipairs(ids) do
  redis.call('ZREM', KEYS[1], id)
  local job = redis.pcall('HMGET', job_key(id), 'status', 'ended_at', 'enqueue_at_front', 'enqueue_at_front_on_retry', 'ttl')
  -- whoever changed the status since has put the job elsewhere
  if not job.err and job[1] == 'scheduled' then
    local ran = job[2] and job[2] ~= ''
    push(job_key(id), KEYS[2], KEYS[3], id, (ran and job[4] or not ran and job[3]) == '1')
    expire_waiting(id, job[5])
  end
end
if #ids > 0 then redis.call('SADD', '@prefix@:queues', KEYS[2]) end
return #ids
