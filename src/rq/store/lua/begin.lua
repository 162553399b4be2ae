--- begin: user code may run from here on; a rescued execution without this mark is put back uncharged.
--- from started
--- to started
--- keys wip execution executions
--- args now member ttl worker wip_s
--- gives ok lost
--- include book
if not redis.call('ZSCORE', KEYS[1], ARGV[2]) then return 'lost' end
-- EXPIRE goes first: after a write that full memory does not refuse, a server refuses nothing more in the same script
local known = redis.call('EXPIRE', KEYS[2], ARGV[3]) == 1
redis.call('HSET', KEYS[2], 'begun', 1)
if not known then book(ARGV[4], ARGV[3], ARGV[5]) end
return 'ok'
