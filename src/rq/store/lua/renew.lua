--- renew: the named executions are alive. Names them one by one: a namesake must not keep a dead one's claim.
--- from started
--- to started
--- keys worker executions, then per execution: job wip leases executions execution
--- args now, then per execution: member execution lease_ms wip_s
--- gives ok or lost per execution
--- include now guarded whose
local answers = {}

local function renew(number)
  local key, arg = 1 + (number - 1) * 5, 1 + (number - 1) * 4
  local member, execution = ARGV[arg + 1], ARGV[arg + 2]
  local lease_ms, wip_s = tonumber(ARGV[arg + 3]), tonumber(ARGV[arg + 4])
  wip_s = math.max(wip_s, math.ceil(lease_ms / 1000))
  local known, claimed = redis.call('EXISTS', KEYS[key + 5]) == 1, redis.call('ZSCORE', KEYS[key + 2], member)
  if claimed and not known and not is_ours(string.sub(member, 1, -#execution - 2), execution, KEYS[1]) then
    redis.call('ZREM', KEYS[key + 2], member)
    redis.pcall('SREM', KEYS[1], member)
    claimed = false
  end
  if claimed then
    redis.call('EXPIRE', KEYS[1], wip_s + 60) -- first, so that full memory does not refuse the rest
    redis.pcall('SADD', KEYS[1], member) -- if somebody has made it another type: no reason to lose the lease
    redis.call('EXPIRE', KEYS[1], wip_s + 60)
    redis.call('ZADD', KEYS[key + 2], now_s + wip_s, member)
    -- 0 is a farewell: whoever looks next may take it, and no worker counts as lost
    redis.call('ZADD', KEYS[key + 3], lease_ms > 0 and now_ms + lease_ms or 0, member)
    if known or string.byte(execution) ~= 120 then -- of a batch there are no books
      -- not XX: those of an execution that is held may have expired, because the clock was put forward
      redis.call('ZADD', KEYS[key + 4], now_s + wip_s + 60, execution)
      redis.call('EXPIRE', KEYS[key + 4], wip_s + 60)
    end
    if known then
      redis.call('HSET', KEYS[key + 5], 'last_heartbeat', now_float)
      if redis.call('TTL', KEYS[key + 5]) < wip_s then redis.call('EXPIRE', KEYS[key + 5], math.max(wip_s, 86400)) end
    end
    if redis.call('HEXISTS', KEYS[key + 1], 'status') == 1 then
      redis.call('HSET', KEYS[key + 1], 'last_heartbeat', now_text)
    end
  else
    redis.call('ZREM', KEYS[key + 3], member)
    answers[number] = 'lost'
  end
end

for number = 1, (#KEYS - 1) / 5 do
  answers[number] = 'ok' -- a broken key of its job says nothing against it
  guarded(nil, '', renew, number)
end
return answers
