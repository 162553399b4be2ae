--- plain_fail: the usual end of a job without success, tried before anything else of the script is even defined.
--- include now mine plain_cause plain_end
-- What may refuse comes first and may be done twice; from the entry in the result stream on nothing can.
local function fail_plain()
  local ttl, id, dependents = string.find(ARGV[4], '^-?%d+$') and tonumber(ARGV[4]) or 0, ARGV[2], KEYS[1] .. ':dependents'
  if ttl == 0 or #ARGV[4] > 11 or ARGV[5] ~= '1' or ARGV[13] ~= '' or ARGV[14] == '' then return end
  if ARGV[15] ~= '0' and redis.call('ZCARD', KEYS[11]) >= tonumber(ARGV[15]) then return end
  local job = redis.call('HMGET', KEYS[1], 'status', 'again', 'rate_limit_key', 'slot_of', 'dependency_id', 'attempts',
    'execution', 'worker_name')
  if job[1] ~= 'started' or job[2] or job[3] or job[4] or job[5] then return end
  local attempt = next_attempt(job[6])
  local standing = redis.call('EXISTS', KEYS[8], dependents)
  if not attempt or standing > 0 and redis.call('EXISTS', dependents) == 1 then return end
  local known = known_cause(ARGV[16], id)
  if not known or not leave_plain(job[7], job[8]) then return end
  place_known(known, id)
  redis.call('ZADD', KEYS[11], ttl < 0 and ARGV[4] or string.format('%d', now_s + ttl), id)
  local entry = {'type', ARGV[6], 'worker_name', ARGV[7], 'execution_id', ARGV[3], ARGV[11], ARGV[12]}
  if ARGV[8] ~= '' then entry[9], entry[10] = 'execution_started_at', ARGV[8] end
  if ARGV[9] ~= '' then entry[#entry + 1], entry[#entry + 2] = 'execution_ended_at', ARGV[9] end
  redis.call('XADD', KEYS[8], 'MAXLEN', '~', 10, '*', unpack(entry))
  if standing == 0 then -- as in lib/outcome: a copy has the size that it needs
    redis.call('COPY', KEYS[8], KEYS[8] .. ':copy', 'REPLACE')
    redis.call('RENAME', KEYS[8] .. ':copy', KEYS[8])
  end
  if ttl > 0 then redis.call('EXPIRE', KEYS[8], ARGV[4]) else redis.call('PERSIST', KEYS[8]) end
  redis.call('HSET', KEYS[1], 'status', 'failed', 'last_heartbeat', now_text, 'failed_in', known[3], 'attempts', attempt,
    'attempt:' .. attempt % 10, attempt .. ' ' .. ARGV[14], unpack(ARGV, 17))
  if ttl > 0 then redis.call('EXPIRE', KEYS[1], ARGV[4]) end
  count_known(known)
  count_failure(ARGV[10])
  return true
end

local done, all = pcall(fail_plain)
if done and all then return 'ok' end
