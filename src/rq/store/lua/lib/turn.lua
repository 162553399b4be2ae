--- turn: work that any worker does for all comes again only after a pause, whoever does it. Forgotten when nobody lives.
local function is_turn(key, work, pause_ms)
  local last = redis.pcall('HGET', key, work)
  if type(last) == 'table' then redis.call('DEL', key) end -- no hash
  local at = type(last) == 'string' and tonumber(last)
  if at and math.abs(now_ms - at) < pause_ms then return 0 end -- the clock may have been changed
  redis.pcall('HSET', key, work, now_ms) -- full memory refuses it, which is no reason to leave the work undone
  redis.call('EXPIRE', key, 60)
  return 1
end
