--- beat: the worker lives.
--- from none
--- to none
--- keys worker worker_executions
--- args now ttl instance lease_ms
--- gives ok gone
--- include now heard
-- A claim may have written `state` to a hash that had expired: without an instance it is nobody's.
local known = redis.pcall('HMGET', KEYS[1], 'instance', 'death')
if known.err then redis.call('DEL', KEYS[1]) end -- no hash: the worker writes its record again
if known[1] ~= ARGV[3] or known[2] then return 'gone' end
redis.call('EXPIRE', KEYS[1], ARGV[2]) -- first, so that full memory does not refuse the rest
redis.call('HSET', KEYS[1], 'last_heartbeat', now_text)
redis.call('EXPIRE', KEYS[2], ARGV[2])
hear(tonumber(ARGV[4]))
return 'ok'
