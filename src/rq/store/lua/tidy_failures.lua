--- tidy_failures: a look at some entries of the buckets of failed jobs; those that do not hold any more leave.
--- from none
--- to none
--- keys tidying failures
--- args now look pause_ms
--- gives number of entries seen, number of those that left
--- include now keys
-- What our verbs take out of the failed jobs leaves by itself; this is for what expired, and for tools of RQ 3.0.
local look, seen, removed = tonumber(ARGV[2]), 0, 0
local known = redis.pcall('HMGET', KEYS[1], 'at', 'index', 'place', 'cursor')
if known.err then redis.call('DEL', KEYS[1]) end
-- one worker does it for all; a look that found much is followed by another at once
if known[1] and math.abs(now_ms - tonumber(known[1])) < tonumber(ARGV[3]) then return {0, 0} end
local index, place, cursor = tonumber(known[2] or '') or -1, tonumber(known[3] or '') or 1, known[4] or '0'

local function is_stale(bucket, id, failed_at)
  local job = redis.pcall('HMGET', job_key(id), 'status', 'failed_in', 'started_at')
  if job[2] ~= bucket then return true end
  -- one that was started since failed again, as RQ 3.0 writes it
  if job[1] == 'failed' and (job[3] or '') < time_text((failed_at + 1) * 1000) then return false end
  redis.call('HDEL', job_key(id), 'failed_in')
  return true
end

local function look_at(bucket)
  local page = redis.pcall('ZSCAN', failed_in_key(bucket), cursor, 'COUNT', math.max(look - seen, 10))
  for position = 1, #(page[2] or {}), 2 do
    seen = seen + 1
    if is_stale(bucket, page[2][position], tonumber(page[2][position + 1])) then
      removed = removed + redis.call('ZREM', failed_in_key(bucket), page[2][position])
    end
  end
  cursor = page[1] or '0'
end

-- From the group seen last to the one seen first: who is seen again meanwhile goes the other way, and none is missed.
for turn = 0, look do
  if seen >= look then break end
  local gid = index >= 0 and redis.pcall('ZRANGE', KEYS[2], index, index)[1]
  if not gid then
    local number = redis.pcall('ZCARD', KEYS[2])
    index, place, cursor = type(number) == 'number' and number - 1 or -1, 1, '0'
    if turn > 0 or index < 0 then break end
  else
    look_at(gid .. ':' .. place)
    if cursor == '0' then place = place + 1 end
    if place > (tonumber(redis.pcall('HGET', failure_key(gid), 'places')) or 0) then index, place, cursor = index - 1, 1, '0' end
  end
end
redis.call('HSET', KEYS[1], 'at', removed * 2 > look and 0 or now_ms, 'index', index, 'place', place, 'cursor', cursor)
redis.call('EXPIRE', KEYS[1], 3600)
return {seen, removed}
