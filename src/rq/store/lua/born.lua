--- born: a worker enters the books, in place of a dead one of its name if the caller saw that one.
--- from none
--- to none
--- keys worker worker_executions workers, then the worker set of each queue
--- args now ttl seen_instance fields...
--- gives ok taken
--- include now fields heard
local old = redis.call('HMGET', KEYS[1], 'birth', 'death', 'instance')
local mine -- a repeated call finds itself
for position = 4, #ARGV, 2 do if ARGV[position] == 'instance' then mine = ARGV[position + 1] end end
local living = old[1] and not old[2]
if living and (old[3] or '') ~= ARGV[3] and not (mine and old[3] == mine) then return 'taken' end
redis.call('DEL', KEYS[1], KEYS[2])
redis.call('HSET', KEYS[1], 'birth', now_text, 'last_heartbeat', now_text)
set_fields(KEYS[1], 4)
redis.call('EXPIRE', KEYS[1], ARGV[2])
for number = 3, #KEYS do redis.call('SADD', KEYS[number], KEYS[1]) end
hear(30000)
return 'ok'
