--- cancel: the job will not run; a running function is not interrupted, but its outcome is no longer wanted.
--- from created queued started finished failed deferred scheduled stopped rate_limited ready_to_enqueue
--- to canceled
--- keys job
--- args now id release_dependents forget_dependencies
--- gives ok canceled gone, then pairs of queue and id of the dependents that went on
--- include leave_places dependents held
local id = ARGV[2]
local job = redis.call('HMGET', KEYS[1], 'status', 'origin', 'execution', 'rate_limit_key')
if not job[1] then return {'gone'} end
if job[1] == 'canceled' then return {'canceled'} end
local origin = job[2] or ''
local running = job[1] == 'started' and held(id, origin, job[3])
if job[1] == 'queued' then redis.call('LREM', queue_key(origin), 1, id) end
if job[1] == 'started' then leave_wip(id, origin, job[3]) end
leave_registries(id, origin)
redis.call('HDEL', KEYS[1], 'again')
redis.call('HSET', KEYS[1], 'status', 'canceled')
redis.call('ZADD', place_key('canceled', origin), now_s, id)
if not running then leave_slots(id, job[4]) end -- else the end of the execution gives the slot back
local into = ARGV[3] == '1' and release_dependents(id, 'left') or {}
if ARGV[4] == '1' then
  for _, parent in ipairs(redis.pcall('SMEMBERS', dependencies_key(id))) do
    redis.pcall('SREM', dependents_key(parent), id)
  end
end
return {'ok', unpack(into)}
