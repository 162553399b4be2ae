--- cancel: the job will not run; a running function is not interrupted, but its outcome is no longer wanted.
--- from created queued started finished failed deferred scheduled stopped rate_limited ready_to_enqueue
--- to canceled
--- keys job
--- args now id
--- gives ok canceled gone
--- include now keys leave_places
local id = ARGV[2]
local job = redis.call('HMGET', KEYS[1], 'status', 'origin', 'execution')
if not job[1] then return 'gone' end
if job[1] == 'canceled' then return 'canceled' end
local origin = job[2] or ''
if job[1] == 'queued' then redis.call('LREM', queue_key(origin), 1, id) end
if job[1] == 'started' then leave_wip(id, origin, job[3]) end
leave_registries(id, origin)
redis.call('HDEL', KEYS[1], 'again')
redis.call('HSET', KEYS[1], 'status', 'canceled')
redis.call('ZADD', place_key('canceled', origin), now_s, id)
return 'ok'
