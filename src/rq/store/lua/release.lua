--- release: an interrupted execution is handed back; its job goes to the front of its queue, uncharged.
--- from started
--- to queued rate_limited
--- keys job wip leases executions execution worker worker_executions results list wake
--- args now id execution
--- gives ok already lost gone
--- include leave_started
local answer = leave_started('queued')
if answer ~= 'ok' then return answer end
guarded(queue, id, push_again, id, again, KEYS[9], KEYS[10], true)
return 'ok'
