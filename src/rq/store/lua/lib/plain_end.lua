--- plain_end: what all failed attempts have in common, for the usual ones.
--- include now mine leave_plain
-- The number of an attempt as the job is to hold it, behind those known; nil for what is no number.
local function next_attempt(known)
  if not known then return '1' end
  return string.match(known, '^%d+$') and #known < 15 and string.format('%d', tonumber(known) + 1) or nil
end

-- One read and one write; a worker hash that expired must not come back as a ghost of counters without a TTL.
local function count_failure(seconds)
  local worker = redis.pcall('HMGET', KEYS[6], 'birth', 'failed_job_count', 'total_working_time')
  if worker.err then return end
  if not (worker[1] or worker[2] or worker[3]) and redis.call('EXISTS', KEYS[6]) == 0 then return end
  local number, total = tonumber(worker[2] or '0'), tonumber(worker[3] or '0')
  if number and total and seconds ~= '' then
    redis.call('HSET', KEYS[6], 'failed_job_count', string.format('%d', number + 1),
      'total_working_time', string.format('%.6f', total + tonumber(seconds)))
  elseif number then
    redis.call('HSET', KEYS[6], 'failed_job_count', string.format('%d', number + 1))
  end
end
