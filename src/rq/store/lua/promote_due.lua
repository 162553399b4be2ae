--- promote_due: scheduled jobs whose time has come are queued. A queue served by an RQ 3.0 scheduler is left to it.
--- from scheduled created queued
--- to queued rate_limited
--- keys scheduled list wake lock
--- args now queue limit
--- gives number of ids handled
--- include now keys wake push enter listed guarded missing
local holder = redis.pcall('GET', KEYS[4])
-- a scheduler of ours is marked, and promotes by this very script
if holder and (type(holder) == 'table' or redis.call('EXISTS', '@prefix@:scheduler-mark:' .. holder) == 0) then
  -- RQ 3.0's refreshes its lock in each interval, to a minute beyond the next: seven seconds later it is dead
  local left = redis.call('PTTL', KEYS[4])
  if left < 0 or left > 53000 then return 0 end
end
if not is_sorted(ARGV[2], KEYS[1]) then return 0 end
local ids = redis.call('ZRANGEBYSCORE', KEYS[1], 0, now_s, 'LIMIT', 0, tonumber(ARGV[3]))

local function promote(id)
  local job = redis.pcall('HMGET', job_key(id), 'status', 'ended_at', 'enqueue_at_front', 'enqueue_at_front_on_retry', 'ttl')
  local why = trouble(job, job[1])
  if why then return set_aside(ARGV[2], id, why) end
  if not job[1] and redis.call('EXISTS', job_key(id)) == 0 then return note_missing(ARGV[2], id) end
  -- whoever changed the status since has put the job elsewhere; programs may have saved it as they liked
  local status = job[1] or 'created'
  if status == 'scheduled' or status == 'created' or status == 'queued' and not listed_at(KEYS[2], id) then
    enter(id, ARGV[2], wants_front(job[2], job[3], job[4]))
    expire_waiting(id, job[5])
  end
end

for _, id in ipairs(ids) do
  redis.call('ZREM', KEYS[1], id)
  guarded(ARGV[2], id, promote, id)
end
if #ids > 0 then redis.call('SADD', '@prefix@:queues', KEYS[2]) end
return #ids
