--- plain_retry: the usual attempt that another one follows at once, tried before anything else of the script is defined.
--- include now mine plain_cause plain_end
-- What may refuse comes first and may be done twice; from the entry in the queue on nothing can.
local function retry_plain()
  local id = ARGV[2]
  if ARGV[4] ~= '0' or ARGV[7] == '' then return end
  local job = redis.call('HMGET', KEYS[1], 'status', 'again', 'rate_limit_key', 'slot_of', 'ttl', 'attempts',
    'execution', 'worker_name')
  if job[1] ~= 'started' or job[2] or job[3] or job[4] or job[5] then return end
  local attempt, tokens = next_attempt(job[6]), redis.call('LLEN', KEYS[10])
  local known = attempt and known_cause(ARGV[8], id)
  if not known or not leave_plain(job[7], job[8]) then return end
  place_known(known)
  redis.call(ARGV[5] == '1' and 'LPUSH' or 'RPUSH', KEYS[9], id)
  redis.call('HSET', KEYS[1], 'status', 'queued', 'enqueued_at', now_text, 'attempts', attempt,
    'attempt:' .. attempt % 10, attempt .. ' ' .. ARGV[7], unpack(ARGV, 9))
  if tokens < 8 then
    redis.call('LPUSH', KEYS[10], 1)
    redis.call('EXPIRE', KEYS[10], 60)
  end
  count_known(known)
  count_failure(ARGV[6])
  return true
end

local done, all = pcall(retry_plain)
if done and all then return 'ok' end
