--- attempt: what failed is remembered on the job, the latest ten times; fields of its hash go when the job goes.
local function remember(packed)
  if packed == '' then return end
  local number = redis.pcall('HINCRBY', KEYS[1], 'attempts', 1)
  if type(number) ~= 'number' then number = redis.call('HSET', KEYS[1], 'attempts', 1) + 1 end -- it was no number
  redis.call('HSET', KEYS[1], 'attempt:' .. number % 10, number .. ' ' .. packed)
end
