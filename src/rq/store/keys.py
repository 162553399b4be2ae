"""Every key name. Lua renders the ones it must derive by `lua/lib/keys.lua`; a test holds the two together.

RQ's (redis-layout of the specification):
  rq:job:<id>                       hash    all of a job
  rq:job:<id>:dependents            set     ids of jobs that wait for it
  rq:job::<id>:dependencies         set     ids of jobs it waits for (two colons)
  rq:results:<id>                   stream  one entry per outcome
  rq:executions:<id>                zset    execution ids, score: end of life
  rq:execution:<id>:<execution>     hash    one attempt; of a batch (x...) only what has begun for long, or failed
  rq:queues                         set     keys of all queues
  rq:queue:<queue>                  list    ids of queued jobs, left end is the front
  rq:wip:<queue>                    zset    <id>:<execution>, score: overdue; the membership is the lease
  rq:finished|failed|deferred|ready|scheduled|canceled:<queue>   zset of ids
  rq:workers, rq:workers:<queue>    set     worker keys
  rq:worker:<name>                  hash    a worker;  rq:worker:<name>:executions  set of <id>:<execution>
  rq:group:<name>, rq:groups        set     job ids of a group, names of all groups
  rq:rl-keys                        set     keys of all rate limits
  rq:rl:<limit>                     hash    concurrency;  rq:rl:<limit>:allowed, :rate_limited  zset of ids
  rq:scheduler-lock:<queue>         string  name of the scheduler that serves the queue
  rq:scheduler:<name>               hash    a scheduler
  rq:cron_schedulers                zset    names of cron schedulers, score: latest heartbeat
  rq:cron_scheduler:<name>          hash    a cron scheduler with its jobs
  rq:cron_jobs                      zset    names of cron jobs, score: latest enqueue
  rq:cron_job:<name>:jobs           zset    ids of the jobs of a cron job
  rq:suspended                      string  while it exists workers take no new jobs
  rq:pubsub:<name>                  channel commands to a worker

Ours (RQ 3.0 ignores them):
  rq:leases:<queue>                 zset    <id>:<execution>, score: end of the lease in ms of server time
  rq:wake:<queue>                   list    at most 8 tokens; idle workers wait on it; expires
  rq:aside:<queue>                  hash    member that cannot be worked on -> why; at most 10,000
  rq:aside-rest:<queue>             set     those beyond ten thousand, without their reasons
  rq:missing:<queue>                hash    listed ids without a record: count, latest id, at; expires after a week
  rq:sweep:<queue>                  hash    how far the look for such ids has come, and at (ms); expires
  rq:suspects:<queue>               set     <place>:<id> without a record at the latest look; expires
  rq:turns, rq:turns:<queue>        hash    work that any worker does for all (dependents; promote, rescue) -> when
                                            somebody took it (ms); expires
  rq:heard                          hash    at: latest sign of life of a worker; since, silent: end and length of the
                                            latest long silence; all in ms of server time
  rq:scheduler-mark:<name>          string  a scheduler of ours holds locks; expires with them
  rq:cron-fired:<identity>          hash    latest firing of a cron job: owner, token, due, at; expires after a year
  rq:outbox                         zset    news of outcomes (JSON) to be told outside, score: when to tell, in ms
  rq:deliveries                     list    tries of webhooks, newest first, each "<ms> <JSON>"; capped, expires
  rq:releasing                      hash    job -> how far the release of its many dependents has come
  rq:bulk:<action>                  hash    an action on many failed jobs: began, number and answer of its latest batch;
                                            expires
  rq:failures                       zset    ids of failure groups, score: last seen, in ms; a thousand at most
  rq:failure:<group>                hash    failures with one cause: kind, type, title, frames, message (the latest,
                                            without what changes); count, first_seen, last_seen, resolved_at,
                                            regressed_at, muted_until (ms); state; trend (168 counts of eight
                                            digits) up to `hour`; jobs (ten latest ids, by lines); places
                                            (number of its buckets), and for each queue and function
                                            "in:<queue>\\n<function>": number of the bucket and count; "in:"
                                            for all beyond sixty-three
  rq:failed-in:<group>:<number>     zset    a bucket: ids of jobs that failed there, score: when, in ms. An entry holds
                                            while the job is failed, names the bucket, and was not started since
  rq:failures-tidying               hash    how far the look for entries that do not hold has come; expires
  fields of the job hash            failed_in (bucket of a failed job), execution (last claimer), nonce (of the
                                    last enqueue), again (queue it after its outcome: 1 or front, and the queue if
                                    another), slot_of (the rate limit whose slot its execution holds, when that
                                    enqueue named another), lost and lost_at (workers lost on
                                    it, since when in ms), warning (why its result is not stored),
                                    attempts (how many failed), attempt:0 to attempt:9 (the latest ten, by number % 10),
                                    by (who enqueued it: file:line function, at most 64 bytes), copy_of (id of
                                    the job it is a copy of), final_callback_name, final_callback_timeout
                                    (on_final_failure), retry_policy (JSON: what a Retry says beyond retries_left and
                                    retry_intervals), keep_on_failure (locals, output: what is kept of an attempt)
  fields of the execution hash      begun (user code may have run), failure (noted), told (times handlers were begun),
                                    slot_of (of a deleted job: the rate limit whose slot it holds to its end)
  fields of the worker hash         instance (one per process), claim (first execution id of its latest claim),
                                    warned_job_count (successes whose result could not be stored)
"""

