--- strand: one sorted set, read piece by piece from a place in its order on. The place need not be there any more.
--- include bytewise
-- An entry is {moment, id, number of its strand}. Registries hold the end of the time a job is kept, `kept` seconds later.
local newest = ARGV[3] == '1' -- the latest come first

local function precedes(one, other)
  if one[1] ~= other[1] then return (one[1] > other[1]) == newest end
  if newest then return less(other[2], one[2]) end
  return less(one[2], other[2])
end

local function piece_of(strand, rank, count)
  local reply = redis.pcall(newest and 'ZREVRANGE' or 'ZRANGE', strand.key, rank, rank + count - 1, 'WITHSCORES')
  local found = {}
  for position = 1, #reply, 2 do
    local moment = tonumber(reply[position + 1])
    -- 0 at least: as their scores, so the moments must stand in order, and some are kept for ever (negative scores)
    if strand.kept and moment >= 0 then moment = math.max((moment - strand.kept) * 1000, 0) end
    found[#found + 1] = {moment, reply[position], strand.number}
  end
  return found
end

-- By halves, because thousands may have failed in one instant.
local function first_behind(strand, after, low, high)
  while low < high do
    local middle = math.floor((low + high) / 2)
    local entry = piece_of(strand, middle, 1)[1]
    if not entry or precedes(after, entry) then high = middle else low = middle + 1 end
  end
  return low
end

local function rank_behind(strand, after)
  -- what is kept for seconds is a sum: to be compared, but not to be turned back without loss
  local number = strand.kept and redis.pcall('ZCARD', strand.key)
  if strand.kept then return type(number) == 'number' and first_behind(strand, after, 0, number) or 0 end
  local moment = string.format('%.17g', after[1])
  local from, to = '-inf', '(' .. moment
  if newest then from, to = to, '+inf' end
  local before = redis.pcall('ZCOUNT', strand.key, from, to)
  if type(before) ~= 'number' then return 0 end
  return first_behind(strand, after, before, before + redis.call('ZCOUNT', strand.key, moment, moment))
end

-- `after`: the entry behind which it begins, or nil. A key of another type is an empty strand.
local function open_strand(strand, after)
  strand.piece, strand.place = {}, 0
  strand.rank = after and rank_behind(strand, after) or 0
end

-- The next entry, or nil. Pieces grow: whoever is asked twice is asked often.
local function next_of(strand)
  strand.place = strand.place + 1
  if strand.place > #strand.piece and not strand.is_over then
    strand.piece, strand.place = piece_of(strand, strand.rank, strand.size), 1
    strand.is_over = #strand.piece < strand.size
    strand.rank, strand.size = strand.rank + #strand.piece, strand.size * 2
  end
  return strand.piece[strand.place]
end
