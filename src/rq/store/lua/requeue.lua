--- requeue: a job of a registry is queued again, or waits for a slot of its rate limit.
--- from created queued finished failed deferred scheduled stopped canceled rate_limited ready_to_enqueue
--- to queued rate_limited
--- keys registry job
--- args now id front
--- gives ok absent gone started broken, and the time in us
--- include now keys wake push held listed leave_places enter
local id, job = ARGV[2], KEYS[2]
local old = redis.pcall('HMGET', job, 'status', 'origin', 'execution', 'ttl', 'rate_limit_key', 'slot_of')
if old.err then return {'broken', now_us} end
if not old[1] and not old[2] then
  redis.call('ZREM', KEYS[1], id)
  return {'gone', now_us}
end
if not redis.call('ZSCORE', KEYS[1], id) then return {'absent', now_us} end
local origin = old[2]
-- without an origin, the registry tells the queue
if not origin or origin == '' then
  origin = string.match(string.sub(KEYS[1], #'@prefix@' + 2), '^[^:]*:(.+)$') or ''
  redis.call('HSET', job, 'origin', origin)
end
if old[1] == 'started' and held(id, origin, old[3]) then return {'started', now_us} end
redis.call('ZREM', KEYS[1], id)
leave_registries(id, origin)
if old[6] then leave_slots(id, old[6]) end
redis.call('HDEL', job, 'started_at', 'ended_at', 'exc_info', 'lost', 'lost_at', 'again', 'slot_of')
redis.call('SADD', '@prefix@:queues', queue_key(origin))
if old[1] ~= 'queued' or not listed_at(queue_key(origin), id) then
  if old[5] then redis.call('HSET', job, 'enqueue_at_front', ARGV[3]) end
  enter(id, origin, ARGV[3] == '1')
end
expire_waiting(id, old[4])
return {'ok', now_us}
