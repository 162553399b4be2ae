--- listed: where a queued job stands in its list. Looked for near both ends only, because a queue may be long.
-- A listing that is not found stays; a claim drops what is no longer queued.
local function listed_at(list, id)
  return redis.call('LPOS', list, id, 'MAXLEN', 1000) or redis.call('LPOS', list, id, 'RANK', -1, 'MAXLEN', 1000)
end
