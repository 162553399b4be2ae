--- note: a captured failure is remembered on its execution before any user code hears of it.
--- from started
--- to started
--- keys wip execution
--- args now member failure told ttl
--- gives ok lost
if not redis.call('ZSCORE', KEYS[1], ARGV[2]) then return 'lost' end
redis.call('HSET', KEYS[2], 'failure', ARGV[3], 'told', ARGV[4])
redis.call('EXPIRE', KEYS[2], ARGV[5])
return 'ok'
