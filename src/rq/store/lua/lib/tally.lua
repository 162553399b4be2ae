--- tally: a failed attempt is counted in the group of its cause; a job that is given up stands in a bucket of it.
--- include now failure_groups trend plain_cause
local REST = 'in:'

-- Which bucket: one for each queue and function, the last one for all that are too many. Its number and its field.
local function place_of(key, field, known, count)
  local number, times = string.match(known or '', '^(%d+) (%d+)$')
  if number then return field, number, times + 1, count end
  if count < MOST_PLACES - 1 then return field, count + 1, 1, count + 1 end
  times = string.match(redis.call('HGET', key, REST) or '', ' (%d+)$') or 0
  return REST, MOST_PLACES, times + 1, MOST_PLACES
end

-- A group that was put right has come back; one that nobody wanted to see until now is seen again.
local function changed_state(state, muted_until)
  if state == 'resolved' then return {'state', 'regressed', 'regressed_at', now_ms} end
  local until_ms = tonumber(muted_until or '') or 0
  if state == 'muted' and until_ms > 0 and until_ms <= now_ms then return {'state', 'open'} end
  return {}
end

-- What refuses because of a key of another type comes before what counts, so that it can be done once more.
local function count_cause(gid, words, message, func, placed, id, queue)
  local key, field = failure_key(gid), string.sub('in:' .. queue .. '\n' .. func, 1, 500)
  local old = redis.call('HMGET', key, 'count', 'state', 'muted_until', 'hour', 'present', 'jobs', 'places', field)
  local number, times, places
  field, number, times, places = place_of(key, field, old[8], tonumber(old[7] or '') or 0)
  redis.call('ZADD', FAILURES, moment, gid)
  if placed then redis.call('ZADD', failed_in_key(gid .. ':' .. number), moment, id) end
  count_hour(key, old[4], tonumber(old[5] or '') or 0)
  redis.call('HSET', key, 'count', (tonumber(old[1] or '') or 0) + 1, 'last_seen', moment, 'message', message,
    'jobs', with_sample(old[6], id), 'places', places, field, number .. ' ' .. times, unpack(changed_state(old[2], old[3])))
  if not old[1] then
    redis.call('HSET', key, 'first_seen', now_ms, 'state', 'open', unpack(words))
    bound_groups()
  end
  return gid .. ':' .. number
end

-- The bucket for this queue and function, in which it stands if `placed`; nil without a cause. It never ends a script.
local function tally(cause, placed, id, queue)
  if cause == '' then return end
  local gid, kind, type_name, title, message, frames, func = string.match(cause,
    '^(%x+)\31([^\31]*)\31([^\31]*)\31([^\31]*)\31([^\31]*)\31([^\31]*)\31([^\31]*)$')
  if not gid then return end
  local words = {'kind', kind, 'type', type_name, 'title', title, 'frames', frames}
  local done, bucket = pcall(count_cause, gid, words, message, func, placed, id, queue)
  if not done then
    make_room(gid)
    done, bucket = pcall(count_cause, gid, words, message, func, placed, id, queue)
  end
  return done and bucket or nil
end
