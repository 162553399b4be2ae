--- aside: what cannot be worked on is kept out of the way of the next, with the reason; nothing of it is changed or lost.
--- include now keys
local KNOWN = {created = 1, queued = 1, started = 1, deferred = 1, scheduled = 1, ready_to_enqueue = 1, rate_limited = 1,
  finished = 1, failed = 1, stopped = 1, canceled = 1}
local put_aside = {} -- what this script has set aside and nobody knew yet: id, reason, ...

-- What is wrong with a record whose fields were read by redis.pcall; nil when it can be worked on.
local function trouble(reply, status)
  if type(reply) == 'table' and reply.err then return 'its key holds another type: ' .. reply.err end
  if status and status ~= '' and not KNOWN[status] then return 'unknown status "' .. string.sub(status, 1, 80) .. '"' end
end

local function set_aside(queue, member, why)
  local key, is_new = place_key('aside', queue), nil
  local number = redis.pcall('HLEN', key)
  if type(number) == 'number' and (number < 10000 or redis.call('HEXISTS', key, member) == 1) then
    is_new = redis.call('HSET', key, member, now_text .. ' ' .. why)
  else
    -- Ten thousand reasons are enough to read, but no id may be lost: the others are kept without one, in a set that
    -- takes no more memory than the list they came from.
    is_new = redis.pcall('SADD', place_key('aside-rest', queue), member)
  end
  if is_new == 1 then put_aside[#put_aside + 1], put_aside[#put_aside + 2] = member, why end
end

local function leave_aside(queue, member)
  redis.pcall('HDEL', place_key('aside', queue), member)
  redis.pcall('SREM', place_key('aside-rest', queue), member)
end

-- Whether a key of the queue is what it should be; what is none is shown, and left as it is.
local function is_sorted(queue, key)
  local reply = redis.pcall('ZCARD', key)
  if type(reply) == 'number' then return true end
  set_aside(queue, key, 'this key is no sorted set: ' .. reply.err)
end

-- Where what has no readable queue of its own is shown: with the first queue by name.
local function some_queue()
  local known = redis.pcall('SMEMBERS', '@prefix@:queues')
  table.sort(known)
  return string.sub(known[1] or queue_key('default'), #queue_key('') + 1)
end
