--- leave_plain: the claim of an execution that ends in the usual way is taken out.
--- include mine
-- What another type refuses here, or later, the rest of the script sees through, and writes it all again.
-- `execution` and `worker`: what the job says; RQ 3.0 may have given it to somebody else without our claim (`whose`).
local function leave_plain(execution, worker)
  if execution ~= ARGV[3] or KEYS[6] ~= '@prefix@:worker:' .. (worker or '') then return false end
  local member = ARGV[2] .. ':' .. ARGV[3]
  if redis.call('ZREM', KEYS[2], member) == 0 then return false end
  was_mine = true
  redis.call('ZREM', KEYS[3], member)
  -- of a batch there are usually neither (`plain_job`)
  if redis.call('DEL', KEYS[5]) == 1 or string.byte(ARGV[3]) ~= 120 then redis.call('ZREM', KEYS[4], ARGV[3]) end
  redis.call('SREM', KEYS[7], member)
  return true
end
