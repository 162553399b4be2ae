--- gone: the worker leaves the books.
--- from none
--- to none
--- keys worker worker_executions workers, then the worker set of each queue
--- args now instance
--- gives ok gone
--- include now
local known = redis.call('HMGET', KEYS[1], 'instance', 'birth')
local instance = known[1]
-- the name may belong to somebody else by now: another process of ours, or RQ 3.0, which knows no instances
if (instance or known[2]) and instance ~= ARGV[2] then return 'gone' end
for number = 3, #KEYS do redis.call('SREM', KEYS[number], KEYS[1]) end
redis.call('DEL', KEYS[2])
if instance then
  redis.call('HSET', KEYS[1], 'death', now_text)
  redis.call('EXPIRE', KEYS[1], 60)
end
return 'ok'
