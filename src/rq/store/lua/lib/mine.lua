--- mine: whether this call has taken the claim out already, and must see the outcome through.
local was_mine = false
