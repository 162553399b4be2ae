--- take_news: news of outcomes are taken for a while, to be told outside; whoever told them removes them.
--- from none
--- to none
--- keys outbox
--- args now limit hold_ms
--- gives news
--- include now
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now_ms, 'LIMIT', 0, tonumber(ARGV[2]))
for _, news in ipairs(due) do redis.call('ZADD', KEYS[1], now_ms + tonumber(ARGV[3]), news) end
return due
