--- aside: what cannot be worked on is kept out of the way of the next, with the reason.
--- include now
local function set_aside(key, member, why)
  if redis.call('HLEN', key) < 10000 then redis.call('HSET', key, member, now_text .. ' ' .. why) end
end
