--- finish_many: executions of one queue that succeeded; what is unusual about a job leaves it to be settled by itself.
--- from started
--- to finished
--- keys wip leases worker worker_executions finished
--- args now worker_name, then per execution: id execution result_ttl started ended seconds value number_of_fields fields...
--- gives 1 per execution that is settled, 0 for the others
--- include now successes
local members, at, ends, number = {}, {}, {}, 0
do
  local position = 3
  while position <= #ARGV do
    number = number + 1
    at[number], members[number] = position, ARGV[position] .. ':' .. ARGV[position + 1]
    position = position + 8 + 2 * ARGV[position + 7]
    ends[number] = position - 1
  end
end

local function is_plain(n)
  for field = at[n] + 8, ends[n], 2 do
    if ARGV[field] == 'warning' then return false end
  end
  local key = '@prefix@:job:' .. ARGV[at[n]]
  local job = redis.call('HMGET', key, 'status', 'again', 'rate_limit_key', 'slot_of', 'dependency_id',
    'execution', 'worker_name')
  return job[1] == 'started' and job[6] == ARGV[at[n] + 1] and job[7] == ARGV[2]
    and not (job[2] or job[3] or job[4] or job[5]) and redis.call('EXISTS', key .. ':dependents') == 0
end

-- What cannot be repeated comes last.
local function write(n)
  local from, job, results = at[n], '@prefix@:job:' .. ARGV[at[n]], '@prefix@:results:' .. ARGV[at[n]]
  local execution, ttl = ARGV[from + 1], ARGV[from + 2]
  local expires = ttl ~= '0' and string.byte(ttl) ~= 45 -- no minus
  redis.call('HSET', job, 'status', 'finished', 'last_heartbeat', now_text, unpack(ARGV, from + 8, ends[n]))
  local entry = {'type', '1', 'worker_name', ARGV[2], 'execution_id', execution}
  if ARGV[from + 3] ~= '' then
    entry[7], entry[8], entry[9], entry[10] = 'execution_started_at', ARGV[from + 3], 'execution_ended_at', ARGV[from + 4]
  end
  if ARGV[from + 6] ~= '' then entry[#entry + 1], entry[#entry + 2] = 'return_value', ARGV[from + 6] end
  if expires then redis.call('EXPIRE', job, ttl) end -- before the entry: a ttl beyond all bounds is refused
  redis.call('XADD', results, 'MAXLEN', '~', '10', '*', unpack(entry))
  if expires then redis.call('EXPIRE', results, ttl) else redis.call('PERSIST', results) end
end

local answers, scores = {}, redis.pcall('ZMSCORE', KEYS[1], unpack(members))
for n = 1, number do
  local done, plain = pcall(is_plain, n)
  answers[n] = done and plain and not scores.err and scores[n] and 1 or 0
end
local finished, written, records, numbers, seconds = {}, {}, {}, {}, 0
for n = 1, number do
  if answers[n] == 1 then
    finished[#finished + 1] = tonumber(ARGV[at[n] + 2]) < 0 and '+inf' or string.format('%d', now_s + ARGV[at[n] + 2])
    finished[#finished + 1] = ARGV[at[n]]
  end
end
if #finished == 0 or type(redis.pcall('ZADD', KEYS[5], unpack(finished))) == 'table' then return {} end
for n = 1, number do
  if answers[n] == 1 and pcall(write, n) then
    written[#written + 1], numbers[#numbers + 1] = members[n], n
    records[#records + 1] = '@prefix@:execution:' .. members[n]
    seconds = seconds + (tonumber(ARGV[at[n] + 5]) or 0)
  elseif answers[n] == 1 then
    answers[n] = 0
    redis.call('HSET', '@prefix@:job:' .. ARGV[at[n]], 'status', 'started') -- for whoever settles it by itself
  end
end
if #written == 0 then return {} end
redis.call('ZREM', KEYS[1], unpack(written))
redis.pcall('ZREM', KEYS[2], unpack(written))
redis.pcall('SREM', KEYS[4], unpack(written))
local known = redis.call('DEL', unpack(records))
for _, n in ipairs(numbers) do -- claimed in a batch they usually have none, and are in no set of their jobs
  local id, execution = ARGV[at[n]], ARGV[at[n] + 1]
  if known > 0 or string.byte(execution) ~= 120 then redis.pcall('ZREM', '@prefix@:executions:' .. id, execution) end
end
count_successes(KEYS[3], #written, string.format('%.6f', seconds))
return answers
