--- push: a job becomes queued. The one place that writes this status.
--- include now keys wake
local function push(job, list, wake_key, id, front)
  redis.call('HSET', job, 'status', 'queued', 'enqueued_at', now_text)
  redis.call(front and 'LPUSH' or 'RPUSH', list, id)
  wake(wake_key, 8)
end

-- EXPIRE refuses what is no whole number or too large, and a refusal would end a script in the middle of its effects.
local function expire(key, ttl)
  redis.call('EXPIRE', key, string.format('%.0f', math.floor(math.min(ttl, 100000000000))))
end

local function expire_job(id, ttl)
  expire(job_key(id), ttl)
  expire(dependents_key(id), ttl)
  expire(dependencies_key(id), ttl)
end

-- Those who wait for a job must be known as long as it may run.
local function persist_job(id)
  redis.call('PERSIST', job_key(id))
  redis.call('PERSIST', dependents_key(id))
end

-- A job with a `ttl` of its own waits at most so long, whatever brought it into the queue.
local function expire_waiting(id, ttl)
  ttl = tonumber(ttl or '')
  if ttl and ttl >= 1 then expire_job(id, ttl) end
end
