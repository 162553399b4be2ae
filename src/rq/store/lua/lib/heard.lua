--- heard: which leases have run out, as far as one can know. Behind a long silence no owner could renew.
--- include now keys epoch
local HEARD = '@prefix@:heard'

-- Since when nobody was heard of; when the latest long silence ended, and how long it was. The clock may have been changed.
local function silence()
  local known = redis.pcall('HMGET', HEARD, 'at', 'since', 'silent')
  if known.err then redis.call('DEL', HEARD) end -- no hash
  local at = tonumber(known[1] or '')
  return at and math.abs(now_ms - at) or 0, tonumber(known[2] or '') or 0, tonumber(known[3] or '') or 0
end

-- Each sign of life of a worker. Of two silences close together the longer one counts, from the end of the latter.
local function hear(lease_ms)
  local silent_now, since, silent = silence()
  if silent_now > lease_ms / 2 then
    silent = math.abs(now_ms - since) > 10000 and silent_now or math.max(silent, silent_now)
    since = now_ms
  elseif silent_now > 1000 and (silent_now > silent or math.abs(now_ms - since) > 40000) then
    -- to somebody with shorter leases this may be long; but a long one is known for as long as RQ 3.0 may need
    since, silent = now_ms, silent_now
  end
  redis.call('HSET', HEARD, 'at', now_ms, 'since', since, 'silent', silent)
end

-- While the server was away nobody could renew: after its start owners get the time of a whole lease.
local function is_server_new(lease_ms)
  local info = ARGV[1] == '' and redis.pcall('INFO', 'server')
  local uptime = type(info) == 'string' and tonumber(string.match(info, 'uptime_in_seconds:(%d+)'))
  return uptime and uptime * 1000 < lease_ms
end

-- Whether owners that live may not have been heard of yet. Workers of RQ 3.0 are heard of every 30 s.
local function is_early(lease_ms, cleaning, foreign)
  lease_ms = math.min(lease_ms, 30000)
  if not foreign and is_server_new(lease_ms) then return true end
  local silent_now, since, silent = silence()
  if cleaning or math.max(silent_now, silent) <= lease_ms / 2 then return false end
  return silent_now > lease_ms / 2 or math.abs(now_ms - since) < (foreign and 35000 or lease_ms / 3)
end

-- When this execution was heard of last, by its record, or that of its job; and where that is written, as what.
local function heard_last(id, execution)
  local beat = redis.pcall('HGET', execution_key(id, execution), 'last_heartbeat')
  if type(beat) == 'string' then return tonumber(beat), execution_key(id, execution), now_float end
  if string.byte(execution) ~= 120 then return end -- of a batch there usually is no record
  beat = redis.pcall('HGET', job_key(id), 'last_heartbeat')
  return type(beat) == 'string' and seconds_of(beat) or nil, job_key(id), now_text
end

-- A clock that was put back leaves leases far in the future: they have their whole length again, from now on.
local function bring_back(leases, lease_ms, limit)
  local ahead = redis.call('ZREVRANGEBYSCORE', leases, '(inf', '(' .. now_ms + lease_ms, 'WITHSCORES', 'LIMIT', 0, limit)
  for place = 1, #ahead, 2 do
    local id, execution = string.match(ahead[place], '^(.*):(.-)$')
    local heard, key, text
    if id then heard, key, text = heard_last(id, execution) end
    heard = heard or now_s
    local length = tonumber(ahead[place + 1]) - heard * 1000
    if heard > now_s + 5 and length > 0 then
      redis.call('ZADD', leases, now_ms + math.ceil(length), ahead[place])
      redis.call('HSET', key, 'last_heartbeat', text)
    end
  end
end

-- At most so many members whose leases have run out, and whether it is too early to tell of all but farewells.
local function run_out(leases, lease_ms, limit, cleaning)
  bring_back(leases, lease_ms, limit)
  local expired = redis.call('ZRANGEBYSCORE', leases, '-inf', now_ms, 'LIMIT', 0, limit)
  local early = #expired > 0 and is_early(lease_ms, cleaning)
  return early and redis.call('ZRANGEBYSCORE', leases, '-inf', 0, 'LIMIT', 0, limit) or expired, early
end
