--- enqueue: a job enters its queue, or waits for a slot; an id that exists leaves every other place in the same step.
--- from any
--- to queued started rate_limited
--- keys job list queues wake
--- args now id queue front ttl nonce unique limit concurrency fields...
--- gives ok already again duplicate, and the time in us
--- include now keys wake push fields held listed again leave_places slots
local job, list, id, queue, front = KEYS[1], KEYS[2], ARGV[2], ARGV[3], ARGV[4] == '1'
local old = redis.call('HMGET', job, 'status', 'nonce', 'origin', 'execution', 'data', 'rate_limit_key', 'slot_of')
local status, origin = old[1], old[3]
if old[2] == ARGV[6] then return {'already', now_us} end
local exists = status or old[5]
if ARGV[7] == '1' and (exists or redis.call('EXISTS', job) == 1) then return {'duplicate', now_us} end

-- The first write is one that a server with full memory refuses: then it refuses all.
local listed = false
if exists then
  if status == 'started' and held(id, origin or queue, old[4]) then
    redis.call('HSET', job, 'nonce', ARGV[6])
    leave_registries(id, origin or queue) -- it may have repeated before
    leave_parents(id)
    replace_fields(job, 10, true)
    -- the new record may name another rate limit than the one whose slot the running execution holds
    if old[6] and old[6] ~= ARGV[8] then redis.call('HSETNX', job, 'slot_of', old[6]) end
    -- the running execution is found by the origin, so the queue wanted now goes into the mark
    redis.call('HSET', job, 'origin', origin or queue, 'again', again_mark(front, queue, origin or queue))
    return {'again', now_us}
  end
  redis.call('HSET', job, 'nonce', ARGV[6])
  if status == 'queued' then
    local at = listed_at(queue_key(origin or queue), id)
    if at and origin == queue and not front and ARGV[8] == '' and (old[6] or '') == '' then
      listed = true
    elseif at then
      redis.call('LREM', queue_key(origin or queue), at < 1000 and 1 or -1, id)
    end
  end
  leave_registries(id, origin or queue)
  leave_failed(id, status)
  leave_parents(id)
  if old[6] ~= ARGV[8] then leave_slots(id, old[6]) end
  if old[7] and old[7] ~= ARGV[8] then leave_slots(id, old[7]) end
  if ARGV[5] == '' then persist_job(id) end -- what was to go after its old outcome is wanted again
  replace_fields(job, 10)
else
  redis.call('HSET', job, 'nonce', ARGV[6])
  set_fields(job, 10)
end
redis.call('SADD', KEYS[3], list)
if ARGV[8] ~= '' then
  wait_for_slot(id, queue, ARGV[8], ARGV[9], front)
elseif listed then
  redis.call('HSET', job, 'enqueued_at', now_text)
else
  push(job, list, KEYS[4], id, front)
end
expire_waiting(id, ARGV[5])
return {ARGV[8] ~= '' and redis.call('HGET', job, 'status') or 'ok', now_us}
