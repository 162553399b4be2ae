--- promote_ready: of jobs that wait for others, those that need to no longer go on to their queues.
--- from deferred ready_to_enqueue
--- to queued rate_limited
--- keys job
--- args now which <id...>
--- gives pairs of queue and id
--- include dependents
-- which: ready, deferred (those too that wait for nothing any more), healed (only if every parent is known to have ended)
local into = {}

local function has_waited(id, allow_failure)
  local parents = redis.call('SMEMBERS', dependencies_key(id))
  for _, parent in ipairs(parents) do
    local done, gone = is_done(parent, allow_failure)
    if gone or not done then return false end
  end
  return #parents > 0
end

local function promote(id, job)
  local ready = job[1] == 'ready_to_enqueue' and redis.call('ZSCORE', place_key('ready', job[2] or ''), id)
  local waits = ARGV[2] ~= 'ready' and job[2] and job[1] == 'deferred'
  local goes = ready or waits and not missing_one(id, job[3] == '1')
  if ARGV[2] == 'healed' then goes = waits and has_waited(id, job[3] == '1') end
  if goes or waits then
    for _, parent in ipairs(redis.call('SMEMBERS', dependencies_key(id))) do
      -- a parent that does not exist will never look at those who wait for it
      if goes or redis.call('EXISTS', job_key(parent)) == 0 then redis.pcall('SREM', dependents_key(parent), id) end
    end
  end
  if goes then release_one(id, job, into) end
end

for position = 3, #ARGV do
  local job = redis.pcall('HMGET', job_key(ARGV[position]), unpack(WAITING))
  if not job.err then guarded_release(job[2], ARGV[position], promote, job) end -- a broken one is found where it stands
end
return into
