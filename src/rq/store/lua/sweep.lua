--- sweep: a look at a part of each place of a queue. Ids whose record is gone leave it; what is no record goes aside.
--- from none
--- to none
--- keys sweep suspects
--- args now queue look pause_ms
--- gives ids set aside and why, in turn; ids without a record
--- include now aside missing forget
-- Records are looked at by whoever takes them, too; this is for those whose turn would not come for long, or never.
-- A status of a newer version is not looked at here: such jobs stand where that version wants them.
local queue, look, gone = ARGV[2], tonumber(ARGV[3]), {}
local DEPTH = 1000 -- of a list: to take out who is further back costs the server too much, and a claim comes to him in time
local PLACES = {'queue', 'scheduled', 'deferred', 'ready', 'finished', 'failed', 'canceled', 'wip', 'leases', 'aside'}
local known = redis.pcall('HMGET', KEYS[1], 'at', unpack(PLACES))
if known.err then redis.call('DEL', KEYS[1]) end
if math.abs(now_ms - (tonumber(known[1] or '') or 0)) < tonumber(ARGV[4]) then return {{}, {}} end -- one worker does it for all

local function id_of(place, member) return place == 'wip' and string.match(member, '^(.*):') or member end

local function leave(place, member)
  if place == 'queue' then
    local at = redis.pcall('LPOS', queue_key(queue), member, 'MAXLEN', DEPTH + look)
    return type(at) == 'number' and redis.call('LREM', queue_key(queue), 1, member) or 0
  end
  if place ~= 'wip' then return redis.pcall(place == 'aside' and 'HDEL' or 'ZREM', place_key(place, queue), member) end
  local id, execution = id_of(place, member), string.match(member, ':([^:]*)$') or ''
  local owner = redis.pcall('HGET', execution_key(id, execution), 'worker_name')
  forget(queue, member, id, execution, type(owner) == 'string' and owner)
end

-- What the record of a member says: nil for none, else whether it is in order.
local function is_in_order(place, member)
  local key = job_key(id_of(place, member))
  local status = redis.pcall('HGET', key, 'status')
  if type(status) == 'table' then return false, trouble(status) end
  return (status or redis.call('EXISTS', key) == 1) and true or nil
end

-- Whoever has no record at the second look, too: a program may put an id in its place before it saves the job.
local suspects = redis.pcall('SMEMBERS', KEYS[2])
redis.call('DEL', KEYS[2])
for _, suspect in ipairs(suspects) do
  local place, member = string.match(suspect, '^(%a+):(.*)$')
  if is_in_order(place, member) == nil and leave(place, member) ~= 0 then
    note_missing(queue, id_of(place, member))
    gone[#gone + 1] = id_of(place, member)
  end
end

local function see(place, member, score)
  if place == 'leases' then -- of an execution that is over
    return redis.call('ZSCORE', place_key('wip', queue), member) or redis.call('ZREM', place_key(place, queue), member)
  end
  if place == 'aside' and (member == '' or string.find(member, '[^%w_-]')) then return end -- no id: it never had a record
  -- what has expired with its record is left to those who clean registries
  if (place == 'finished' or place == 'failed') and score >= 0 and score <= now_s then return end
  local fine, why = is_in_order(place, member)
  if fine == nil then
    redis.call('SADD', KEYS[2], place .. ':' .. member)
  elseif not fine and place ~= 'wip' and place ~= 'aside' then -- what runs is judged at its end
    leave(place, member)
    set_aside(queue, member, why)
  end
end

local state = {'at', now_ms}
for number, place in ipairs(PLACES) do
  local from, key, page, step = known[number + 1] or 0, place_key(place, queue), nil, 2
  if place == 'queue' then
    local ids = redis.pcall('LRANGE', key, from, from + look - 1)
    page, step = {(#ids < look or from + look >= DEPTH) and 0 or from + look, ids}, 1
  else
    page = redis.pcall(place == 'aside' and 'HSCAN' or 'ZSCAN', key, from, 'COUNT', look)
  end
  for position = 1, #(page[2] or {}), step do see(place, page[2][position], tonumber(page[2][position + 1]) or 0) end
  state[#state + 1], state[#state + 2] = place, page[1] or 0
end
redis.call('HSET', KEYS[1], unpack(state))
redis.call('EXPIRE', KEYS[1], 60)
redis.call('EXPIRE', KEYS[2], 60)
return {put_aside, gone}
