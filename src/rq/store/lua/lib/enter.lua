--- enter: a job whose time has come goes into its queue, or behind those who wait for a slot of its rate limit.
--- include slots
local function enter(id, queue, front)
  local limit = redis.call('HMGET', job_key(id), 'rate_limit_key', 'rate_limit_concurrency')
  if limit[1] and limit[1] ~= '' and tonumber(limit[2] or '') then
    return wait_for_slot(id, queue, limit[1], limit[2], front)
  end
  push(job_key(id), queue_key(queue), place_key('wake', queue), id, front)
end

-- After an attempt the retry's wish counts, before it the job's own.
local function wants_front(ended_at, plain, on_retry)
  return ((ended_at and ended_at ~= '') and on_retry or not (ended_at and ended_at ~= '') and plain) == '1'
end
