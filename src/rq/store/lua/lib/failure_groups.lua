--- failure_groups: there are a thousand at most, with sixty-four buckets each.
--- include keys
local MOST_GROUPS, MOST_PLACES = 1000, 64
local FAILURES = '@prefix@:failures'

-- The one seen least recently goes, with its buckets, whatever their size: they are freed in the background.
-- What jobs say of them is not true any more, and does no harm: readers go by the buckets.
local function bound_groups()
  if redis.call('ZCARD', FAILURES) <= MOST_GROUPS then return end
  local gid = redis.call('ZRANGE', FAILURES, 0, 0)[1]
  local doomed = {failure_key(gid)}
  for number = 1, MOST_PLACES do doomed[number + 1] = failed_in_key(gid .. ':' .. number) end
  redis.call('UNLINK', unpack(doomed))
  redis.call('ZREM', FAILURES, gid)
end

-- Keys of other types are nobody's whom we know: without them there is nothing to count in.
local function make_room(gid)
  local kinds = {[FAILURES] = 'zset', [failure_key(gid)] = 'hash'}
  for number = 1, MOST_PLACES do kinds[failed_in_key(gid .. ':' .. number)] = 'zset' end
  for key, kind in pairs(kinds) do
    if redis.call('TYPE', key).ok ~= kind then redis.call('UNLINK', key) end
  end
end
