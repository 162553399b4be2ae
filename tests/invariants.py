"""What must hold over all keys, whatever happened: `check(redis)` returns the violations, one sentence each."""

import json
from collections.abc import Collection
from typing import Any

from redis import Redis

from rq.rules.timing import from_epoch, utcformat
from rq.store import keys

#: status -> the kind of place that holds the id; '' is none
PLACE_OF = {
    'created': '',
    'queued': 'queue',
    'started': 'wip',
    'finished': 'finished',
    'failed': 'failed',
    'stopped': 'failed',
    'deferred': 'deferred',
    'scheduled': 'scheduled',
    'canceled': 'canceled',
    'ready_to_enqueue': 'ready',
    'rate_limited': '',  # its place belongs to a rate limit: see _limits
}
#: a job that runs again and again is among the finished ones meanwhile
REPEATING = ('queued', 'started', 'scheduled', 'rate_limited', 'failed', 'stopped', 'canceled')
REGISTRIES = ('finished', 'failed', 'deferred', 'ready', 'scheduled', 'canceled')
PREFIX = f'{keys.PREFIX}:'


class Keys:
    """Every key of the database, read once: `hashes`, `lists`, `sets`, `zsets` by their name without the prefix."""

    def __init__(self, redis: Redis) -> None:
        names = sorted(redis.scan_iter(f'{PREFIX}*', count=1000))
        kinds = _pipelined(redis, 'type', names)
        self.ttls = dict(zip(map(_short, names), _pipelined(redis, 'ttl', names), strict=True))
        read: dict[str, dict[str, Any]] = {}
        for kind, command, more in (
            (b'hash', 'hgetall', ()),
            (b'list', 'lrange', (0, -1)),
            (b'set', 'smembers', ()),
            (b'zset', 'zrange', (0, -1, False, True)),
        ):
            of_kind = [name for name, found in zip(names, kinds, strict=True) if found == kind]
            values = _pipelined(redis, command, of_kind, *more)
            read[kind.decode()] = dict(zip(map(_short, of_kind), values, strict=True))
        self.hashes: dict[str, dict[str, str]] = {
            name: {_text(field): _text(value) for field, value in hash_.items()} for name, hash_ in read['hash'].items()
        }
        self.lists = {name: [_text(m) for m in members] for name, members in read['list'].items()}
        self.sets = {name: {_text(m) for m in members} for name, members in read['set'].items()}
        self.zsets = {name: {_text(m): s for m, s in pairs} for name, pairs in read['zset'].items()}
        self.jobs = {n[4:]: h for n, h in self.hashes.items() if n.startswith('job:')}  # sets of links are no hashes
        self.waiting = _below('queue:', self.lists)
        self.claims = {(q, m) for q, members in _below('wip:', self.zsets).items() for m in members}
        self.leases = {(q, m) for q, members in _below('leases:', self.zsets).items() for m in members}
        books = _below('rl:', {**self.hashes, **self.zsets})
        self.limits = {name.removesuffix(':allowed').removesuffix(':rate_limited') for name in books}
        self.slots = {limit: self.zsets.get(f'rl:{limit}:allowed', {}) for limit in self.limits}
        self.in_line = {limit: self.zsets.get(f'rl:{limit}:rate_limited', {}) for limit in self.limits}


def _pipelined(redis: Redis, command: str, names: list[bytes], *more: Any) -> list[Any]:
    pipeline = redis.pipeline(transaction=False)
    for name in names:
        getattr(pipeline, command)(name, *more)
    return list(pipeline.execute())


def _text(raw: bytes) -> str:
    return raw.decode('utf-8', 'backslashreplace')


def _short(name: bytes) -> str:
    return _text(name).removeprefix(PREFIX)


def _below(prefix: str, found: dict[str, Any]) -> dict[str, Any]:
    return {name[len(prefix) :]: value for name, value in found.items() if name.startswith(prefix)}


def check(redis: Redis, unstored: Collection[str] = (), mixed: bool = False) -> list[str]:
    """The three questions: a claim without an owner? a job not in its one place? a job lost? And no ghosts.

    `unstored`: failed jobs that were not to be stored. `mixed`: RQ 3.0 works here too, whose claims have no lease
    row. A member of a registry that survives its job is no violation: RQ cleans those up later. No violation either:
    a slot that a deleted or canceled job holds while its function may still run.
    """
    state = Keys(redis)
    found = [*_claims(state, mixed), *_places(state, unstored), *_lost(state, mixed), *_ghosts(state)]
    found += _failures(state, unstored)
    return found if mixed else [*found, *_limits(state), *_dependencies(state), *_books(state), *_stale(state)]


