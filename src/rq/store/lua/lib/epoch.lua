--- epoch: a timestamp text in epoch seconds, the way back from `time_text` of `now`.
-- Nil for what is none.
local function seconds_of(text)
  local y, m, d, hours, minutes, seconds = string.match(text, '^(%d%d%d%d)-(%d%d)-(%d%d)T(%d%d):(%d%d):(%d%d%.?%d*)Z$')
  if not y then return end
  y, m = m + 0 > 2 and y + 0 or y - 1, m + 0 > 2 and m - 3 or m + 9 -- a year that begins in March
  local days = 365 * y + math.floor(y / 4) - math.floor(y / 100) + math.floor(y / 400) + math.floor((153 * m + 2) / 5)
  return ((days + d - 719469) * 24 + hours) * 3600 + minutes * 60 + seconds
end
