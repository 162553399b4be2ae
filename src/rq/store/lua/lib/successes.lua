--- successes: so many successes of a worker are counted, with the seconds they took.
-- A worker hash that expired must not come back as a ghost of counters without a TTL.
local function count_successes(worker, number, seconds)
  local count = redis.pcall('HINCRBY', worker, 'successful_job_count', number)
  if count == number and redis.call('HLEN', worker) == 1 then
    redis.call('DEL', worker)
  elseif seconds ~= '' then
    redis.pcall('HINCRBYFLOAT', worker, 'total_working_time', seconds)
  end
end
