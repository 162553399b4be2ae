--- return_aside: an id that was set aside goes back into its queue, if its record can be worked on by now.
--- from any
--- to queued rate_limited
--- keys job queues
--- args now id queue
--- gives ok, elsewhere (it has a place, and is only no longer aside), broken (it stays), gone, absent; and the reason
--- include now keys aside missing held listed enter
local job, id, queue = KEYS[1], ARGV[2], ARGV[3]
local why = redis.call('HGET', place_key('aside', queue), id)
if not why and redis.call('SISMEMBER', place_key('aside-rest', queue), id) == 0 then return {'absent', ''} end
local kind = string.sub(id, 1, #queue_key('')) == queue_key('') and 'list' or 'zset'
if string.find(id, '^@prefix@:') then -- a key of the queue that was broken
  local found = redis.call('TYPE', id).ok
  if found ~= kind and found ~= 'none' then return {'broken', 'it is a ' .. found} end
  leave_aside(queue, id)
  return {'elsewhere', ''}
end
local old = redis.pcall('HMGET', job, 'status', 'origin', 'execution', 'ttl')
local bad = string.find(id, '[^%w%p ]') and 'not a job id' or trouble(old, old[1])
if not bad and redis.call('EXISTS', job) == 0 then
  if string.find(id, '[^%w_-]') then return {'broken', 'not a job id'} end
  leave_aside(queue, id)
  note_missing(queue, id)
  return {'gone', ''}
end
if bad then return {'broken', bad} end

local origin = old[2] and old[2] ~= '' and old[2] or queue
local placed = old[1] == 'started' and held(id, origin, old[3]) or old[1] == 'queued' and listed_at(queue_key(origin), id)
for _, place in ipairs({'finished', 'failed', 'deferred', 'ready', 'scheduled', 'canceled'}) do
  placed = placed or redis.call('ZSCORE', place_key(place, origin), id)
end
if placed then
  leave_aside(queue, id)
  return {'elsewhere', ''}
end
if not old[2] or old[2] == '' then redis.call('HSET', job, 'origin', origin) end
enter(id, origin, false) -- before it leaves the other place: full memory refuses this
leave_aside(queue, id)
redis.call('SADD', KEYS[2], queue_key(origin))
expire_waiting(id, old[4])
return {'ok', ''}
