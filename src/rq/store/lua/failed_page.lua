--- failed_page: many sorted sets of failed jobs read as one, by moment and id, from a place in it on. It changes nothing.
--- from none
--- to none
--- keys set...
--- args now number newest low high after_moment after_id kept...
--- gives triples of moment, id and number of the set
--- include strand
-- low (inclusive) and high (exclusive) bound the moments, which are in ms; empty: no bound. kept: one for each key, empty
-- where its scores are the moments. A heap holds the next entry of each set.
local number, low, high = tonumber(ARGV[2]), tonumber(ARGV[4]), tonumber(ARGV[5])
local after = ARGV[6] ~= '' and {tonumber(ARGV[6]), ARGV[7]} or nil
local edge = newest and high or not newest and low or nil
if not after and edge then after = {edge, ''} end
local heap, strands = {}, {}

local function sink(at)
  while true do
    local first = at
    for child = 2 * at, 2 * at + 1 do
      if heap[child] and precedes(heap[child], heap[first]) then first = child end
    end
    if first == at then return end
    heap[at], heap[first] = heap[first], heap[at]
    at = first
  end
end

-- The next of a set, unless it lies beyond the bound.
local function next_within(strand)
  local entry = next_of(strand)
  if entry and (low and entry[1] < low or high and entry[1] >= high) then return nil end
  return entry
end

for position, key in ipairs(KEYS) do
  local size = math.ceil(number / #KEYS)
  local strand = {key = key, number = position, kept = tonumber(ARGV[7 + position]), size = size}
  open_strand(strand, after)
  strands[position] = strand
  heap[#heap + 1] = next_within(strand)
end
for at = math.floor(#heap / 2), 1, -1 do sink(at) end
local found = {}
while heap[1] and #found < 3 * number do
  local entry = heap[1]
  found[#found + 1], found[#found + 2], found[#found + 3] = string.format('%.17g', entry[1]), entry[2], entry[3]
  local following = next_within(strands[entry[3]])
  heap[1] = following or heap[#heap]
  if not following then heap[#heap] = nil end
  sink(1)
end
return found
