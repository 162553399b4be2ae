--- leave_started: the guard of every settle. Whoever is no longer in the wip set writes nothing.
--- include now mine keys wake push again slots guarded whose
-- KEYS: 1 job 2 wip 3 leases 4 executions 5 execution 6 worker 7 worker executions 8 results 9 list 10 wake
-- ARGV: 1 now 2 job id 3 execution id 4 first field ("" none) ...
local id, execution = ARGV[2], ARGV[3]
local member = id .. ':' .. execution
local again -- the mark of a second enqueue: its record stands on the hash already, and is not to be touched
local limit, group
local queue = string.sub(KEYS[9], #queue_key('') + 1)

-- A job that is not queued again gives its slot back; one that waits for a slot by now holds none.
local function free_slot()
  if not limit then return end
  local status = redis.call('HGET', KEYS[1], 'status')
  if status ~= 'queued' and status ~= 'started' and status ~= 'rate_limited' then leave_slots(id, limit) end
end

local function leave_started(target)
  local mine = redis.call('ZREM', KEYS[2], member) == 1 or was_mine
  -- From here on broken keys must not end the script: the claim is gone, and what is not written now is lost.
  redis.pcall('ZREM', KEYS[3], member)
  redis.pcall('ZREM', KEYS[4], execution)
  local left = redis.pcall('HGET', KEYS[5], 'slot_of') -- its job was deleted: the slot was left to us
  redis.call('DEL', KEYS[5])
  redis.pcall('SREM', KEYS[7], member)
  local job = redis.pcall('HMGET', KEYS[1], 'execution', 'status', 'again', 'rate_limit_key', 'group_id', 'slot_of')
  if job.err and mine then set_aside(queue, id, trouble(job)) end
  if type(left) == 'string' and not (job[2] and job[4] == left) then leave_slots(id, left) end
  if not job[2] then return 'gone' end
  again, limit, group = job[3], job[6] or job[4], job[5]
  if mine and (was_mine or is_ours(id, execution, KEYS[7])) then return 'ok' end
  if job[1] == execution and job[2] == target then return 'already' end
  free_slot() -- canceled while it ran: the slot was left to us
  return 'lost'
end

local function leave_group()
  if group and group ~= '' then redis.pcall('SREM', group_key(group), id) end
end

-- The outcome is recorded first, then the job is queued once.
local function queue_again()
  if not again then return false end
  persist_job(id)
  guarded(queue, id, push_again, id, again, KEYS[9], KEYS[10])
  return true
end

local function register(place, score)
  guarded(queue, id, redis.call, 'ZADD', place, score, id)
end

-- News of an outcome, to be told outside of here, survive their process in the outbox.
local function post(news)
  if news ~= '' then redis.pcall('ZADD', '@prefix@:outbox', now_ms, news) end
end
