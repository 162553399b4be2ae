--- trim: of the failed jobs of a queue the latest stay; the oldest go, as if their time were over.
--- include keys
-- By the end of their time, so those that are kept for ever (negative scores) stay. A few at once: the next failure goes on.
local function trim(failed, keep, newest)
  local number = keep > 0 and redis.pcall('ZCARD', failed)
  local surplus = type(number) == 'number' and math.min(number - keep, 10) or 0
  if surplus <= 0 then return end
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', failed, 0, '+inf', 'LIMIT', 0, surplus + 1)) do
    if id ~= newest and surplus > 0 then
      local job = redis.pcall('HMGET', job_key(id), 'status', 'group_id', 'failed_in')
      surplus = surplus - redis.call('ZREM', failed, id)
      if not job.err and (job[1] == 'failed' or job[1] == 'stopped') then
        if job[2] and job[2] ~= '' then redis.pcall('SREM', group_key(job[2]), id) end
        if job[3] then redis.pcall('ZREM', failed_in_key(job[3]), id) end
        redis.call('DEL', job_key(id), results_key(id), dependents_key(id), dependencies_key(id))
      end
    end
  end
end
