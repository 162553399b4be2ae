--- start: a job that no claim took begins, in the process that asks. A claim says the same by itself.
--- from created queued started deferred scheduled ready_to_enqueue rate_limited finished failed stopped
--- to started
--- keys job worker worker_executions wip intermediate execution leases
--- args now id member worker ttl unlist
--- gives ok lost gone
--- include now
redis.call('HSET', KEYS[2], 'last_heartbeat', now_text)
redis.call('EXPIRE', KEYS[2], ARGV[5])
redis.call('EXPIRE', KEYS[3], ARGV[5])
if redis.call('HEXISTS', KEYS[1], 'data') == 0 then return 'gone' end
if ARGV[3] ~= '' then
  if redis.call('HGET', KEYS[1], 'status') == 'canceled' then -- between dequeue and start: nobody knew of the claim
    redis.call('ZREM', KEYS[4], ARGV[3])
    redis.call('ZREM', KEYS[7], ARGV[3])
  end
  if not redis.call('ZSCORE', KEYS[4], ARGV[3]) then return 'lost' end
  if redis.call('EXISTS', KEYS[6]) == 1 then redis.call('HSET', KEYS[6], 'begun', 1) end
end
redis.call('HSET', KEYS[1], 'status', 'started', 'started_at', now_text, 'last_heartbeat', now_text,
  'worker_name', ARGV[4])
redis.call('PERSIST', KEYS[1])
redis.call('PERSIST', KEYS[1] .. ':dependents')
if ARGV[6] == '1' then redis.call('LREM', KEYS[5], 1, ARGV[2]) end
return 'ok'
