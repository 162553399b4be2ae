--- now: the clock of a script. ARGV[1] is the time in seconds as tests give it; empty asks the server.
-- Or the minute as the caller has it, as text and in epoch seconds (2026-11-22T13:45:1795355100): if the server is in
-- the same one, no calendar is needed.
local now_s, now_fraction, second
if ARGV[1] == '' or #ARGV[1] == 27 then
  local time = redis.call('TIME')
  now_s, now_fraction = tonumber(time[1]), tonumber(time[2])
  second = now_s - (tonumber(string.sub(ARGV[1], 18)) or 0)
else
  local us = math.floor(tonumber(ARGV[1]) * 1000000 + 0.5)
  now_fraction = us % 1000000
  now_s = (us - now_fraction) / 1000000
end
local now_us = now_s * 1000000 + now_fraction
local now_ms = now_s * 1000 + (now_fraction - now_fraction % 1000) / 1000

-- Timestamp text. The calendar is Howard Hinnant's civil_from_days; x - x % n is floor without its call.
local function time_text(us)
  local fraction = us % 1000000
  local seconds = (us - fraction) / 1000000
  local rest = seconds % 86400
  local z = (seconds - rest) / 86400 + 719468
  local doe = z % 146097
  local yoe = doe - (doe - doe % 1460) / 1460 + (doe - doe % 36524) / 36524 - (doe - doe % 146096) / 146096
  yoe = (yoe - yoe % 365) / 365
  local doy = doe - (365 * yoe + (yoe - yoe % 4) / 4 - (yoe - yoe % 100) / 100)
  local mp = 5 * doy + 2
  mp = (mp - mp % 153) / 153
  local month = mp < 10 and mp + 3 or mp - 9
  local before = 153 * mp + 2
  local minutes = rest % 3600
  return string.format('%04d-%02d-%02dT%02d:%02d:%02d.%06dZ', yoe + (z - doe) / 146097 * 400 + (month <= 2 and 1 or 0),
    month, doy - (before - before % 5) / 5 + 1, (rest - minutes) / 3600, (minutes - rest % 60) / 60, rest % 60, fraction)
end
local now_text = second and second >= 0 and second < 60
  and string.format('%s%02d.%06dZ', string.sub(ARGV[1], 1, 17), second, now_fraction) or time_text(now_us)
local now_float = string.format('%d.%06d', now_s, now_fraction)
