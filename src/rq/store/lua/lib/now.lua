--- now: the clock of a script. ARGV[1] is the time in seconds as tests give it; empty asks the server.
local now_us
if ARGV[1] == '' then
  local time = redis.call('TIME')
  now_us = tonumber(time[1]) * 1000000 + tonumber(time[2])
else
  now_us = math.floor(tonumber(ARGV[1]) * 1000000 + 0.5)
end
local now_s = math.floor(now_us / 1000000)
local now_ms = math.floor(now_us / 1000)

-- Timestamp text. The calendar is Howard Hinnant's civil_from_days.
local function time_text(us)
  local seconds = math.floor(us / 1000000)
  local days = math.floor(seconds / 86400)
  local rest = seconds - days * 86400
  local z = days + 719468
  local era = math.floor(z / 146097)
  local doe = z - era * 146097
  local yoe = math.floor((doe - math.floor(doe / 1460) + math.floor(doe / 36524) - math.floor(doe / 146096)) / 365)
  local doy = doe - (365 * yoe + math.floor(yoe / 4) - math.floor(yoe / 100))
  local mp = math.floor((5 * doy + 2) / 153)
  local month = mp < 10 and mp + 3 or mp - 9
  local year = yoe + era * 400 + (month <= 2 and 1 or 0)
  return string.format('%04d-%02d-%02dT%02d:%02d:%02d.%06dZ', year, month, doy - math.floor((153 * mp + 2) / 5) + 1,
    math.floor(rest / 3600), math.floor(rest / 60) % 60, rest % 60, us - seconds * 1000000)
end
local now_text = time_text(now_us)
local now_float = string.format('%d.%06d', now_s, now_us - now_s * 1000000)