def _claims(state: Keys, mixed: bool) -> list[str]:
    found = []
    for queue, member in sorted(state.claims):
        job_id, _, execution = member.rpartition(':')
        job, claim = state.jobs.get(job_id), f'claim {member} in wip:{queue}'
        if not mixed and (queue, member) not in state.leases:
            found.append(f'{claim} has no lease')
        if job is None:
            found.append(f'{claim} is on a job that does not exist')
            continue
        if job.get('status') != 'started':
            found.append(f'{claim} is on a job that is {job.get("status")}')
        if job.get('origin') != queue:
            found.append(f'{claim} is on a job of queue {job.get("origin")}')
        if mixed and (queue, member) not in state.leases:
            continue
        if job.get('execution') != execution:
            found.append(f'{claim} is on a job claimed by execution {job.get("execution")}')
        has_books = f'execution:{member}' in state.hashes or not execution.startswith('x')  # those of batches have none
        if (execution in state.zsets.get(f'executions:{job_id}', {})) is not has_books:
            found.append(f'{claim} is unknown to executions:{job_id}, or known without a record')
        worker = state.hashes.get(f'execution:{member}', {} if has_books else job).get('worker_name')
        if worker is None:
            found.append(f'{claim} has no execution hash')
        elif member not in state.sets.get(f'worker:{worker}:executions', ()):
            found.append(f'{claim} is unknown to its worker {worker}')
    return found


def _places(state: Keys, unstored: Collection[str]) -> list[str]:
    places: dict[str, list[str]] = {job_id: [] for job_id in state.jobs}

    def stands(job_id: str, place: str) -> None:
        places.setdefault(job_id, []).append(place)

    for queue, ids in state.waiting.items():
        for job_id in ids:
            stands(job_id, f'queue:{queue.removesuffix(":intermediate")}')
    for queue, member in state.claims:
        stands(member.rpartition(':')[0], f'wip:{queue}')
    for kind in REGISTRIES:
        for queue, ids in _below(f'{kind}:', state.zsets).items():
            for job_id in ids:
                stands(job_id, f'{kind}:{queue}')
    for queue, ids in _below('aside:', state.hashes).items():
        for job_id in ids:
            stands(job_id, f'aside:{queue}')
    found = []
    for job_id, job in sorted(state.jobs.items()):
        status = job.get('status', 'created')
        kind = PLACE_OF.get(status, 'aside')
        wanted = [f'{kind}:{job.get("origin")}'] if kind and job_id not in unstored else []
        if 'again' in job and status != 'started':
            found.append(f'job {job_id} is {status}, but still marked to be queued again')
        stands_in = sorted(places[job_id])
        if len(stands_in) == 1 and stands_in[0].startswith('aside:'):
            continue  # set aside because of a broken key beside its record, which is as it was
        if 'repeats_left' in job and status in REPEATING and f'finished:{job.get("origin")}' not in wanted:
            stands_in = [place for place in stands_in if place != f'finished:{job.get("origin")}']
        if stands_in != wanted:
            found.append(f'job {job_id} is {status} and should stand in {wanted}, not in {stands_in}')
    return found


def _limits(state: Keys) -> list[str]:
    """Never more than so many queued or started; who waits for a slot does so in one line, and while none is free."""
    found = [
        f'rate limit {limit} is not in the set of them' for limit in state.limits - state.sets.get('rl-keys', set())
    ]
    for job_id, job in sorted(state.jobs.items()):
        status, limit = job.get('status'), job.get('rate_limit_key')
        lines = sorted(name for name, waiting in state.in_line.items() if job_id in waiting)
        if lines != ([limit] if status == 'rate_limited' else []):
            found.append(f'job {job_id} is {status} with the rate limit {limit}, and waits in the lines {lines}')
        held = sorted(name for name, holders in state.slots.items() if job_id in holders)
        executions = state.zsets.get(f'executions:{job_id}', {})
        wanted = {limit} if limit and status in ('queued', 'started') and 'again' not in job else set()
        allowed = {state.hashes.get(f'execution:{job_id}:{each}', {}).get('slot_of') for each in executions}
        if 'again' in job or (executions and status == 'canceled'):
            allowed |= {limit, job.get('slot_of')}
        if not wanted <= set(held) <= wanted | allowed:
            found.append(f'job {job_id} is {status} with the rate limit {limit}, and holds slots of {held}')
    for limit in sorted(state.limits):
        slots, concurrency = state.slots[limit], int(state.hashes.get(f'rl:{limit}', {}).get('concurrency', 0))
        waiting = [job_id for job_id in state.in_line[limit] if job_id in state.jobs]
        if len(slots) > concurrency:
            found.append(f'{sorted(slots)} hold slots of {limit}, which has {concurrency}')
        if waiting and len(slots) < concurrency:
            found.append(f'{waiting} wait for a slot of {limit} while one of {concurrency} is free')
        for job_id in slots:
            if job_id not in state.jobs and not state.zsets.get(f'executions:{job_id}'):
                found.append(f'{job_id} holds a slot of {limit} and does not exist')
    return found


