--- leave_plain: the claim of an execution that ends in the usual way is taken out.
--- include mine
-- What another type refuses here, or later, the rest of the script sees through, and writes it all again.
local function leave_plain()
  local member = ARGV[2] .. ':' .. ARGV[3]
  if redis.call('ZREM', KEYS[2], member) == 0 then return false end
  was_mine = true
  redis.call('ZREM', KEYS[3], member)
  -- of a batch there are usually neither (`plain_job`)
  if redis.call('DEL', KEYS[5]) == 1 or string.byte(ARGV[3]) ~= 120 then redis.call('ZREM', KEYS[4], ARGV[3]) end
  redis.call('SREM', KEYS[7], member)
  return true
end
