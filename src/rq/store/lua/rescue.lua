--- rescue: executions whose lease ran out. Not begun: back to the front, uncharged. Begun: adopted by the caller.
--- from started scheduled
--- to started queued rate_limited
--- keys leases wip list wake
--- args now queue worker lease_ms wip_s limit window_ms cleaning <execution...>
--- gives {id, execution, lost worker, times lost, failure, told, now_us, hash} per adopted one; number released; 1 if it is too early to tell; put aside
--- include now keys wake push again take heard guarded missing forget
local queue, worker, limit, cleaning = ARGV[2], ARGV[3], tonumber(ARGV[6]), ARGV[8] == '1'
local adopted, released, next_execution = {}, 0, 9

local function adopt(member, id, execution, job, attempt, farewell)
  local since, lost = tonumber(job[2] or ''), tonumber(job[3] or '')
  if not since or now_ms - since > tonumber(ARGV[7]) then since, lost = now_ms, 0 end
  local mine, owner = ARGV[next_execution], attempt[2] or job[4] or ''
  next_execution = next_execution + 1
  forget(queue, member, id, execution, owner)
  local lease, wip = lease_of(tonumber(ARGV[4]), tonumber(ARGV[5]), job[6])
  lost = (lost or 0) + (farewell and 0 or 1)
  redis.call('HSET', job_key(id), 'status', 'started', 'execution', mine, 'lost', lost, 'lost_at', string.format('%.0f', since))
  take(id, queue, mine, worker, lease, wip)
  redis.call('HSET', execution_key(id, mine), 'begun', 1)
  if attempt[3] then
    redis.call('HSET', execution_key(id, mine), 'failure', attempt[3], 'told', attempt[4] or 0)
  end
  adopted[#adopted + 1] = {id, mine, owner, lost, attempt[3] or '', attempt[4] or '0', now_us,
    redis.call('HGETALL', job_key(id))}
end

local function rescue(member, id, execution, foreign)
  local farewell = redis.call('ZSCORE', KEYS[1], member) == '0'
  local job = redis.pcall('HMGET', job_key(id), 'status', 'lost_at', 'lost', 'worker_name', 'execution', 'timeout', 'again')
  local why = string.find(id, '[^%w%p ]') and 'not a job id' or trouble(job, job[1])
  local gone = not why and not job[1] and redis.call('EXISTS', job_key(id)) == 0
  local outrun = job[5] ~= execution and (not foreign or job[5] and redis.call('ZSCORE', KEYS[2], id .. ':' .. job[5]))
  -- RQ 3.0 says "scheduled" before it gives a failed job its time, and may die in between
  local half = job[1] == 'scheduled' and not redis.call('ZSCORE', place_key('scheduled', queue), id)
  if why or job[1] ~= 'started' and not half or outrun then
    if why then set_aside(queue, id, why) elseif gone then note_missing(queue, id) end
    return forget(queue, member, id, execution, job[4])
  end
  local attempt = redis.call('HMGET', execution_key(id, execution), 'begun', 'worker_name', 'failure', 'told', 'id')
  -- of what left no record nobody knows whether it had begun; but in a batch (x) whoever begins for long has one
  if attempt[1] or attempt[3] or not attempt[5] and string.byte(execution) ~= 120 or foreign then
    return adopt(member, id, execution, job, attempt, farewell)
  end
  forget(queue, member, id, execution, attempt[2] or job[4])
  redis.call('HDEL', job_key(id), 'execution') -- so that a late settle is told "lost"
  redis.call('HSET', job_key(id), 'alone', 1) -- perhaps of a batch, whose loss it was the cause of
  push_again(id, job[7], KEYS[3], KEYS[4], true)
  released = released + 1
end

-- What cannot be rescued, because its record is broken or gone, must not stay in the way of the others.
local function see_to(member, foreign)
  local id, execution = string.match(member, '^(.*):(.-)$')
  if not id then id, execution = member, '' end -- a plain job id, as RQ before 2.0 wrote it
  if not guarded(queue, id, rescue, member, id, execution, foreign) then forget(queue, member, id, execution) end
end

-- RQ 3.0 writes by what it has read before: what its books call overdue is left to it while it cleans, for two minutes.
local left = not cleaning and redis.call('TTL', place_key('clean_registries', queue)) > 779
local lease_ms = tonumber(ARGV[4])
if not (is_sorted(queue, KEYS[1]) and is_sorted(queue, KEYS[2])) then return {adopted, released, 0, put_aside} end
local expired, early = run_out(KEYS[1], lease_ms, limit, cleaning)
for _, member in ipairs(expired) do
  if redis.call('ZSCORE', KEYS[2], member) then see_to(member, false) else redis.call('ZREM', KEYS[1], member) end
end
-- Without a lease row the wip score is the end. With one it is behind the lease, unless somebody has set it and means it.
for _, member in ipairs(left and {} or redis.call('ZRANGEBYSCORE', KEYS[2], 0, now_s, 'LIMIT', 0, limit)) do
  if next_execution > #ARGV then break end
  local foreign = cleaning or not redis.call('ZSCORE', KEYS[1], member)
  if not is_early(lease_ms, cleaning, foreign) then see_to(member, foreign) end
end
if #adopted + released >= limit then -- there may be more, and whoever looks next need not wait
  redis.pcall('HDEL', place_key('turns', queue), 'rescue')
end
return {adopted, released, early and 1 or 0, put_aside}