def _dependencies(state: Keys) -> list[str]:
    """Who waits for others is known to them, and one of them has not ended as it should."""
    found = []
    for job_id, job in sorted(state.jobs.items()):
        if job.get('status') != 'deferred':
            continue
        parents = state.sets.get(f'job::{job_id}:dependencies', set())
        done = {'finished', 'failed'} if job.get('allow_dependency_failures') == '1' else {'finished'}
        missing = [p for p in parents if p in state.jobs and state.jobs[p].get('status', 'created') not in done]
        if not missing and not parents & state.hashes.get('releasing', {}).keys():
            found.append(f'job {job_id} is deferred, but none of {sorted(parents)} is missing')
        # one is enough: at its end the next one is told, should its record have been made again since
        if missing and not any(job_id in state.sets.get(f'job:{parent}:dependents', ()) for parent in missing):
            found.append(f'job {job_id} waits for {sorted(missing)}, none of which knows it')
    return found


def _books(state: Keys) -> list[str]:
    """Sets of dependents belong to a job; releases under way to a set of dependents; news are JSON."""
    found = []
    for name in state.sets:
        owner = name.removeprefix('job:').removesuffix(':dependents')
        if (
            name.startswith('job:')
            and name.endswith(':dependents')
            and owner not in state.jobs
            and owner not in state.hashes.get('releasing', {})
        ):
            found.append(f'{name} belongs to a job that does not exist')
    found += [
        f'{job_id} is to release its dependents and has none'
        for job_id in state.hashes.get('releasing', {})
        if f'job:{job_id}:dependents' not in state.sets
    ]
    for news in state.zsets.get('outbox', {}):
        if not {'id', 'job', 'calls'} <= json.loads(news).keys():
            found.append(f'the outbox holds {news}')
    return found


def _failures(state: Keys, unstored: Collection[str]) -> list[str]:
    """Who is failed and names a bucket stands in it, unless its group was too old; and the groups know each other."""
    groups, found = _below('failure:', state.hashes), []
    for job_id, job in sorted(state.jobs.items()):
        bucket = job.get('failed_in', '')
        group = groups.get(bucket.partition(':')[0])
        if job.get('status') != 'failed' or job_id in unstored or not bucket or group is None:
            continue
        is_older = job.get('last_heartbeat', '') < _moment(int(group['first_seen']))  # it was counted before the group
        if job_id not in state.zsets.get(f'failed-in:{bucket}', {}) and not is_older:
            found.append(f'job {job_id} is failed in {bucket} and does not stand there')
    if groups.keys() != state.zsets.get('failures', {}).keys():
        found.append(f'failures lists {sorted(state.zsets.get("failures", {}))}, there are {sorted(groups)}')
    for bucket in _below('failed-in:', state.zsets):
        group_id, _, number = bucket.partition(':')
        if int(number) > int(groups.get(group_id, {}).get('places', 0)):
            found.append(f'failed-in:{bucket} is unknown to its group')
    for group_id, group in groups.items():
        counts = [int(value.partition(' ')[2]) for field, value in group.items() if field.startswith('in:')]
        if sum(counts) != int(group['count']):
            found.append(f'group {group_id} counts {group["count"]} failures, and {counts} by queue and function')
    return found


def _stale(state: Keys) -> list[str]:
    """An entry of a bucket that holds no more is left by tools of RQ 3.0, or by the time of a record."""
    return [
        f'failed-in:{bucket} has {job_id}, which is {state.jobs[job_id].get("status")}'
        for bucket, entries in _below('failed-in:', state.zsets).items()
        for job_id in entries
        if state.jobs.get(job_id, {}).get('failed_in', bucket) != bucket
        or state.jobs.get(job_id, {}).get('status', 'failed') != 'failed'
    ]


def _moment(ms: int) -> str:
    return utcformat(from_epoch(ms / 1000))


def _lost(state: Keys, mixed: bool) -> list[str]:
    found = [
        f'queue:{queue} lists {job_id}, which does not exist'
        for queue, ids in state.waiting.items()
        for job_id in ids
        if job_id not in state.jobs
    ]
    known = state.sets.get('queues', set())
    found += [
        f'queue:{queue} is not in the set of queues'
        for queue in state.waiting
        if f'{PREFIX}queue:{queue.removesuffix(":intermediate")}' not in known
    ]
    for kind in ('scheduled', 'deferred', 'ready', 'canceled'):
        for queue, ids in _below(f'{kind}:', state.zsets).items():
            found += [f'{kind}:{queue} has {i}, which does not exist' for i in ids if i not in state.jobs]
    if not mixed:
        orphans = sorted(state.leases - state.claims)
        found += [f'lease {member} in leases:{queue} has no claim' for queue, member in orphans]
    return found


def _ghosts(state: Keys) -> list[str]:
    """Keys of one job or worker must end some day, because RQ 3.0 deletes jobs without knowing ours."""
    # -1: no expiry. -2 is a key that ended between listing and asking, as a token does when a living worker takes it.
    mortal = ('execution:', 'executions:', 'wake:', 'worker:')
    return [f'{name} never expires' for name, ttl in state.ttls.items() if name.startswith(mortal) and ttl == -1] + [
        f'job {job_id} is a ghost with only {sorted(job)}' for job_id, job in state.jobs.items() if 'data' not in job
    ]
