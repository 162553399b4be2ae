"""Every key name. Lua renders the ones it must derive by `lua/lib/keys.lua`; a test holds the two together.

RQ's (redis-layout of the specification):
  rq:job:<id>                       hash    all of a job
  rq:job:<id>:dependents            set     ids of jobs that wait for it
  rq:job::<id>:dependencies         set     ids of jobs it waits for (two colons)
  rq:results:<id>                   stream  one entry per outcome
  rq:executions:<id>                zset    execution ids, score: end of life
  rq:execution:<id>:<execution>     hash    one attempt
  rq:queues                         set     keys of all queues
  rq:queue:<queue>                  list    ids of queued jobs, left end is the front
  rq:wip:<queue>                    zset    <id>:<execution>, score: overdue; the membership is the lease
  rq:finished|failed|deferred|ready|scheduled|canceled:<queue>   zset of ids
  rq:workers, rq:workers:<queue>    set     worker keys
  rq:worker:<name>                  hash    a worker;  rq:worker:<name>:executions  set of <id>:<execution>
  rq:scheduler-lock:<queue>         string  name of the scheduler that serves the queue
  rq:pubsub:<name>                  channel commands to a worker

Ours (RQ 3.0 ignores them):
  rq:leases:<queue>                 zset    <id>:<execution>, score: end of the lease in ms of server time
  rq:wake:<queue>                   list    at most 8 tokens; idle workers wait on it; expires
  rq:aside:<queue>                  hash    member that cannot be worked on -> why
  fields of the job hash            execution (last claimer), nonce (of the last enqueue), again (queue it after its
                                    outcome: 1 or front, and the queue if another), lost and lost_at (workers lost
                                    on it, since when in ms)
  fields of the execution hash      begun (user code may have run), failure (noted), told (times handlers were begun)
  fields of the worker hash         instance (one per process), claim (first execution id of its latest claim)
"""

from __future__ import annotations

from rq.defaults import RQ_KEY_PREFIX as PREFIX

QUEUES = f'{PREFIX}:queues'
WORKERS = f'{PREFIX}:workers'
JOB_PREFIX = f'{PREFIX}:job:'
QUEUE_PREFIX = f'{PREFIX}:queue:'
WORKER_PREFIX = f'{PREFIX}:worker:'

#: registry kinds that hold plain job ids, one zset per queue
PLACES = ('finished', 'failed', 'deferred', 'ready', 'scheduled', 'canceled')


def job(job_id: str) -> str:
    return f'{JOB_PREFIX}{job_id}'


def dependents(job_id: str) -> str:
    return f'{JOB_PREFIX}{job_id}:dependents'


def dependencies(job_id: str) -> str:
    return f'{JOB_PREFIX}:{job_id}:dependencies'


def results(job_id: str) -> str:
    return f'{PREFIX}:results:{job_id}'


def executions(job_id: str) -> str:
    return f'{PREFIX}:executions:{job_id}'


def execution(job_id: str, execution_id: str) -> str:
    return f'{PREFIX}:execution:{job_id}:{execution_id}'


def queue(name: str) -> str:
    return f'{QUEUE_PREFIX}{name}'


def intermediate(queue_key: str) -> str:
    return f'{queue_key}:intermediate'


def place(kind: str, queue_name: str) -> str:
    """The registry of one kind (wip, leases, wake, aside and those of PLACES) of a queue."""
    return f'{PREFIX}:{kind}:{queue_name}'


def wip(queue_name: str) -> str:
    return place('wip', queue_name)


def leases(queue_name: str) -> str:
    return place('leases', queue_name)


def wake(queue_name: str) -> str:
    return place('wake', queue_name)


def aside(queue_name: str) -> str:
    return place('aside', queue_name)


def worker(name: str) -> str:
    return f'{WORKER_PREFIX}{name}'


def worker_executions(name: str) -> str:
    return f'{WORKER_PREFIX}{name}:executions'


def workers(queue_name: str) -> str:
    return f'{PREFIX}:workers:{queue_name}'


def scheduler_lock(queue_name: str) -> str:
    return f'{PREFIX}:scheduler-lock:{queue_name}'


def clean_registries(queue_name: str) -> str:
    return f'{PREFIX}:clean_registries:{queue_name}'


def channel(worker_name: str) -> str:
    return f'{PREFIX}:pubsub:{worker_name}'
