--- quarantine: a job is put among the failed ones, as programs of RQ 0.x do it: registry entry, result, expiry.
--- from any
--- to failed
--- keys job results failed list queues
--- args now id failure_ttl only_failed worker_name execution started ended text fields...
--- gives ok moved started gone
--- include now keys held fields listed leave_places push slots
-- only_failed: the default handler of a worker stores what failed; what a handler before it queued again is let alone.
local id, ttl, job = ARGV[2], tonumber(ARGV[3]), KEYS[1]
local old = redis.call('HMGET', job, 'status', 'origin', 'execution', 'rate_limit_key', 'failed_in')
local status, origin = old[1], old[2] or ''
if ARGV[4] == '1' and status ~= 'failed' then return status and 'moved' or 'gone' end
if status == 'started' and held(id, origin, old[3]) then return 'started' end

-- a client repeats a call whose reply was lost
local last = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
if status == 'failed' and last and redis.call('ZSCORE', KEYS[3], id) then
  if field(last[2], 'exc_string') == ARGV[9] and (field(last[2], 'execution_id') or '') == ARGV[6] then return 'ok' end
end

set_fields(job, 10)
redis.call('HSET', job, 'status', 'failed', 'last_heartbeat', now_text)
leave_registries(id, origin)
if status == 'queued' and listed_at(queue_key(origin), id) then redis.call('LREM', queue_key(origin), 0, id) end
leave_slots(id, old[4])

-- a worker of 0.x counts a failure first, and stores it here; what a program calls failed is in no group
if status == 'failed' and old[5] then redis.pcall('ZADD', failed_in_key(old[5]), now_ms, id) else redis.call('HDEL', job, 'failed_in') end

local entry = {'type', 2, 'worker_name', ARGV[5], 'exc_string', ARGV[9]}
for place, name in ipairs({'execution_id', 'execution_started_at', 'execution_ended_at'}) do
  if ARGV[5 + place] ~= '' then
    entry[#entry + 1] = name
    entry[#entry + 1] = ARGV[5 + place]
  end
end
redis.call('XADD', KEYS[2], 'MAXLEN', '~', 10, '*', unpack(entry))

redis.call('SADD', KEYS[5], KEYS[4])
redis.call('ZADD', KEYS[3], ttl < 0 and ttl or now_s + ttl, id)
if ttl == 0 then
  leave_failed(id, status)
  redis.call('DEL', job, KEYS[2], dependents_key(id), dependencies_key(id))
elseif ttl > 0 then
  expire_job(id, ttl)
  expire(KEYS[2], ttl)
else
  redis.call('PERSIST', KEYS[2])
end
return 'ok'
