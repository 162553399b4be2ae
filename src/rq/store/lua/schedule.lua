--- schedule: a job waits for its time.
--- from created queued finished failed deferred scheduled stopped canceled rate_limited ready_to_enqueue
--- to scheduled
--- keys job scheduled queues list
--- args now id queue due ttl nonce unique fields...
--- gives ok already duplicate started
--- include record
local job, id, queue, due = KEYS[1], ARGV[2], ARGV[3], ARGV[4]
-- "+60" is so long from now, whatever the clock of whoever schedules says
if string.sub(due, 1, 1) == '+' then due = math.floor(now_us / 1000000 + tonumber(string.sub(due, 2))) end
local old = redis.call('HMGET', job, 'status', 'nonce', 'origin', 'execution', 'data', 'rate_limit_key', 'slot_of')
if old[2] == ARGV[6] then return 'already' end
if ARGV[7] == '1' and (old[1] or old[5] or redis.call('EXISTS', job) == 1) then return 'duplicate' end
local answer = write_record(job, id, queue, old, ARGV[6], ARGV[5], 8)
if answer ~= 'ok' then return answer end
redis.call('HSET', job, 'status', 'scheduled')
redis.call('SADD', KEYS[3], KEYS[4])
redis.call('ZADD', KEYS[2], due, id)
expire_waiting(id, ARGV[5])
return 'ok'
