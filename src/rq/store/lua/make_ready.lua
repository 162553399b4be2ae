--- make_ready: jobs that need not wait for others any more are registered as ready; somebody will enqueue them.
--- from deferred
--- to ready_to_enqueue
--- keys dependents
--- args now <id...>
--- gives pairs of queue and id
--- include now keys
local into = {}
for position = 2, #ARGV do
  local id = ARGV[position]
  local job = redis.pcall('HMGET', job_key(id), 'status', 'origin')
  if job[1] == 'deferred' and job[2] then
    redis.call('ZREM', place_key('deferred', job[2]), id)
    redis.call('HSET', job_key(id), 'status', 'ready_to_enqueue')
    redis.call('ZADD', place_key('ready', job[2]), now_s, id)
    into[#into + 1], into[#into + 2] = job[2], id
  end
  redis.call('SREM', KEYS[1], id)
end
return into
