"""Acting on a real server through the typed faces, at times that the test chooses; and reading all of it back."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from redis import Redis

from rq.connections import rebuild
from rq.rules.lease import Lease
from rq.rules.record import JobRecord
from rq.rules.timing import from_epoch, utcformat
from rq.serializers import JSONSerializer
from rq.store import claim, codec, enter, keys
from rq.store.call import run

NOW = 1_700_000_000.25
SECOND = 1_700_000_000
MS = 1_700_000_000_250
DATA = '["m.f", null, [], {}]'
JOB = keys.job('j')
QUEUE, WIP, LEASES, WAKE = keys.queue('q'), keys.wip('q'), keys.leases('q'), keys.wake('q')
#: status -> the registry that holds it
REGISTRY = {
    'finished': 'finished',
    'failed': 'failed',
    'stopped': 'failed',
    'deferred': 'deferred',
    'ready_to_enqueue': 'ready',
    'scheduled': 'scheduled',
    'canceled': 'canceled',
}
RESTING = ('created', 'rate_limited', *REGISTRY)


def of_one_node(redis: Any) -> Redis:
    """A client that has one pool: workers talk to the node of a cluster that serves their slot."""
    return redis if isinstance(redis, Redis) else rebuild(redis)


def text_of(moment: float) -> str:
    """The timestamp text of a moment."""
    return utcformat(from_epoch(moment))


def record(job_id: str = 'j', queue: str = 'q', **attributes: Any) -> JobRecord:
    """A record with a short call."""
    made = JobRecord(job_id, JSONSerializer)
    made.func_name = 'm.f'
    made.origin = queue
    for name, value in attributes.items():
        assert hasattr(made, name)
        setattr(made, name, value)
    return made


def enqueue(redis: Redis, job_id: str = 'j', queue: str = 'q', now: float = NOW, **words: Any) -> str:
    """Enqueue a record; `front` and `unique` are words of the call, all others attributes. The answer."""
    front, unique = words.pop('front', False), words.pop('unique', False)
    entered = run(redis, enter.enqueue(record(job_id, queue, **words), front, unique, now))
    assert entered.at == now
    return entered.answer


def claims(redis: Redis, *executions: str, queues: tuple[str, ...] = ('q',), **words: Any) -> claim.Claims:
    """A claim by worker w, or another."""
    words = {'now': NOW, 'worker': 'w', **words}
    return run(redis, claim.claim(queues=queues, executions=executions or ('e',), **words))


def take(redis: Redis, execution: str = 'e', queue: str = 'q', worker: str = 'w', **words: Any) -> Lease:
    """Claim the next job of a queue, which must be there."""
    (taken,) = claims(redis, execution, queues=(queue,), worker=worker, **words).taken
    assert taken.execution == execution
    return Lease(taken.job_id, execution, taken.raw.get(b'origin', queue.encode()).decode(), worker)


def started(redis: Redis, job_id: str = 'j', execution: str = 'e', **words: Any) -> Lease:
    """Enqueue a job and claim it."""
    enqueue(redis, job_id, **words)
    return take(redis, execution, words.get('queue', 'q'))


def rest(redis: Redis, status: str, job_id: str = 'j', queue: str = 'q', **fields: Any) -> None:
    """A job that came to rest in a status, with its registry entry, as RQ would leave it."""
    redis.hset(keys.job(job_id), mapping={'data': DATA, 'status': status, 'origin': queue, **fields})
    if status in REGISTRY:
        redis.zadd(keys.place(REGISTRY[status], queue), {job_id: 5})


def text(raw: Any) -> Any:
    """Bytes as text, in whatever they stand; a payload without its wrapping."""
    if isinstance(raw, bytes):
        return codec.decompress(raw).decode('utf-8', 'backslashreplace')
    if isinstance(raw, dict):
        return {text(key): text(value) for key, value in raw.items()}
    if isinstance(raw, list | tuple | set):
        return type(raw)(text(each) for each in raw)
    return raw


def job(redis: Redis, job_id: str = 'j') -> dict[str, str]:
    """A job's hash, without the nonce."""
    fields: dict[str, str] = text(redis.hgetall(keys.job(job_id)))
    fields.pop('nonce', None)
    return fields


def results(redis: Redis, job_id: str = 'j') -> list[dict[str, str]]:
    """The entries of the result stream."""
    return [text(fields) for _, fields in redis.xrange(keys.results(job_id))]


def dump(redis: Redis, tokens: bool = False) -> dict[str, Any]:
    """Every key with its value; nonces of enqueues, ids of results, and wake-up tokens are left out."""
    found: dict[str, Any] = {}
    for key in sorted(redis.scan_iter('*')):
        kind, name = redis.type(key), text(key)
        if name.startswith(keys.wake('')) and not tokens:
            continue
        if kind == b'hash':
            found[name] = {f: v for f, v in text(redis.hgetall(key)).items() if f != 'nonce'}
        elif kind == b'list':
            found[name] = text(redis.lrange(key, 0, -1))
        elif kind == b'set':
            found[name] = text(redis.smembers(key))
        elif kind == b'zset':
            found[name] = text(dict(redis.zrange(key, 0, -1, withscores=True)))
        elif kind == b'stream':
            found[name] = [text(fields) for _, fields in redis.xrange(key)]
        else:
            found[name] = text(redis.get(key))
    return found


def listed(redis: Redis, queue: str = 'q') -> list[str]:
    """The ids of a queue, front first."""
    return text(redis.lrange(keys.queue(queue), 0, -1))


def members(redis: Redis, kind: str, queue: str = 'q') -> dict[str, float]:
    """A registry with its scores."""
    return text(dict(redis.zrange(keys.place(kind, queue), 0, -1, withscores=True)))


@contextmanager
def unchanged(redis: Redis) -> Iterator[None]:
    """Nothing may change in any key."""
    before = dump(redis, tokens=True)
    yield
    assert dump(redis, tokens=True) == before
