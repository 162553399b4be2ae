--- delete: the job and all that belongs to it is removed; a running execution loses its claim.
--- from any
--- to none
--- keys job
--- args now id remove_from_queue
--- gives ok gone
--- include keys leave_places
local id = ARGV[2]
local job = redis.call('HMGET', KEYS[1], 'status', 'origin', 'execution')
if redis.call('EXISTS', KEYS[1]) == 0 then return 'gone' end
local origin = job[2] or ''
if ARGV[3] == '1' then redis.call('LREM', queue_key(origin), 1, id) end
leave_wip(id, origin, job[3])
leave_registries(id, origin)
local doomed = {KEYS[1], dependents_key(id), dependencies_key(id), results_key(id), executions_key(id)}
for _, execution in ipairs(redis.call('ZRANGE', executions_key(id), 0, -1)) do
  doomed[#doomed + 1] = execution_key(id, execution)
end
redis.call('DEL', unpack(doomed))
return 'ok'
