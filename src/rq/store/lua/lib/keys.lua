--- keys: names that a script must derive itself; a test renders each one here and in store/keys.py.
local function job_key(id) return '@prefix@:job:' .. id end
local function dependents_key(id) return '@prefix@:job:' .. id .. ':dependents' end
local function dependencies_key(id) return '@prefix@:job::' .. id .. ':dependencies' end
local function results_key(id) return '@prefix@:results:' .. id end
local function executions_key(id) return '@prefix@:executions:' .. id end
local function execution_key(id, execution) return '@prefix@:execution:' .. id .. ':' .. execution end
local function queue_key(queue) return '@prefix@:queue:' .. queue end
local function place_key(kind, queue) return '@prefix@:' .. kind .. ':' .. queue end
local function worker_executions_key(name) return '@prefix@:worker:' .. name .. ':executions' end
local function limit_key(limit) return '@prefix@:rl:' .. limit end
local function slots_key(limit) return '@prefix@:rl:' .. limit .. ':allowed' end
local function waiting_key(limit) return '@prefix@:rl:' .. limit .. ':rate_limited' end
local function group_key(name) return '@prefix@:group:' .. name end
local function failure_key(gid) return '@prefix@:failure:' .. gid end
local function failed_in_key(bucket) return '@prefix@:failed-in:' .. bucket end
