--- save_new: the fields of a job are stored, unless there is a job of that id.
--- from none
--- to none
--- keys job
--- args ttl fields...
--- gives ok duplicate
--- include fields
if redis.call('EXISTS', KEYS[1]) == 1 then return 'duplicate' end
set_fields(KEYS[1], 2)
if ARGV[1] ~= '' then redis.call('EXPIRE', KEYS[1], ARGV[1]) end
return 'ok'
