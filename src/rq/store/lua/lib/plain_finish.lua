--- plain_finish: the usual success, tried before anything else of the script is even defined.
--- include now leave_plain successes
local function finish_plain()
  local ttl, dependents = tonumber(ARGV[4]), KEYS[1] .. ':dependents'
  if ttl == 0 or ARGV[10] ~= '' or ARGV[11] ~= '' then return end
  for number = 12, #ARGV, 2 do if ARGV[number] == 'warning' then return end end
  local job = redis.call('HMGET', KEYS[1], 'status', 'again', 'rate_limit_key', 'slot_of', 'dependency_id',
    'execution', 'worker_name')
  if job[1] ~= 'started' or job[2] or job[3] or job[4] or job[5] or redis.call('EXISTS', dependents) == 1 then return end
  if not leave_plain(job[6], job[7]) then return end
  redis.call('HSET', KEYS[1], 'status', 'finished', 'last_heartbeat', now_text, unpack(ARGV, 12))
  if ttl > 0 then redis.call('EXPIRE', KEYS[1], ARGV[4]) end
  redis.call('ZADD', KEYS[11], ttl < 0 and '+inf' or string.format('%d', now_s + ttl), ARGV[2])
  local entry = {'type', '1', 'worker_name', ARGV[5], 'execution_id', ARGV[3]}
  if ARGV[6] ~= '' then entry[7], entry[8] = 'execution_started_at', ARGV[6] end
  if ARGV[7] ~= '' then entry[#entry + 1], entry[#entry + 2] = 'execution_ended_at', ARGV[7] end
  if ARGV[9] ~= '' then entry[#entry + 1], entry[#entry + 2] = 'return_value', ARGV[9] end
  redis.call('XADD', KEYS[8], 'MAXLEN', '~', '10', '*', unpack(entry))
  if ttl > 0 then redis.call('EXPIRE', KEYS[8], ARGV[4]) else redis.call('PERSIST', KEYS[8]) end
  count_successes(KEYS[6], 1, ARGV[8])
  return true
end

local done, all = pcall(finish_plain)
if done and all then return 'ok' end
