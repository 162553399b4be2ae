--- leave_started: the guard of every settle. Whoever is no longer in the wip set writes nothing.
--- include now keys wake push again
-- KEYS: 1 job 2 wip 3 leases 4 executions 5 execution 6 worker 7 worker executions 8 results 9 list 10 wake
-- ARGV: 1 now 2 job id 3 execution id 4 first field ("" none) ...
local id, execution = ARGV[2], ARGV[3]
local member = id .. ':' .. execution
local again -- the mark of a second enqueue: its record stands on the hash already, and is not to be touched

local function leave_started(target)
  local mine = redis.call('ZREM', KEYS[2], member) == 1
  redis.call('ZREM', KEYS[3], member)
  redis.call('ZREM', KEYS[4], execution)
  redis.call('DEL', KEYS[5])
  redis.call('SREM', KEYS[7], member)
  local job = redis.call('HMGET', KEYS[1], 'execution', 'status', 'again')
  if not job[2] then return 'gone' end
  if not mine then return job[1] == execution and job[2] == target and 'already' or 'lost' end
  again = job[3]
  return 'ok'
end

-- The outcome is recorded first, then the job is queued once.
local function queue_again()
  if not again then return false end
  redis.call('PERSIST', KEYS[1])
  push_again(id, again, KEYS[9], KEYS[10])
  return true
end
