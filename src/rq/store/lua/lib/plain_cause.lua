--- plain_cause: a failure counts in a group that is known, not muted or resolved, and has counted in this hour before.
--- include now
local MOST_SAMPLES = 10
local moment = string.format('%d', now_ms)

-- The latest ten jobs of a group, this one first.
local function with_sample(ids, latest)
  if not ids or ids == '' then return latest end
  if string.sub(ids, 1, #latest) == latest then
    local behind = string.sub(ids, #latest + 1, #latest + 1)
    if behind == '' or behind == '\n' then return ids end
  end
  if string.find(ids, latest, 1, true) then
    local others = string.gsub('\n' .. ids .. '\n', '\n' .. string.gsub(latest, '%p', '%%%0') .. '\n', '\n', 1)
    ids = string.sub(others, 2, -2)
  end
  local at, number = nil, 1
  repeat
    at, number = string.find(ids, '\n', (at or 0) + 1, true), number + 1
  until not at or number == MOST_SAMPLES
  return latest .. '\n' .. (at and string.sub(ids, 1, at - 1) or ids)
end

-- What is to be written, or nil when there is more to it: key, bucket, and what `count_known` sets.
local function known_cause(cause, id)
  local gid, message, func =
    string.match(cause, '^(%x+)\31[^\31]*\31[^\31]*\31[^\31]*\31([^\31]*)\31[^\31]*\31([^\31]*)$')
  if not gid then return end
  local key = '@prefix@:failure:' .. gid
  local field = string.sub('in:' .. string.sub(KEYS[9], #'@prefix@:queue:' + 1) .. '\n' .. func, 1, 500)
  local old = redis.call('HMGET', key, 'state', 'hour', 'present', 'count', 'jobs', field)
  if old[1] ~= 'open' and old[1] ~= 'regressed' then return end
  local hour, present, count = tonumber(old[2] or ''), tonumber(old[3] or ''), tonumber(old[4] or '')
  local number, times = string.match(old[6] or '', '^(%d+) (%d+)$')
  if hour ~= (now_s - now_s % 3600) / 3600 or not present or not count or not number then return end
  return {gid, key, gid .. ':' .. number, 'count', string.format('%d', count + 1), 'last_seen', moment,
    'present', string.format('%d', present + 1), 'message', message, 'jobs', with_sample(old[5], id),
    field, string.format('%s %d', number, times + 1)}
end

-- These may refuse, so they come first, and may be done twice.
local function place_known(known, id)
  redis.call('ZADD', '@prefix@:failures', moment, known[1])
  if id then redis.call('ZADD', '@prefix@:failed-in:' .. known[3], moment, id) end
end

local function count_known(known)
  redis.call('HSET', known[2], unpack(known, 4))
end
