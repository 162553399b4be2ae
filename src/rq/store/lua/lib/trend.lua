--- trend: how many there were in each of the latest 168 hours, eight digits each, the present hour last.
--- include now
-- What came in the present hour since the digits were written stands beside them: so they are written once an hour.
local TREND_HOURS, TREND_DIGITS = 168, 8

-- latest: the hour that the last digits are of; `present`: what stands beside them. One more in the present hour.
local function count_hour(key, latest, present)
  local hour = math.floor(now_s / 3600)
  local moved = hour - (tonumber(latest or '') or 0)
  -- a clock that was put back a little counts as the same hour
  if moved == 0 or moved == -1 then return redis.call('HSET', key, 'present', present + 1) end
  local trend = redis.call('HGET', key, 'trend')
  if not trend or #trend ~= TREND_HOURS * TREND_DIGITS or moved < 0 or moved >= TREND_HOURS then
    trend = string.rep('0', TREND_HOURS * TREND_DIGITS)
  else
    local number = math.min((tonumber(string.sub(trend, -TREND_DIGITS)) or 0) + present, 99999999)
    trend = string.sub(trend, moved * TREND_DIGITS + 1, -TREND_DIGITS - 1) .. string.format('%08d', number)
      .. string.rep('0', moved * TREND_DIGITS)
  end
  redis.call('HSET', key, 'hour', hour, 'trend', trend, 'present', 1)
end
