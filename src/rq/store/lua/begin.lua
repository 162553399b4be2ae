--- begin: user code may run from here on; a rescued execution without this mark is put back uncharged.
--- from started
--- to started
--- keys wip execution executions leases
--- args now member ttl worker wip_s lease_ms
--- gives ok lost
--- include book whose
if not redis.call('ZSCORE', KEYS[1], ARGV[2]) then return 'lost' end
-- EXPIRE goes first: after a write that full memory does not refuse, a server refuses nothing more in the same script
local known = redis.call('EXPIRE', KEYS[2], ARGV[3]) == 1
local id, execution = string.match(ARGV[2], '^(.*):(.-)$')
if not known and not is_ours(id, execution, worker_executions_key(ARGV[4])) then return 'lost' end
redis.call('HSET', KEYS[2], 'begun', 1)
if not known then book(ARGV[4], ARGV[3], ARGV[5]) end
if ARGV[6] ~= '' then
  local time = ARGV[1] == '' and redis.call('TIME') or {ARGV[1], 0}
  redis.call('ZADD', KEYS[1], 'XX', string.format('%d', time[1] + ARGV[5]), ARGV[2])
  redis.call('ZADD', KEYS[4], 'XX', string.format('%.0f', time[1] * 1000 + ARGV[6]), ARGV[2])
end
return 'ok'
