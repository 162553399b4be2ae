--- prepare: an execution for a job that no claim took: somebody runs it by calling the methods of a worker.
--- from none
--- to none
--- keys job worker
--- args now id origin execution worker ttl state
--- gives time of its making, nil without a record of the job
--- include now keys take
local id, worker, ttl, state = ARGV[2], ARGV[5], tonumber(ARGV[6]), ARGV[7]
if redis.call('HEXISTS', KEYS[1], 'data') == 0 then return false end
if not redis.call('ZSCORE', place_key('wip', ARGV[3]), id .. ':' .. ARGV[4]) then
  redis.call('HSET', KEYS[1], 'execution', ARGV[4])
  take(id, ARGV[3], ARGV[4], worker, ttl * 1000, ttl)
  redis.call('EXPIRE', execution_key(id, ARGV[4]), ttl) -- as RQ: nobody renews it but the caller
end
if state ~= '' then
  redis.call('HSET', KEYS[2], 'state', state)
else
  redis.call('HSETNX', KEYS[2], 'failed_job_count', 0) -- the outcome is counted for a worker that was not born, too
end
if redis.call('TTL', KEYS[2]) < 0 then redis.call('EXPIRE', KEYS[2], 480) end
return now_float
