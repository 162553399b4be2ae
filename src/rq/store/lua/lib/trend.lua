--- trend: how many there were in each of the latest 168 hours, eight digits each, the present hour last.
--- include now
local TREND_HOURS, TREND_DIGITS = 168, 8

-- latest: the hour that the last digits are of. One more in the present hour; answers the hour and the trend.
local function counted(latest, trend)
  local hour = math.floor(now_s / 3600)
  local moved = hour - (tonumber(latest or '') or 0)
  if moved == -1 then hour, moved = hour + 1, 0 end -- a clock that was put back a little
  if not trend or #trend ~= TREND_HOURS * TREND_DIGITS or moved < 0 or moved >= TREND_HOURS then
    trend = string.rep('0', TREND_HOURS * TREND_DIGITS)
  elseif moved > 0 then
    trend = string.sub(trend, moved * TREND_DIGITS + 1) .. string.rep('0', moved * TREND_DIGITS)
  end
  local number = math.min((tonumber(string.sub(trend, -TREND_DIGITS)) or 0) + 1, 99999999)
  return hour, string.sub(trend, 1, -TREND_DIGITS - 1) .. string.format('%08d', number)
end
