--- guarded: one broken record must not stop the others of a script: an error would end it half-way, with no way back.
--- include aside
-- What the keys of a record may do to a script. Refusals of the server (full memory, no replicas) are no fault of theirs.
local FAULTS = {'WRONGTYPE', 'attempt to', 'not an integer', 'not a valid float', 'is not an float', 'invalid expire'}

-- Calls `work` with what follows; when the keys of this job are at fault, the job is set aside and the answer is false.
local function guarded(queue, id, work, ...)
  local done, why = pcall(work, ...)
  if done then return true end
  local words = type(why) == 'table' and why.err or tostring(why)
  for _, fault in ipairs(FAULTS) do
    if string.find(words, fault, 1, true) then
      if queue then set_aside(queue, id, 'one of its keys is broken: ' .. string.sub(words, 1, 200)) end
      return false
    end
  end
  error(why, 0)
end
