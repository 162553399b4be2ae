--- enqueue_new: jobs with ids that nobody had before enter one queue, all of them or none.
--- from none
--- to queued
--- keys list queues wake
--- args now front ttl fixed width <field value...> <field...>, then of each job: id <value...>
--- gives ok already, and the time in us
--- include now wake
-- `fixed` words are fields and values that all have; then the names of `width` fields of which each job has its own value.
local list, front, ttl, fixed, width = KEYS[1], ARGV[2] == '1', tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local ids, hashes, first = {}, {}, 6 + fixed + width
for at = first, #ARGV, width + 1 do
  ids[#ids + 1], hashes[#hashes + 1] = ARGV[at], '@prefix@:job:' .. ARGV[at]
end
-- Only a call that is repeated, because its reply was lost, finds one of them.
if redis.call('EXISTS', unpack(hashes)) > 0 then return {'already', now_us} end

-- What may be refused (full memory, keys of another type) comes before the first record.
redis.call('SADD', KEYS[2], list)
redis.call(front and 'LPUSH' or 'RPUSH', list, unpack(ids))
local record = {'status', 'queued', 'enqueued_at', now_text, unpack(ARGV, 6, 5 + fixed)}
local own = #record
for field = 1, width do record[own + 2 * field - 1] = ARGV[5 + fixed + field] end
for number, key in ipairs(hashes) do
  local at = first + (number - 1) * (width + 1)
  for field = 1, width do record[own + 2 * field] = ARGV[at + field] end
  redis.call('HSET', key, unpack(record))
  if ttl and ttl >= 1 then redis.call('EXPIRE', key, math.floor(math.min(ttl, 100000000000))) end
end
for _ = 1, math.min(#ids, 8) do wake(KEYS[3], 8) end
return {'ok', now_us}
