--- bytewise: the order of texts as sorted sets have it; Lua's own depends on the language of the server.
local function less(one, other)
  for position = 1, math.min(#one, #other) do
    local a, b = string.byte(one, position), string.byte(other, position)
    if a ~= b then return a < b end
  end
  return #one < #other
end
