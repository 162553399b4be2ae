--- empty: queued jobs are removed with their records, a batch at a time.
--- from any
--- to none
--- keys list
--- args now limit
--- gives number of ids removed
--- include keys dependents
local removed, gone, queue = 0, {}, string.sub(KEYS[1], #queue_key('') + 1)

local function remove(id, job)
  redis.call('DEL', job_key(id), results_key(id), dependencies_key(id))
  if job[3] and job[3] ~= '' then redis.pcall('SREM', group_key(job[3]), id) end
  if job[4] then redis.pcall('ZREM', place_key('finished', job[5] or ''), id) end
  gone[#gone + 1] = {id, job[2]}
end

while removed < tonumber(ARGV[2]) do
  local id = redis.call('LPOP', KEYS[1])
  if not id then break end
  -- a second listing of a job that is elsewhere by now, perhaps running, goes without the record
  local job = redis.pcall('HMGET', job_key(id), 'status', 'rate_limit_key', 'group_id', 'repeats_left', 'origin')
  local why = not string.find(id, '[^%w_-]') and trouble(job, job[1]) -- what is no id goes without a trace
  if why then set_aside(queue, id, why) elseif not job.err and (job[1] or 'created') == 'created' or job[1] == 'queued' then remove(id, job) end
  removed = removed + 1
end
-- after the last one, because what may go on now may go into the list that is being emptied
for _, one in ipairs(gone) do
  local _, unfinished = release_dependents(one[1], 'left')
  if not unfinished then redis.call('DEL', dependents_key(one[1])) end
  leave_slots(one[1], one[2])
end
return removed
