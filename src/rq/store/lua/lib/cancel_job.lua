--- cancel_job: the job will not run; a running function is not interrupted, but its outcome is no longer wanted.
--- include leave_places dependents held guarded
-- Answers ok, canceled (it was already) or gone; then the dependents that went on, pairs of queue and id.
local function cancel_job(id, release, forget)
  local job = redis.call('HMGET', job_key(id), 'status', 'origin', 'execution', 'rate_limit_key')
  if not job[1] then return 'gone', {} end
  if job[1] == 'canceled' then return 'canceled', {} end
  local origin = job[2] or ''
  local running = job[1] == 'started' and held(id, origin, job[3])
  if job[1] == 'queued' then redis.pcall('LREM', queue_key(origin), 1, id) end -- of another type it lists nobody
  if job[1] == 'started' then leave_wip(id, origin, job[3]) end
  leave_registries(id, origin)
  leave_failed(id, job[1])
  redis.call('HDEL', job_key(id), 'again')
  redis.call('HSET', job_key(id), 'status', 'canceled')
  guarded(origin, id, redis.call, 'ZADD', place_key('canceled', origin), now_s, id)
  if not running then leave_slots(id, job[4]) end -- else the end of the execution gives the slot back
  local into = release and release_dependents(id, 'left') or {}
  if forget then
    for _, parent in ipairs(redis.pcall('SMEMBERS', dependencies_key(id))) do
      redis.pcall('SREM', dependents_key(parent), id)
    end
  end
  return 'ok', into
end
