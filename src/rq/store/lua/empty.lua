--- empty: queued jobs are removed with their records, a batch at a time.
--- from any
--- to none
--- keys list
--- args now limit
--- gives number of ids removed
--- include keys
local removed = 0
while removed < tonumber(ARGV[2]) do
  local id = redis.call('LPOP', KEYS[1])
  if not id then break end
  -- a second listing of a job that is elsewhere by now, perhaps running, goes without the record
  local status = redis.pcall('HGET', job_key(id), 'status') or 'created'
  if status == 'queued' or status == 'created' then
    redis.call('DEL', job_key(id), results_key(id), dependents_key(id), dependencies_key(id))
  end
  removed = removed + 1
end
return removed
