--- promote_dependents: go on with a job that has more dependents than one script may release.
--- from deferred ready_to_enqueue
--- to queued rate_limited
--- keys releasing
--- args now limit
--- gives how many such jobs are left
--- include dependents
local entry = redis.call('HRANDFIELD', KEYS[1], 1, 'WITHVALUES')
local parent = entry[1]
if not parent then return 0 end
local cursor, how = string.match(entry[2], '^(%d+) (%a+)$')
local page = redis.pcall('SSCAN', dependents_key(parent), cursor or 0, 'COUNT', ARGV[2])
if page.err then page = {'0', {}} end -- no set: nobody can be found there
release_these(parent, page[2], how or 'finished', {})
if page[1] ~= '0' then
  redis.call('HSET', KEYS[1], parent, page[1] .. ' ' .. (how or 'finished'))
else
  redis.call('HDEL', KEYS[1], parent)
  if redis.call('EXISTS', job_key(parent)) == 0 then redis.call('DEL', dependents_key(parent)) end
end
return redis.call('HLEN', KEYS[1])
