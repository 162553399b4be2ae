--- failed_records: what a list shows of jobs, and what its filters ask of them; payloads are not touched. It changes nothing.
--- from none
--- to none
--- keys job...
--- args now what id...
--- gives for each: status queue bucket moment started ended failure_ttl result_ttl, then description, attempts, attempt, text
--- include keys
-- what: 0 the first eight, 1 and the description, 2 everything; more than the first eight only of failed jobs. moment: when
-- it failed (ms), as its bucket has it. A value longer than it may be is no value: what is sent must be bounded here.
local PLAIN = {'status', 'origin', 'failed_in', 'ended_at', 'started_at', 'failure_ttl', 'result_ttl', 'attempts'}
local LONGEST, DESCRIPTION = 262144, 2000
local what = tonumber(ARGV[2])

local function value_of(job, field)
  local size = redis.pcall('HSTRLEN', job, field)
  if type(size) == 'number' and size > 0 and size <= LONGEST then return redis.call('HGET', job, field) end
  return ''
end

-- The text of jobs that workers of RQ 3.0 recorded stands in the stream of results, and with older ones on the hash.
local function text_of(id, job)
  local latest = redis.pcall('XREVRANGE', results_key(id), '+', '-', 'COUNT', 1)[1]
  for place = 1, latest and #latest[2] or 0, 2 do
    if latest[2][place] == 'exc_string' and #latest[2][place + 1] <= LONGEST then return latest[2][place + 1] end
  end
  return value_of(job, 'exc_info')
end

local function short(value)
  return value and #value <= 512 and value or ''
end

local found = {}
for position, job in ipairs(KEYS) do
  local id, known = ARGV[2 + position], redis.pcall('HMGET', job, unpack(PLAIN))
  local seen = {}
  if not known.err then
    local moment = known[3] and redis.pcall('ZSCORE', failed_in_key(short(known[3])), id)
    seen = {short(known[1]), short(known[2]), short(known[3]), type(moment) == 'string' and moment or '', short(known[5]),
      short(known[4]), short(known[6]), short(known[7])}
    if what > 0 and known[1] == 'failed' then
      local description = value_of(job, 'description')
      seen[9], seen[10] = string.sub(description, 1, DESCRIPTION), short(known[8])
    end
    if what > 1 and known[1] == 'failed' then
      local number = tonumber(short(known[8]))
      seen[11] = number and number >= 1 and value_of(job, 'attempt:' .. string.format('%d', number % 10)) or ''
      seen[12] = seen[11] == '' and text_of(id, job) or ''
    end
  end
  found[position] = seen
end
return found
