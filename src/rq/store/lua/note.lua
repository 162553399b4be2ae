--- note: a captured failure is remembered on its execution before any user code hears of it.
--- from started
--- to started
--- keys wip execution executions
--- args now member failure told ttl worker wip_s
--- gives ok lost
--- include book whose
if not redis.call('ZSCORE', KEYS[1], ARGV[2]) then return 'lost' end
local id, execution = string.match(ARGV[2], '^(.*):(.-)$')
local known = redis.call('EXISTS', KEYS[2]) == 1
if not known and not is_ours(id, execution, worker_executions_key(ARGV[6])) then return 'lost' end
redis.call('HSET', KEYS[2], 'failure', ARGV[3], 'told', ARGV[4])
if known then redis.call('EXPIRE', KEYS[2], ARGV[5]) else book(ARGV[6], ARGV[5], ARGV[7]) end
return 'ok'
