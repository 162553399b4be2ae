--- claim: take the next jobs of the queues, in their order. There is no instant at which an id is in no list.
--- from queued created started
--- to started
--- keys worker, then per queue: list aside wake
--- args now worker lease_ms wip_s turns begun repeated streak queues <name...> <execution...>
--- gives claimed (fields, id, queue number in one text; or {queue number, id, execution, hash})..., dropped ids, 1: turns ran out, 1: suspended, put aside, now_us
--- first plain_claim
--- include now keys wake take claimable repeated guarded unclaimed
local worker, lease_ms, wip_s = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local turns = tonumber(ARGV[5])

local latest = redis.pcall('HGET', KEYS[1], 'claim')
if type(latest) == 'table' then redis.call('DEL', KEYS[1]) end -- no hash: the worker writes its record again
if ARGV[7] == '1' or latest == ARGV[next_execution] then
  taken = taken_before(worker, queues, 10, next_execution)
  if #taken > 0 then return {taken, dropped, 0, 0, put_aside, now_us} end
end

if redis.call('EXISTS', '@prefix@:suspended') == 1 then
  redis.call('HSET', KEYS[1], 'state', 'suspended')
  if redis.call('TTL', KEYS[1]) < 0 then redis.call('EXPIRE', KEYS[1], 480) end
  return {taken, dropped, 0, 1, put_aside, now_us}
end

local lone -- a job that was claimed with others when a worker was lost: by itself now, so that it is known whose fault it is

local function claim(number, id)
  local execution, job = ARGV[next_execution], job_key(id)
  local hash = redis.pcall('HGETALL', job)
  if not claimable(id, hash, ARGV[9 + number]) then return end
  lone = field(hash, 'alone')
  if lone and #taken > 0 then return redis.call('LPUSH', KEYS[number * 3 - 1], id) end
  if lone then redis.call('HDEL', job, 'alone') end
  local lease, wip = lease_of(lease_ms, wip_s, field(hash, 'timeout'))
  local origin = field(hash, 'origin')
  if not origin then -- whoever looks for the lease must know where it is
    origin = ARGV[9 + number]
    redis.call('HSET', job, 'origin', origin)
    hash[#hash + 1], hash[#hash + 2] = 'origin', origin
  end
  take(id, origin, execution, worker, lease, wip)
  next_execution = next_execution + 1
  redis.call('HSET', job, 'status', 'started', 'started_at', now_text, 'last_heartbeat', now_text, 'worker_name', worker, 'execution', execution)
  redis.call('PERSIST', job)
  redis.call('PERSIST', dependents_key(id)) -- who waits for it is known as long as it runs
  if field(hash, 'again') then redis.call('HDEL', job, 'again', 'slot_of') end
  if ARGV[6] == '1' then redis.call('HSET', execution_key(id, execution), 'begun', 1) end
  first_execution = first_execution or execution
  taken[#taken + 1] = {number, id, execution, hash}
end

for number = 1, queues do
  local list, queue = KEYS[number * 3 - 1], ARGV[9 + number]
  while next_execution <= #ARGV and turns > 0 and not lone do
    local id = redis.pcall('LPOP', list)
    if type(id) == 'table' then set_aside(queue, list, 'this key is no list: ' .. id.err) end
    if type(id) ~= 'string' then break end
    turns = turns - 1
    if not guarded(queue, id, claim, number, id) and queue_is_at_fault(queue, list, id, ARGV[next_execution]) then break end
  end
  local left = redis.pcall('LLEN', list)
  if #taken > 0 and type(left) == 'number' and left > 0 then wake(KEYS[number * 3 + 1], 1) end
end
local busy = #taken > 0 or redis.call('EXISTS', worker_executions_key(worker)) == 1
local mark = first_execution and {'claim', first_execution} or {}
redis.call('HSET', KEYS[1], 'state', busy and 'busy' or 'idle', unpack(mark))
if redis.call('TTL', KEYS[1]) < 0 then redis.call('EXPIRE', KEYS[1], 480) end -- expired before: no ghost without an end
return {taken, dropped, turns == 0 and 1 or 0, 0, put_aside, now_us}
