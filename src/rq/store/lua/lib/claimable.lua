--- claimable: which listed ids may be claimed. What may not has its place elsewhere, is gone, or is set aside.
--- include fields held aside missing
local dropped = {}

local function claimable(id, hash, queue)
  local why = trouble(hash, not hash.err and field(hash, 'status'))
  if id == '' or string.find(id, #hash == 0 and '[^%w_-]' or '[^%w%p ]') then why = 'not a job id' end
  if why then return set_aside(queue, id, why) end
  local status = field(hash, 'status') or 'created'
  local gone, free = #hash == 0, status == 'queued' or status == 'created'
  if not gone and (free or status == 'started' and not held(id, field(hash, 'origin') or queue, field(hash, 'execution'))) then
    return true
  end
  dropped[#dropped + 1] = id
  if gone then note_missing(queue, id) end
end
