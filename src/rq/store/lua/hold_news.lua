--- hold_news: news are somebody's for a while, or put off for a while.
--- from none
--- to none
--- keys outbox
--- args now news hold_ms only_due
--- gives 1, or 0: they are gone, or somebody else's
--- include now
local due = redis.call('ZSCORE', KEYS[1], ARGV[2])
if not due or (ARGV[4] == '1' and tonumber(due) > now_ms) then return 0 end
redis.call('ZADD', KEYS[1], now_ms + tonumber(ARGV[3]), ARGV[2])
return 1
