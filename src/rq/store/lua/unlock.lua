--- unlock: give a lock back; somebody else's is left alone.
--- from none
--- to none
--- keys lock
--- args owner
--- gives 1 released, 0 not ours
if redis.pcall('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
