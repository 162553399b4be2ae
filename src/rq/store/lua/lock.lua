--- lock: take a lock that is free, or refresh our own; it expires by itself.
--- from none
--- to none
--- keys lock
--- args owner ttl
--- gives acquired refreshed taken
local ttl = math.floor(tonumber(ARGV[2]))
local owner = redis.pcall('GET', KEYS[1])
-- what is no string is nobody's whom we know
if type(owner) == 'table' then return 'taken' end
if owner and owner ~= ARGV[1] then return 'taken' end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ttl)
-- tells promote_due that this owner promotes inside of a script, as our workers do: they need not wait for it
redis.call('SET', '@prefix@:scheduler-mark:' .. ARGV[1], 1, 'EX', ttl)
return owner and 'refreshed' or 'acquired'
