--- recover: an id that a worker of RQ 3.0 left on the intermediate list goes back to the front, if it is still queued.
--- from queued created
--- to queued
--- keys intermediate list wake job first_seen
--- args now id
--- gives recovered dropped
--- include now keys wake push aside
local listed = redis.call('LREM', KEYS[1], 1, ARGV[2])
redis.call('DEL', KEYS[5])
local status = redis.pcall('HGET', KEYS[4], 'status')
if listed == 1 then
  local why = trouble(status, type(status) == 'string' and status)
  if why then set_aside(string.sub(KEYS[2], #queue_key('') + 1), ARGV[2], why) end
end
if listed == 0 or type(status) ~= 'string' or status ~= 'queued' and status ~= 'created' then return 'dropped' end
push(KEYS[4], KEYS[2], KEYS[3], ARGV[2], true)
return 'recovered'
