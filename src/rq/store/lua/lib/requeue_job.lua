--- requeue_job: a job of a registry goes to the queue of its origin, or behind those who wait for a slot of its rate limit.
--- include now keys wake push held listed leave_places enter guarded
-- Answers ok, absent (not in that registry), gone (no such job), started (it runs), broken (no hash; or a key of its
-- queue or rate limit is of another type: then the job is set aside).
local function requeue_job(registry, id, front)
  local job = job_key(id)
  local old = redis.pcall('HMGET', job, 'status', 'origin', 'execution', 'ttl', 'rate_limit_key', 'slot_of')
  if old.err then return 'broken' end
  if not old[1] and not old[2] then
    redis.call('ZREM', registry, id)
    return 'gone'
  end
  if not redis.call('ZSCORE', registry, id) then return 'absent' end
  local origin = old[2]
  -- without an origin, the registry tells the queue
  if not origin or origin == '' then
    origin = string.match(string.sub(registry, #'@prefix@' + 2), '^[^:]*:(.+)$') or ''
    redis.call('HSET', job, 'origin', origin)
  end
  if old[1] == 'started' and held(id, origin, old[3]) then return 'started' end
  redis.call('ZREM', registry, id)
  leave_registries(id, origin)
  leave_failed(id, old[1])
  if old[6] then leave_slots(id, old[6]) end
  redis.call('HDEL', job, 'started_at', 'ended_at', 'exc_info', 'lost', 'lost_at', 'again', 'slot_of')
  local entered = guarded(origin, id, function()
    if old[1] == 'queued' and listed_at(queue_key(origin), id) then return end
    if old[5] then redis.call('HSET', job, 'enqueue_at_front', front and 1 or 0) end
    enter(id, origin, front)
  end)
  if not entered then return 'broken' end
  redis.pcall('SADD', '@prefix@:queues', queue_key(origin)) -- it stands in its queue, whatever that key is
  expire_waiting(id, old[4])
  return 'ok'
end
