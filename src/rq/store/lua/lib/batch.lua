--- batch: many failed jobs at once, each of which failed before the action began. A repeated batch answers as it did.
--- include now keys guarded
-- KEYS: 1 what the action has done
-- ARGV: 1 now 2 began (ms) 3 number of the batch 4 first option 5 second option, then triples: id, queue of its registry
-- ("" its own), and when it ended, as the record says, for a failure that stands in no bucket
local DEPENDENTS = 1000 -- who has more of them to release goes alone; the others come with the next batch

-- Of a key of another type, and of whoever is not there: nil.
local function score_of(key, id)
  local score = redis.pcall('ZSCORE', key, id)
  return type(score) == 'string' and tonumber(score) or nil
end

local function failed_before(job, id, ended)
  if job.err or job[1] ~= 'failed' then return false end
  local at = job[2] and score_of(failed_in_key(job[2]), id)
  -- started since: tools of RQ 3.0 leave the entry of the failure before
  if at and (job[4] or '') < time_text((at + 1) * 1000) then return at < tonumber(ARGV[2]) end
  return (job[3] or '') == ended
end

-- `work` gets the id and the registry, and says whether it has changed the job. The answer: one letter for each id that
-- was looked at, 1 for those that were changed.
local function batch(work, releases)
  local known = redis.call('HMGET', KEYS[1], 'batch', 'answer')
  if known[1] == ARGV[3] then return known[2] end
  redis.call('HSET', KEYS[1], 'began', ARGV[2]) -- first, because a server with full memory refuses it
  redis.call('EXPIRE', KEYS[1], 3600)
  local answer, waiting = {}, 0
  for position = 6, #ARGV, 3 do
    local id = ARGV[position]
    local job = redis.pcall('HMGET', job_key(id), 'status', 'failed_in', 'ended_at', 'started_at', 'origin')
    local changed = 0
    if failed_before(job, id, ARGV[position + 2]) then
      local more = releases and redis.pcall('SCARD', dependents_key(id))
      if type(more) ~= 'number' then more = 0 end
      if waiting > 0 and waiting + more > DEPENDENTS then break end
      waiting = waiting + more
      local queue = ARGV[position + 1] ~= '' and ARGV[position + 1] or job[5] or ''
      guarded(queue, id, function()
        if work(id, place_key('failed', queue)) == 'ok' then changed = 1 end
      end)
    end
    answer[#answer + 1] = changed
  end
  redis.call('HSET', KEYS[1], 'batch', ARGV[3], 'answer', table.concat(answer))
  return table.concat(answer)
end
