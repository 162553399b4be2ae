--- fields: read and write the fields of a job.
-- Of a hash as HGETALL gives it; an empty field is none.
local function field(hash, name)
  for i = 1, #hash, 2 do if hash[i] == name and hash[i + 1] ~= '' then return hash[i + 1] end end
end

-- Set the field-value pairs that begin at ARGV[first].
local function set_fields(key, first)
  -- unpack is limited by Lua's stack; a job has some thirty fields
  if #ARGV > first then redis.call('HSET', key, unpack(ARGV, first)) end
end

-- A record takes the place of an older one. We leave empty fields out, so what RQ would overwrite with '' goes first.
local function replace_fields(key, first, running)
  redis.call('HDEL', key, 'group_id', 'success_callback_name', 'failure_callback_name', 'stopped_callback_name', 'webhooks',
    'final_callback_name', 'by', 'enqueued_from', 'copy_of',
    'rate_limit_key', 'rate_limit_concurrency', 'dependency_id', 'dependency_ids', 'repeats_left', 'repeat_intervals',
    'allow_dependency_failures', 'enqueue_at_front', 'enqueue_at_front_on_retry', 'retries_left', 'retry_intervals', 'retry_policy',
    'number_of_retries', 'ttl', 'result_ttl', 'failure_ttl')
  if not running then
    redis.call('HDEL', key, 'started_at', 'ended_at', 'last_heartbeat', 'worker_name', 'lost', 'lost_at', 'again', 'slot_of', 'alone',
      'warning', 'attempts', 'attempt:0', 'attempt:1', 'attempt:2', 'attempt:3', 'attempt:4', 'attempt:5', 'attempt:6',
      'attempt:7', 'attempt:8', 'attempt:9')
  end
  set_fields(key, first)
end
