--- clean_slots: slots of jobs that are gone or rest elsewhere are free; an unused rate limit leaves the books.
--- from rate_limited
--- to queued
--- keys config
--- args now limit
--- gives number of slots freed
--- include slots
local limit, freed = ARGV[2], 0
for _, id in ipairs(redis.call('ZRANGE', slots_key(limit), 0, 9999)) do
  local job = redis.pcall('HMGET', job_key(id), 'status', 'rate_limit_key', 'slot_of')
  local living = redis.pcall('ZCOUNT', executions_key(id), '(' .. now_s, '+inf')
  local alive = type(living) == 'number' and living > 0
  local active = job[1] == 'queued' or job[1] == 'started'
  -- an active job may have got another limit since
  if (active and job[2] ~= limit and job[3] ~= limit) or not (active or alive) then
    freed = freed + redis.call('ZREM', slots_key(limit), id)
  end
end
fill_slots(limit)
if redis.call('ZCARD', slots_key(limit)) == 0 and redis.call('ZCARD', waiting_key(limit)) == 0 then
  redis.call('SREM', '@prefix@:rl-keys', limit)
  redis.call('DEL', limit_key(limit), slots_key(limit), waiting_key(limit))
end
return freed
