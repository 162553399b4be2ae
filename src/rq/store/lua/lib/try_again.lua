--- try_again: the job gets another attempt, at once or after a while. Shared by retry and retry_returned.
local function try_again(scheduled, interval, front)
  if queue_again() then return end
  if interval > 0 then
    redis.call('HSET', KEYS[1], 'status', 'scheduled')
    register(scheduled, now_s + math.ceil(interval))
  else
    guarded(queue, id, push, KEYS[1], KEYS[9], KEYS[10], id, front)
  end
  expire_waiting(id, redis.call('HGET', KEYS[1], 'ttl'))
end
