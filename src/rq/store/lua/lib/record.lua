--- record: a record is written where there may be an older one of the same id, which leaves every place.
--- include now keys fields held leave_places slots
-- old: status nonce origin execution data rate_limit_key slot_of. Answers 'started' when the id runs, and writes nothing then.
local function write_record(job, id, queue, old, nonce, ttl, first)
  if not (old[1] or old[5]) then
    set_fields(job, first)
    redis.call('HSET', job, 'nonce', nonce)
    return 'ok'
  end
  local origin = old[3] or queue
  if old[1] == 'started' and held(id, origin, old[4]) then return 'started' end
  redis.call('HSET', job, 'nonce', nonce) -- first, because a server with full memory refuses it
  if old[1] == 'queued' then redis.call('LREM', queue_key(origin), 1, id) end
  leave_registries(id, origin)
  leave_failed(id, old[1])
  leave_parents(id)
  leave_slots(id, old[6])
  if old[7] then leave_slots(id, old[7]) end
  if ttl == '' then persist_job(id) end -- what was to go after its old outcome is wanted again
  replace_fields(job, first)
  return 'ok'
end
