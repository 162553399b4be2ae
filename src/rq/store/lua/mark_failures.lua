--- mark_failures: people say of a group of failures that it is resolved, muted until some time, or open again.
--- from none
--- to none
--- keys failure
--- args now state until_ms
--- gives ok gone
--- include now
if redis.call('HEXISTS', KEYS[1], 'count') == 0 then return 'gone' end
local more = {}
if ARGV[2] == 'resolved' then more = {'resolved_at', now_ms} end
if ARGV[2] == 'muted' then more = {'muted_until', ARGV[3]} end
redis.call('HSET', KEYS[1], 'state', ARGV[2], unpack(more))
return 'ok'
