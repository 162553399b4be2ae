--- repeated: the reply to an earlier call of this claim may have been lost; what that call took is handed out again.
--- include keys now fields
local function taken_before(worker, queues, first_name, first_execution)
  local wanted, number_of, taken = {}, {}, {}
  for position = first_execution, #ARGV do wanted[ARGV[position]] = true end
  for number = 1, queues do number_of[ARGV[first_name + number - 1]] = number end
  for _, member in ipairs(redis.pcall('SMEMBERS', worker_executions_key(worker))) do
    local id, execution = string.match(member, '^(.*):(.-)$')
    local hash = wanted[execution] and redis.pcall('HGETALL', job_key(id)) or {}
    local origin = field(hash, 'origin') or ''
    if type(redis.pcall('ZSCORE', place_key('wip', origin), member)) == 'string' then
      taken[#taken + 1] = {number_of[origin] or 1, id, execution, hash}
    end
  end
  return taken
end
