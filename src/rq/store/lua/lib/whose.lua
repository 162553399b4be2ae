--- whose: whether the claim of one of a batch (its id begins with x) still counts. Its job tells, for no book does.
--- include keys
-- Who cancels, deletes or queues a job again as RQ 3.0 does finds executions by the books of the job; of a batch there
-- are none, so the row in the wip set stays, and says nothing.
local PLACES = {scheduled = 'scheduled', deferred = 'deferred', finished = 'finished', failed = 'failed', stopped = 'failed'}

local function is_ours(id, execution, worker_executions)
  if string.byte(execution) ~= 120 then return true end
  local job = redis.pcall('HMGET', job_key(id), 'execution', 'status', 'origin', 'worker_name')
  if job.err then return true end -- a broken key says nothing against it
  local status, queue = job[2], job[3] or ''
  if job[1] ~= execution then return false end
  -- RQ 3.0 knows no `execution`, and leaves ours when it starts a job
  if (job[4] or '') ~= '' and worker_executions_key(job[4]) ~= worker_executions then return false end
  if status == 'started' then return true end
  if not status or status == 'canceled' then return false end
  -- `save` of RQ 3.0 puts back the status that it has read long before: then the job is in no place of that status,
  -- and would be nobody's if it were not ours
  if status == 'queued' then return type(redis.pcall('LPOS', queue_key(queue), id)) ~= 'number' end
  return not PLACES[status] or type(redis.pcall('ZSCORE', place_key(PLACES[status], queue), id)) ~= 'string'
end
