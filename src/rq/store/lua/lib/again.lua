--- again: a second enqueue came while an execution ran: after its end the job is queued once, as that call wanted.
--- include keys push enter
-- The mark is "1" or "front", and behind a space the queue, if that is another one than the running job's.
local function again_mark(front, queue, origin)
  return (front and 'front' or '1') .. (queue ~= origin and ' ' .. queue or '')
end

-- Without a mark the job is merely put back, and what is known of its attempts stays.
local function push_again(id, mark, list, wake_key, front)
  local job = job_key(id)
  if mark then
    local place, other = string.match(mark, '^(%S*) ?(.*)$')
    local slot_of = redis.call('HGET', job, 'slot_of')
    redis.call('HDEL', job, 'again', 'started_at', 'ended_at', 'lost', 'lost_at', 'slot_of')
    if slot_of then leave_slots(id, slot_of) end
    if other ~= '' then
      redis.call('HSET', job, 'origin', other)
      redis.call('SADD', '@prefix@:queues', queue_key(other))
    else
      other = string.sub(list, #queue_key('') + 1)
    end
    enter(id, other, front or place == 'front')
  else
    push(job, list, wake_key, id, front)
  end
  expire_waiting(id, redis.call('HGET', job, 'ttl'))
end
