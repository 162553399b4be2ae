--- plain_entry: a job enters its queue. Where the producer's clock shows the server's second, its words for it are taken.
--- include wake
-- More than so many in a queue: it is known as one, and whoever claims of them wakes the next worker.
local many = 64

local function enter_plain(text, us)
  local list, queue, id = KEYS[1], ARGV[2], ARGV[7]
  local key = '@prefix@:job:' .. id
  -- Only a call that is repeated, because its reply was lost, finds it.
  if redis.call('EXISTS', key) == 1 then return {'already', us} end
  -- What may be refused (full memory, keys of another type) comes before the record.
  local length = redis.call('RPUSH', list, id)
  local known = length > many or redis.pcall('SADD', '@prefix@:queues', list)
  if type(known) == 'table' then
    redis.call('RPOP', list)
    return known
  end
  if ARGV[4] == '' then
    redis.call('HSET', key, 'status', 'queued', 'enqueued_at', text, 'origin', queue, 'timeout', ARGV[3],
      'created_at', ARGV[6], 'description', ARGV[8], 'data', ARGV[9])
  else
    redis.call('HSET', key, 'status', 'queued', 'enqueued_at', text, 'origin', queue, 'timeout', ARGV[3],
      'created_at', ARGV[6], 'description', ARGV[8], 'by', ARGV[4], 'data', ARGV[9])
  end
  if length <= many then wake('@prefix@:wake:' .. queue, 8) end
  return {'ok', us}
end

local time = ARGV[1] == '' and redis.call('TIME')
if time and time[1] == ARGV[5] then
  local fraction = ('00000' .. time[2]):sub(-6)
  return enter_plain(ARGV[6]:sub(1, 20) .. fraction .. 'Z', time[1] .. fraction)
end
