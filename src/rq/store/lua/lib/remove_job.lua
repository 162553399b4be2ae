--- remove_job: a job and all that belongs to it is removed; those who waited for it wait no longer, or go with it.
--- include leave_places dependents held
local REMOVED = {'status', 'origin', 'execution', 'rate_limit_key', 'group_id', 'slot_of'}

local function remove(id, job, from_queue)
  local origin = job[2] or ''
  local running = job[1] == 'started' and held(id, origin, job[3])
  if from_queue then redis.pcall('LREM', queue_key(origin), 1, id) end
  leave_wip(id, origin, job[3])
  leave_registries(id, origin)
  leave_failed(id, job[1])
  if job[5] and job[5] ~= '' then redis.pcall('SREM', group_key(job[5]), id) end
  leave_parents(id)
  local limit = job[6] or job[4]
  local doomed = {job_key(id), results_key(id)}
  if running and limit and limit ~= '' then
    -- it runs in its slot: the end of the execution gives that back, or maintenance when the executions are over
    local attempt = execution_key(id, string.sub(running, #id + 2))
    if redis.call('EXISTS', attempt) == 1 then redis.call('HSET', attempt, 'slot_of', limit) end
  else
    doomed[#doomed + 1] = executions_key(id)
    for _, execution in ipairs(redis.pcall('ZRANGE', executions_key(id), 0, -1)) do
      local attempt = redis.pcall('HMGET', execution_key(id, execution), 'slot_of', 'worker_name')
      leave_slots(id, attempt[1])
      if attempt[2] then redis.pcall('SREM', worker_executions_key(attempt[2]), id .. ':' .. execution) end
      doomed[#doomed + 1] = execution_key(id, execution)
    end
    leave_slots(id, limit)
  end
  redis.call('DEL', unpack(doomed))
end

-- Answers ok or gone; also what is no hash is removed.
local function remove_job(id, from_queue, with_dependents)
  if redis.call('EXISTS', job_key(id)) == 0 then return 'gone' end
  remove(id, redis.pcall('HMGET', job_key(id), unpack(REMOVED)), from_queue)
  if not with_dependents then
    local _, unfinished = release_dependents(id, 'left')
    if not unfinished then redis.call('DEL', dependents_key(id)) end
    return 'ok'
  end
  local parents = {id}
  while #parents > 0 do
    local parent = table.remove(parents)
    for _, child in ipairs(redis.pcall('SMEMBERS', dependents_key(parent))) do
      local job = redis.pcall('HMGET', job_key(child), unpack(REMOVED))
      if not job.err and job[1] then
        remove(child, job, true)
        parents[#parents + 1] = child
      end
    end
    redis.call('DEL', dependents_key(parent))
  end
  return 'ok'
end
