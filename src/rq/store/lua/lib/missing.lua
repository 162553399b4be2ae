--- missing: an id whose record is gone (evicted, expired, deleted by hand) is counted for a week, so that somebody sees it.
--- include now keys
local function note_missing(queue, id)
  local key = place_key('missing', queue)
  if type(redis.pcall('HINCRBY', key, 'count', 1)) ~= 'number' then return end
  redis.call('HSET', key, 'id', string.sub(id, 1, 200), 'at', now_text)
  redis.call('EXPIRE', key, 604800)
end
