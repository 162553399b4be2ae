--- slots: of the jobs of a rate limit so many may be queued or running; the others wait, the oldest first.
--- include now keys push guarded missing
local function give_slot(id, job, limit)
  redis.call('ZADD', slots_key(limit), now_s, id)
  redis.call('SADD', '@prefix@:queues', queue_key(job[2]))
  push(job_key(id), queue_key(job[2]), place_key('wake', job[2]), id, job[3] == '1')
end

-- Give free slots to those who wait; at most 1000 at once, the next end of a job goes on.
local function fill_slots(limit, concurrency)
  local given, turns = {}, 1000
  -- of another type: nobody goes on until it was put right, but the outcome that freed the slot is written
  local known = concurrency or redis.pcall('HGET', limit_key(limit), 'concurrency')
  concurrency = type(known) ~= 'table' and tonumber(known or '') or 0
  local free = concurrency - redis.call('ZCARD', slots_key(limit))
  while free > 0 and turns > 0 do
    local id = redis.call('ZPOPMIN', waiting_key(limit))[1]
    if not id then break end
    turns = turns - 1
    local job = redis.pcall('HMGET', job_key(id), 'status', 'origin', 'enqueue_at_front')
    local known = job[2] and job[2] ~= ''
    local why = trouble(job, job[1]) or job[1] == 'rate_limited' and not known and 'its record names no queue'
    if why then
      set_aside(known and job[2] or some_queue(), id, why)
    elseif job[1] == 'rate_limited' then
      if guarded(job[2], id, give_slot, id, job, limit) then
        given[#given + 1] = id
        free = free - 1
      end
    elseif not job[1] and redis.call('EXISTS', job_key(id)) == 0 then
      note_missing(some_queue(), id)
    end
  end
  return given
end

-- A slot is held while the job is queued or started: whoever has become anything else gives it back.
local function leave_slots(id, limit)
  if not limit or limit == '' then return end
  local waited, held = redis.pcall('ZREM', waiting_key(limit), id), redis.pcall('ZREM', slots_key(limit), id)
  -- keys that hold another type must not keep an outcome from being written
  if type(waited) == 'number' and type(held) == 'number' and waited + held > 0 then fill_slots(limit) end
end

-- The key's concurrency is the one registered last. Whoever holds a slot already stays in it.
local function wait_for_slot(id, queue, limit, concurrency, front)
  redis.call('SADD', '@prefix@:rl-keys', limit)
  redis.call('HSET', limit_key(limit), 'concurrency', concurrency)
  if front then redis.call('HSET', job_key(id), 'enqueue_at_front', 1) end
  if redis.call('ZSCORE', slots_key(limit), id) then
    push(job_key(id), queue_key(queue), place_key('wake', queue), id, front)
  else
    redis.call('HSET', job_key(id), 'status', 'rate_limited')
    redis.call('ZADD', waiting_key(limit), now_s, id)
  end
  fill_slots(limit, concurrency)
end
