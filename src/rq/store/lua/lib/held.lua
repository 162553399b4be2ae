--- held: does a living execution hold this job? Members of the wip set are what counts, whoever wrote them.
--- include keys
local function held(id, origin, execution)
  local wip = place_key('wip', origin)
  if execution and redis.call('ZSCORE', wip, id .. ':' .. execution) then return id .. ':' .. execution end
  for _, other in ipairs(redis.pcall('ZRANGE', executions_key(id), -10, -1)) do
    if redis.call('ZSCORE', wip, id .. ':' .. other) then return id .. ':' .. other end
  end
  return redis.call('ZSCORE', wip, id) and id -- a plain id, as RQ before 2.0 wrote it
end
