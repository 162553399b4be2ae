--- fire: one firing of a cron job is made once, whichever scheduler comes first; it runs the commands that make it.
--- from none
--- to none
--- keys fired
--- args now owner token due interval ttl commands...
--- gives fired or already; or refused with the server's time and that of the firing made by another
--- include now
-- The status of what is enqueued is written by the script of that verb, which stands in `scripts`.
local scripts = {}
local owner, token, due, interval = ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local last = redis.call('HMGET', KEYS[1], 'owner', 'token', 'due', 'at')
-- the reply to an earlier call was lost
if last[2] == token then return {'already'} end
if last[1] and last[1] ~= owner then
  local age = now_us / 1000000 - tonumber(last[4])
  local made
  -- a firing far in the future is that of a server whose clock was wrong
  if interval then made = math.abs(age) < interval else made = tonumber(last[3]) >= due end
  if made then return {'refused', now_float, last[4]} end
end

-- Each command is its number of words, then the words; of a script "EVAL", its number in `scripts`, the number of keys ...
local position = 7
while ARGV[position] do
  local words = {}
  for offset = 1, tonumber(ARGV[position]) do words[offset] = ARGV[position + offset] end
  position = position + #words + 1
  if words[1] == 'EVAL' then
    local keys, args = {}, {}
    for number = 4, #words do
      local into = number < 4 + tonumber(words[3]) and keys or args
      into[#into + 1] = words[number]
    end
    scripts[tonumber(words[2])](keys, args)
  else
    redis.call(unpack(words))
  end
end
-- Written last: a firing that the server refused in the middle has not been made.
redis.call('HSET', KEYS[1], 'owner', owner, 'token', token, 'due', ARGV[4], 'at', now_float)
redis.call('EXPIRE', KEYS[1], ARGV[6])
return {'fired'}
