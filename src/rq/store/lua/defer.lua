--- defer: a job waits for others. When none of them is missing: nothing is written, or it enters its queue.
--- from created queued finished failed deferred scheduled stopped canceled rate_limited ready_to_enqueue
--- to deferred queued rate_limited
--- keys job deferred queues list
--- args now id queue mode ttl nonce allow front parents <parent...> fields...
--- gives ok (deferred) met (nothing written) entered already started
--- include record dependents
-- mode: ask (write nothing when met), enter (enter the queue when met), link (examined later, by release)
local job, id, queue, mode, allow = KEYS[1], ARGV[2], ARGV[3], ARGV[4], ARGV[7] == '1'
local parents = {unpack(ARGV, 10, 9 + tonumber(ARGV[9]))}
local old = redis.call('HMGET', job, 'status', 'nonce', 'origin', 'execution', 'data', 'rate_limit_key', 'slot_of')
if old[2] == ARGV[6] then return 'already' end
local met, living = true, {}
for _, parent in ipairs(parents) do
  local done, gone = is_done(parent, allow)
  met = met and done
  if mode == 'link' or not gone then living[#living + 1] = parent end
end
if met and mode == 'ask' then return 'met' end
local answer = write_record(job, id, queue, old, ARGV[6], ARGV[5], 10 + #parents)
if answer ~= 'ok' then return answer end
redis.call('SADD', KEYS[3], KEYS[4])
if met and mode == 'enter' then
  enter(id, queue, ARGV[8] == '1')
  expire_waiting(id, ARGV[5])
  return 'entered'
end
redis.call('HSET', job, 'status', 'deferred')
redis.call('SADD', dependencies_key(id), unpack(parents))
for _, parent in ipairs(living) do link(id, parent) end
redis.call('ZADD', KEYS[2], now_s, id)
expire_waiting(id, ARGV[5])
return 'ok'
