--- dependents: who waits for a job, and for nothing else any more, goes on to its queue.
--- include now keys leave_places enter guarded
local AT_ONCE = 500 -- more dependents than these are released by the clocks of the workers, batch by batch

-- A parent that is gone counts as done.
local function is_done(parent, allow_failure)
  local job = redis.pcall('HMGET', job_key(parent), 'status', 'data')
  if job.err or not (job[1] or job[2]) then return true, true end
  return job[1] == 'finished' or (allow_failure and job[1] == 'failed'), false
end

-- A parent knows who waits for it, for as long as it has a record itself.
local function link(child, parent)
  redis.call('SADD', dependents_key(parent), child)
  local life = redis.call('PTTL', job_key(parent))
  if life > 0 and redis.call('PTTL', dependents_key(parent)) == -1 then
    redis.call('PEXPIRE', dependents_key(parent), life)
  end
end

-- The first of its parents that has not ended as it should.
local function missing_one(id, allow_failure, except)
  for _, parent in ipairs(redis.pcall('SMEMBERS', dependencies_key(id))) do
    if parent ~= except and not is_done(parent, allow_failure) then return parent end
  end
end

local WAITING = {'status', 'origin', 'allow_dependency_failures', 'ended_at', 'enqueue_at_front', 'enqueue_at_front_on_retry', 'ttl'}

-- into: what is told of those that went on, pairs of queue and id
local function release_one(id, job, into)
  leave_registries(id, job[2])
  enter(id, job[2], wants_front(job[4], job[5], job[6]))
  expire_waiting(id, job[7])
  into[#into + 1], into[#into + 2] = job[2], id
end

-- A child whose keys are broken must not keep a parent's outcome from being written. It stands nowhere else from here on.
local function guarded_release(queue, id, work, ...)
  if not guarded(queue or some_queue(), id, work, id, ...) and queue then
    for _, kind in ipairs({'deferred', 'ready'}) do redis.pcall('ZREM', place_key(kind, queue), id) end
  end
end

local function release_child(child, parent, job, into)
  local missing = missing_one(child, job[3] == '1', parent)
  if missing then
    -- it knows the child, unless its record was made again since
    link(child, missing)
  else
    redis.call('SREM', dependents_key(parent), child)
    release_one(child, job, into)
  end
end

-- how: 'finished', 'failed' (for those who allow that), or 'left' (it is not required any more)
local function release_these(parent, children, how, into)
  for _, child in ipairs(children) do
    local job = redis.pcall('HMGET', job_key(child), unpack(WAITING))
    local waits = not job.err and job[2] and (job[1] == 'deferred' or job[1] == 'ready_to_enqueue')
    local allows = not job.err and job[3] == '1'
    if waits and (how ~= 'failed' or allows) then guarded_release(job[2], child, release_child, parent, job, into) end
  end
end

local function release_dependents(parent, how)
  local key, into = dependents_key(parent), {}
  local number = redis.pcall('SCARD', key)
  if type(number) ~= 'number' then number = 0 end -- a key of another type must not keep the outcome from being written
  if number > AT_ONCE then
    redis.call('HSET', '@prefix@:releasing', parent, '0 ' .. how)
  elseif number > 0 then
    release_these(parent, redis.call('SMEMBERS', key), how, into)
  end
  return into, number > AT_ONCE
end
