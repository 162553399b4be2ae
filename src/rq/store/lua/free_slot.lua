--- free_slot: a job gives its slot back, or its place among those who wait, and the next one gets it.
--- from rate_limited
--- to queued
--- keys config
--- args now limit id condition
--- gives ids
--- include slots
-- condition: any (held or not), held, stale (held by a job that neither waits nor runs), waiting (only its place)
local limit, id, condition = ARGV[2], ARGV[3], ARGV[4]
if condition == 'waiting' then
  redis.call('ZREM', waiting_key(limit), id)
  return {}
end
if condition == 'stale' then
  local status = redis.call('HGET', job_key(id), 'status')
  local alive = redis.call('ZCOUNT', executions_key(id), '(' .. now_s, '+inf') > 0
  if status == 'queued' or status == 'started' or alive then return {} end
end
if redis.call('ZREM', slots_key(limit), id) == 0 and condition ~= 'any' then return {} end
return fill_slots(limit)
