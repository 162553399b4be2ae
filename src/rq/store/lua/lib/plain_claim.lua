--- plain_claim: the usual claim, tried before anything else of the script is even defined: queued jobs like most others.
--- include now plain_job
-- What it cannot take goes back to the front; the rest of the script goes on from where this came to.
local queues = tonumber(ARGV[9])
local worker_members = '@prefix@:worker:' .. ARGV[2] .. ':executions'
next_execution = 10 + queues

-- Leases first and for all at once, in rows that `give_up` knows.
local function take_these(number, ids, lease_ms, wip_s, rows)
  local found, wip, leases, seen, longest, same, wip_end, lease_end = {}, {}, {}, {}, 0, nil, nil, nil
  for n, id in ipairs(ids) do
    local hash, origin, lease, seconds, limited = plain_job(id, lease_ms, wip_s)
    if not hash or seen[id] or (rows.where or origin) ~= origin then break end
    local member = id .. ':' .. ARGV[next_execution + n - 1]
    found[n], rows.where, rows[n], seen[id] = {hash, seconds, limited}, origin, member, true
    if seconds ~= same then
      same, wip_end, lease_end = seconds, string.format('%d', now_s + seconds), string.format('%.0f', now_ms + lease)
      if seconds > longest then longest = seconds end
    end
    wip[2 * n - 1], wip[2 * n], leases[2 * n - 1], leases[2 * n] = wip_end, member, lease_end, member
  end
  if #found == 0 then return end
  redis.call('ZADD', '@prefix@:wip:' .. rows.where, unpack(wip))
  redis.call('ZADD', '@prefix@:leases:' .. rows.where, unpack(leases))
  redis.call('SADD', worker_members, unpack(rows))
  redis.call('EXPIRE', worker_members, string.format('%d', longest + 60))
  for n, each in ipairs(found) do mark(number, ids[n], each[1], each[2], each[3]) end
end

-- A key is broken: the rest of the script may give these executions to other jobs, so no row may speak of them any more.
local function give_up(rows, marked)
  for n = marked + 1, #rows do
    redis.pcall('ZREM', '@prefix@:wip:' .. rows.where, rows[n])
    redis.pcall('ZREM', '@prefix@:leases:' .. rows.where, rows[n])
    redis.pcall('SREM', worker_members, rows[n])
  end
end

local function claim_plain()
  local lease_ms, wip_s = tonumber(ARGV[3]), tonumber(ARGV[4])
  if lease_ms > wip_s * 1000 then wip_s = math.ceil(lease_ms / 1000) end
  for number = 1, queues do
    local before, ids = #taken, redis.call('LPOP', KEYS[number * 3 - 1], #ARGV + 1 - next_execution)
    if ids then
      local rows = {}
      local done = pcall(take_these, number, ids, lease_ms, wip_s, rows)
      if not done then give_up(rows, #taken - before) end
      for back = #ids, #taken - before + 1, -1 do redis.call('LPUSH', KEYS[number * 3 - 1], ids[back]) end
      if not done or #taken - before < #ids then return end
    end
    if next_execution > #ARGV then return number end
  end
  return #taken > 0
end

-- streak: we have just worked for this worker, over a connection that repeats nothing by itself; nobody else was idle then.
local function tell_books(last)
  if ARGV[8] == '1' then return end
  redis.call('HSET', KEYS[1], 'state', 'busy', 'claim', first_execution)
  local wake = type(last) == 'number' and KEYS[last * 3 + 1]
  if wake and redis.call('LLEN', KEYS[last * 3 - 1]) > 0 and redis.call('LLEN', wake) == 0 then
    redis.call('LPUSH', wake, 1)
    redis.call('EXPIRE', wake, 60)
  end
end

local known = ARGV[8] ~= '1' and redis.pcall('HMGET', KEYS[1], 'claim', 'state')
if ARGV[7] ~= '1' and redis.call('EXISTS', '@prefix@:suspended') == 0
  and not (known and (not known[2] or known[1] == ARGV[next_execution])) then
  local done, last = pcall(claim_plain)
  if done and last and pcall(tell_books, last) then return {taken, {}, 0, 0, {}, now_us} end
end
