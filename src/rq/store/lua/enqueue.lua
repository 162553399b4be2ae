--- enqueue: a job enters its queue; an id that exists leaves every other place in the same step.
--- from any
--- to queued started
--- keys job list queues wake
--- args now id queue front ttl nonce unique fields...
--- gives ok already again duplicate, and the time in us
--- include now keys wake push fields held listed again leave_places
local job, list, id, queue, front = KEYS[1], KEYS[2], ARGV[2], ARGV[3], ARGV[4] == '1'
local old = redis.call('HMGET', job, 'status', 'nonce', 'origin', 'execution', 'data')
local status, origin = old[1], old[3]
if old[2] == ARGV[6] then return {'already', now_us} end
local exists = status or old[5]
if ARGV[7] == '1' and (exists or redis.call('EXISTS', job) == 1) then return {'duplicate', now_us} end

-- The first write is one that a server with full memory refuses: then it refuses all.
local listed = false
if exists then
  if status == 'started' and held(id, origin or queue, old[4]) then
    redis.call('HSET', job, 'nonce', ARGV[6])
    replace_fields(job, 8, true)
    -- the running execution is found by the origin, so the queue wanted now goes into the mark
    redis.call('HSET', job, 'origin', origin or queue, 'again', again_mark(front, queue, origin or queue))
    return {'again', now_us}
  end
  redis.call('HSET', job, 'nonce', ARGV[6])
  if status == 'queued' then
    local at = listed_at(queue_key(origin or queue), id)
    if at and origin == queue and not front then
      listed = true
    elseif at then
      redis.call('LREM', queue_key(origin or queue), at < 1000 and 1 or -1, id)
    end
  end
  leave_registries(id, origin or queue)
  if ARGV[5] == '' then redis.call('PERSIST', job) end -- what was to go after its old outcome is wanted again
  replace_fields(job, 8)
else
  redis.call('HSET', job, 'nonce', ARGV[6])
  set_fields(job, 8)
end
redis.call('SADD', KEYS[3], list)
if listed then
  redis.call('HSET', job, 'enqueued_at', now_text)
else
  push(job, list, KEYS[4], id, front)
end
expire_waiting(id, ARGV[5])
return {'ok', now_us}