from __future__ import annotations

from rq.defaults import FORMAT_KEY_PREFIX
from rq.defaults import RQ_KEY_PREFIX as PREFIX

QUEUES = f'{PREFIX}:queues'
WORKERS = f'{PREFIX}:workers'
SUSPENDED = f'{PREFIX}:suspended'
CRON_SCHEDULERS = f'{PREFIX}:cron_schedulers'
CRON_JOBS = f'{PREFIX}:cron_jobs'
JOB_PREFIX = f'{PREFIX}:job:'
QUEUE_PREFIX = f'{PREFIX}:queue:'
WORKER_PREFIX = f'{PREFIX}:worker:'
GROUPS = f'{PREFIX}:groups'
CLEAN_GROUPS = f'{PREFIX}:clean_groups'
GROUP_PREFIX = f'{PREFIX}:group:'
LIMITS = f'{PREFIX}:rl-keys'
OUTBOX = f'{PREFIX}:outbox'
DELIVERIES = f'{PREFIX}:deliveries'
FAILURES = f'{PREFIX}:failures'
TIDYING = f'{PREFIX}:failures-tidying'
RELEASING = f'{PREFIX}:releasing'
TURNS = f'{PREFIX}:turns'
HEARD = f'{PREFIX}:heard'

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


def template(key: str) -> str:
    """A key with `{0}` in it, for `str.format`: braces of the prefix (a cluster hash tag) are no fields to it."""
    return FORMAT_KEY_PREFIX + key.removeprefix(PREFIX)


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


def aside_rest(queue_name: str) -> str:
    return place('aside-rest', queue_name)


def missing(queue_name: str) -> str:
    return place('missing', queue_name)


def sweep(queue_name: str) -> str:
    return place('sweep', queue_name)


def suspects(queue_name: str) -> str:
    return place('suspects', queue_name)


def turns(queue_name: str) -> str:
    return place('turns', queue_name)


#: workers of this process whose class has key prefixes of its own, by name: key of the hash, key of the set
ELSEWHERE: dict[str, tuple[str, str]] = {}


def worker(name: str) -> str:
    return ELSEWHERE[name][0] if name in ELSEWHERE else f'{WORKER_PREFIX}{name}'


def all_workers(name: str) -> str:
    """The set that a worker enters beside those of its queues."""
    return ELSEWHERE[name][1] if name in ELSEWHERE else WORKERS


def worker_executions(name: str) -> str:
    return f'{WORKER_PREFIX}{name}:executions'


def workers(queue_name: str) -> str:
    return f'{PREFIX}:workers:{queue_name}'


def bulk(action: str) -> str:
    """What an action on many jobs has done."""
    return f'{PREFIX}:bulk:{action}'


def group(name: str) -> str:
    return f'{GROUP_PREFIX}{name}'


def failure(group_id: str) -> str:
    """A group of failures with one cause."""
    return f'{PREFIX}:failure:{group_id}'


def failed_in(bucket: str) -> str:
    """Jobs of one failure group, queue and function that have failed."""
    return f'{PREFIX}:failed-in:{bucket}'


def limit(name: str) -> str:
    """The configuration of a rate limit."""
    return f'{PREFIX}:rl:{name}'


def slots(limit_name: str) -> str:
    """Who holds a slot of a rate limit."""
    return f'{limit(limit_name)}:allowed'


def waiting(limit_name: str) -> str:
    """Who waits for a slot of a rate limit."""
    return f'{limit(limit_name)}:rate_limited'


def scheduler_lock(queue_name: str) -> str:
    return f'{PREFIX}:scheduler-lock:{queue_name}'


def scheduler_mark(name: str) -> str:
    """By which a holder of locks is known to be ours."""
    return f'{PREFIX}:scheduler-mark:{name}'


def scheduler(name: str) -> str:
    return f'{PREFIX}:scheduler:{name}'


def cron_scheduler(name: str) -> str:
    return f'{PREFIX}:cron_scheduler:{name}'


def cron_history(name: str) -> str:
    return f'{PREFIX}:cron_job:{name}:jobs'


def cron_fired(identity: str) -> str:
    return f'{PREFIX}:cron-fired:{identity}'


def clean_registries(queue_name: str) -> str:
    return f'{PREFIX}:clean_registries:{queue_name}'


def channel(worker_name: str) -> str:
    return f'{PREFIX}:pubsub:{worker_name}'
