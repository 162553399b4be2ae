--- schedule: a job waits for its time.
--- from created queued finished failed deferred scheduled stopped canceled rate_limited ready_to_enqueue
--- to scheduled
--- keys job scheduled queues list
--- args now id queue due ttl nonce unique fields...
--- gives ok already duplicate started
--- include now keys wake push fields held leave_places
local job, id, queue = KEYS[1], ARGV[2], ARGV[3]
local old = redis.call('HMGET', job, 'status', 'nonce', 'origin', 'execution', 'data')
if old[2] == ARGV[6] then return 'already' end
local exists = old[1] or old[5]
if ARGV[7] == '1' and (exists or redis.call('EXISTS', job) == 1) then return 'duplicate' end
if exists then
  local origin = old[3] or queue
  if old[1] == 'started' and held(id, origin, old[4]) then return 'started' end
  redis.call('HSET', job, 'nonce', ARGV[6]) -- first, because a server with full memory refuses it
  if old[1] == 'queued' then redis.call('LREM', queue_key(origin), 1, id) end
  leave_registries(id, origin)
  if ARGV[5] == '' then redis.call('PERSIST', job) end -- what was to go after its old outcome is wanted again
  replace_fields(job, 8)
else
  set_fields(job, 8)
end
redis.call('HSET', job, 'nonce', ARGV[6], 'status', 'scheduled')
redis.call('SADD', KEYS[3], KEYS[4])
redis.call('ZADD', KEYS[2], ARGV[4], id)
expire_waiting(id, ARGV[5])
return 'ok'
