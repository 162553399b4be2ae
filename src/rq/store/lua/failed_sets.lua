--- failed_sets: the buckets that hold failed jobs of some kind. It changes nothing.
--- from none
--- to none
--- keys failures
--- args now group queue function type kind
--- gives four words for each: group, number, and its field (queue and function, by a line), empty for the rest bucket; count
--- include keys
-- An empty word is any. A function or type may be the end of a dotted name. The rest bucket is of any queue and function.
local group, queue, func, type_name, kind = unpack(ARGV, 2, 6)

local function is_named(wanted, name)
  return wanted == '' or name == wanted or string.sub(name or '', -#wanted - 1) == '.' .. wanted
end

local function is_meant(place)
  if place == '' or queue == '' and func == '' then return true end
  local here, called = string.match(place, '^(.*)\n(.-)$')
  return (queue == '' or here == queue) and is_named(func, called)
end

local groups = {group}
if group == '' then groups = redis.pcall('ZREVRANGE', KEYS[1], 0, -1) end
local found = {}
for _, gid in ipairs(groups) do
  local words = redis.pcall('HMGET', failure_key(gid), 'kind', 'type')
  if words[1] and (kind == '' or words[1] == kind) and is_named(type_name, words[2]) then
    local fields = redis.call('HGETALL', failure_key(gid))
    for at = 1, #fields, 2 do
      local number, count = string.match(fields[at + 1], '^(%d+) (%d+)$')
      local place = string.match(fields[at], '^in:(.*)$')
      if place and number and is_meant(place) then
        for _, word in ipairs({gid, number, place, count}) do found[#found + 1] = word end
      end
    end
  end
end
return found
