--- book: the record of an execution that has none, because it was claimed in a batch; and its place among its job's.
-- KEYS: 2 execution 3 executions
-- ARGV: 1 now 2 member
local function book(worker, ttl, wip_s)
  local id, execution = string.match(ARGV[2], '^(.*):(.-)$')
  local time = ARGV[1] == '' and redis.call('TIME') or {ARGV[1], 0}
  local at = string.format('%d.%06d', time[1], time[2])
  redis.call('HSET', KEYS[2], 'id', execution, 'job_id', id, 'created_at', at, 'last_heartbeat', at, 'worker_name', worker)
  redis.call('EXPIRE', KEYS[2], ttl)
  redis.pcall('ZADD', KEYS[3], string.format('%d', time[1] + wip_s + 60), execution)
  redis.pcall('EXPIRE', KEYS[3], wip_s + 60)
end
