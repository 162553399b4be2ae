--- look: what there is to do of the work that any worker does for all. One question instead of one for each piece.
--- from none
--- to none
--- keys outbox releasing tidying turns, then per queue: scheduled sweep turns
--- args now promote_ms sweep_ms tidy_ms
--- gives 1 or 0: news, dependents, tidy, then per queue: promote, sweep
--- include now turn
-- A key of another type is answered by 1: the verb itself knows what to do about it.
local function is_there(found) return (found.err or #found > 0) and 1 or 0 end

local function is_past(key, pause_ms) -- these note by themselves when they were done
  local at = redis.pcall('HGET', key, 'at')
  return type(at) == 'string' and math.abs(now_ms - (tonumber(at) or 0)) < pause_ms and 0 or 1
end

local left = redis.pcall('HLEN', KEYS[2])
local answers = {
  is_there(redis.pcall('ZRANGEBYSCORE', KEYS[1], '-inf', now_ms, 'LIMIT', 0, 1)),
  left == 0 and 0 or is_turn(KEYS[4], 'dependents', tonumber(ARGV[2])),
  is_past(KEYS[3], tonumber(ARGV[4])),
}
for key = 5, #KEYS, 3 do
  local is_due = is_there(redis.pcall('ZRANGEBYSCORE', KEYS[key], 0, now_s, 'LIMIT', 0, 1))
  if is_due == 1 then is_due = is_turn(KEYS[key + 2], 'promote', tonumber(ARGV[2])) end
  answers[#answers + 1] = is_due
  answers[#answers + 1] = is_past(KEYS[key + 1], tonumber(ARGV[3]))
end
return answers
