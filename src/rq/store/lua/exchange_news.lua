--- exchange_news: news that were told, or told in vain, give way to what is left to be told of them; that is on record.
--- from none
--- to none
--- keys outbox deliveries
--- args now news pause_ms record most kept kept_seconds rest...
--- gives how many others were dropped, because there were too many; -1: these were not there any more
--- include now
-- Removed first: a full server lets us go on then, and what was told is not told again.
if redis.call('ZREM', KEYS[1], ARGV[2]) == 0 then return -1 end
local function record(entry)
  redis.call('LPUSH', KEYS[2], now_ms .. ' ' .. entry)
  redis.call('LTRIM', KEYS[2], 0, tonumber(ARGV[6]) - 1)
  redis.call('EXPIRE', KEYS[2], ARGV[7])
end
for i = 8, #ARGV do redis.call('ZADD', KEYS[1], now_ms + tonumber(ARGV[3]), ARGV[i]) end
if ARGV[4] ~= '' then record(ARGV[4]) end
local over = redis.call('ZCARD', KEYS[1]) - tonumber(ARGV[5])
if over <= 0 then return 0 end
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, over - 1)
record('{"error": "' .. over .. ' news waited too long behind others", "outcome": "dropped"}')
return over
