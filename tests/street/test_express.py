"""The short way into a queue leads to what the long one leads to; and whoever stands on the long way is asked."""

import asyncio
import functools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis
from redis import asyncio as aioredis

from rq import Queue, SimpleWorker, entering_many, express
from rq.aio import AsyncQueue
from rq.exceptions import PayloadTooLargeError, StorageFullError
from rq.job import Job
from rq.queue import SEAMS
from rq.store import flow, keys
from rq.store.scripts import load
from tests import jobs
from tests.invariants import check
from tests.launch import burst


class LongQueue(Queue):
    """A queue that the short way does not lead into."""

    enqueue_call: Any = functools.partialmethod(Queue.enqueue_call)  # no frame of ours


OWN = ('_id', 'created_at', 'enqueued_at', 'enqueued_from')
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary(),
    st.lists(st.integers(), max_size=3), st.sampled_from(['password=x1y2z3w4', 'secret', 4111111111111111, 'p' * 80]),
)  # fmt: skip
FUNCTIONS = st.sampled_from([jobs.add, jobs.words, 'tests.jobs.add', 'nowhere.at.all', jobs.Bag])
CALLS = st.tuples(FUNCTIONS, st.lists(VALUES, max_size=3), st.dictionaries(st.sampled_from('abc'), VALUES, max_size=2))
CALM = settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])


def stored(redis: Redis, job: Any) -> dict[bytes, bytes]:
    """The hash of a job, but for what only one job can have."""
    fields: dict[bytes, bytes] = redis.hgetall(job.key)
    assert fields.pop(b'created_at') and fields.pop(b'enqueued_at')
    fields.pop(b'nonce', None)
    return fields


def attributes(job: Any) -> dict[str, Any]:
    return {name: repr(value) for name, value in vars(job).items() if name not in OWN}


@CALM
@given(made=CALLS, serializer=st.sampled_from([None, 'json']), name=st.sampled_from(['q', 'ä b']))
def test_the_same_record_and_the_same_job(redis: Redis, made: Any, serializer: Any, name: str) -> None:
    func, args, kwargs = made
    found = []
    for cls in (Queue, LongQueue):
        queue = cls(name, connection=redis, serializer=serializer, default_timeout=77)
        try:
            found.append(queue.enqueue(func, *args, **kwargs))
        except TypeError as error:  # what JSON does not know
            found.append((str(error), error.__notes__))
    short, long = found
    if isinstance(short, tuple):
        assert short == long
        return
    assert stored(redis, short) == stored(redis, long)
    assert attributes(short) == attributes(long)
    assert short.enqueued_at == Job.fetch(short.id, redis, serializer).enqueued_at
    assert repr(short.args) == repr(Job.fetch(short.id, redis, serializer).args) or serializer


@CALM
@given(made=st.lists(CALLS, max_size=6), front=st.lists(st.booleans(), min_size=6, max_size=6))
def test_many_are_as_one_by_one(redis: Redis, made: list[Any], front: list[bool]) -> None:
    redis.flushdb()
    short, long = Queue('short', connection=redis), LongQueue('long', connection=redis)
    words = [{'at_front': True, 'meta': {'a': 1}, 'ttl': 60} if each else {} for each in front]
    calls = list(zip(made, words, strict=False))
    many = short.enqueue_many([Queue.prepare_data(f, a, k, **w) for (f, a, k), w in calls])
    ones = [long.enqueue(f, args=a, kwargs=k, **w) for (f, a, k), w in calls]
    places = {job.id: number for number, job in enumerate(many)} | {job.id: number for number, job in enumerate(ones)}
    assert [places[each] for each in short.job_ids] == [places[each] for each in long.job_ids]
    for one, other in zip(many, ones, strict=True):
        first, second = stored(redis, one), stored(redis, other)
        assert (first.pop(b'origin'), second.pop(b'origin')) == (b'short', b'long')
        first.pop(b'by'), second.pop(b'by')
        assert first == second and redis.ttl(one.key) == redis.ttl(other.key)
        names = {'origin', 'connection'}
        assert {k: v for k, v in attributes(one).items() if k not in names} == {
            k: v for k, v in attributes(other).items() if k not in names
        }
    assert check(redis) == []


def test_an_entry_with_nothing_of_ours() -> None:
    assert Queue.prepare_data(jobs.add)[3:] == entering_many.NOTHING


def test_it_is_taken(redis: Redis, queue: Queue) -> None:
    queue.enqueue(jobs.add, 1, 2)
    queue.enqueue_many([Queue.prepare_data(jobs.add, (each, 2)) for each in range(1200)])
    assert redis.llen(queue.key) == 1201
    assert all(redis.hget(keys.job(each), 'nonce') is None for each in queue.job_ids[:3])
    burst(redis, queue, cls=SimpleWorker, max_jobs=3)
    assert Job.fetch_many(queue.job_ids[:1], redis)[0].args == (2, 2)


@pytest.mark.parametrize('name', sorted(SEAMS._names))
@pytest.mark.parametrize('where', ['class', 'object', 'subclass'])
def test_whoever_replaces_a_method_is_asked(redis: Redis, monkeypatch: Any, name: str, where: str) -> None:
    told: list[str] = []
    cls: Any = type('OwnQueue', (Queue,), {}) if where == 'subclass' else Queue
    queue = cls('q', connection=redis)
    holder = queue if where == 'object' else cls
    original = getattr(holder, name)

    @functools.wraps(original)
    def seam(*args: Any, **kwargs: Any) -> Any:
        told.append(name)
        return original(*args, **kwargs)

    monkeypatch.setattr(holder, name, staticmethod(seam) if name == 'parse_args' else seam)
    one = queue.enqueue(jobs.add, 1, 2)
    assert told == [name] and queue.job_ids == [one.id]
    if name in ('create_job', '_enqueue_job'):
        queue.enqueue_many([Queue.prepare_data(jobs.add), Queue.prepare_data(jobs.add)])
        assert told == [name] * 3


@pytest.mark.parametrize('name', ['create', '__init__', 'get_call_string'])
def test_a_job_class_with_methods_of_its_own(redis: Redis, name: str) -> None:
    told: list[str] = []

    class OwnJob(Job):
        pass

    original = getattr(OwnJob, name)

    def seam(*args: Any, **kwargs: Any) -> Any:
        told.append(name)
        return original(*args, **kwargs)

    setattr(OwnJob, name, staticmethod(seam) if name == 'create' else seam)
    queue = Queue('q', connection=redis, job_class=OwnJob)
    made = [queue.enqueue(jobs.add), *queue.enqueue_many([Queue.prepare_data(jobs.add)])]
    assert told == [name, name] and {type(job) for job in made} == {OwnJob}


# --- clients ------------------------------------------------------------------------------------------------------


class OwnClient(Redis):
    """A client with something in between."""

    told: list[str] = []

    def execute_command(self, *args: Any, **options: Any) -> Any:
        self.told.append(str(args[0]))
        return super().execute_command(*args, **options)


def test_a_client_that_listens_hears_everything(redis: Redis, monkeypatch: Any) -> None:
    path = redis.connection_pool.connection_kwargs['path']
    with OwnClient(unix_socket_path=path) as client:
        Queue('q', connection=client).enqueue(jobs.add, 1, 2)
        assert 'EVALSHA' in client.told
    told: list[str] = []
    original: Callable[..., Any] = Redis.execute_command

    def traced(self: Any, *args: Any, **options: Any) -> Any:
        told.append(str(args[0]))
        return original(self, *args, **options)

    monkeypatch.setattr(Redis, 'execute_command', traced)
    Queue('q', connection=redis).enqueue(jobs.add, 1, 2)
    assert 'EVALSHA' in told


@pytest.mark.parametrize('words', [{'single_connection_client': True}, {'max_connections': 1}, {'protocol': 3}])
def test_other_settings_of_a_client(redis: Redis, words: Any) -> None:
    redis.script_flush()
    with Redis(unix_socket_path=redis.connection_pool.connection_kwargs['path'], **words) as client:
        queue = Queue('q', connection=client)
        made = [queue.enqueue(jobs.add, 1, 2) for _ in range(2)]
        made += queue.enqueue_many([Queue.prepare_data(jobs.add) for _ in range(3)])
        assert queue.job_ids == [job.id for job in made]


# --- many ---------------------------------------------------------------------------------------------------------


def plain(number: int) -> list[Any]:
    return [Queue.prepare_data(jobs.add, (each, 1)) for each in range(number)]


def test_unknown_scripts_keep_the_order(redis: Redis, queue: Queue) -> None:
    redis.script_flush()
    made = queue.enqueue_many(plain(4300))
    assert queue.job_ids == [job.id for job in made]
    assert [job.args[0] for job in made] == list(range(4300))


def test_full_memory_says_so(redis: Redis, queue: Queue) -> None:
    redis.config_set('maxmemory', 1)
    try:
        for some in (plain(1), plain(3000), iter(plain(30))):
            with pytest.raises(StorageFullError, match='no memory left'):
                queue.enqueue_many(some)
        with pytest.raises(StorageFullError, match='no memory left'):
            queue.enqueue(jobs.add)
    finally:
        redis.config_set('maxmemory', 0)
    assert redis.dbsize() == 0
    assert queue.enqueue(jobs.add).get_position() == 0


def test_one_that_cannot_be_stored_keeps_out_the_others(redis: Redis, queue: Queue) -> None:
    for value, error in ((lambda: 1, Exception), (b'x' * (17 << 20), PayloadTooLargeError)):
        bad = Queue.prepare_data(jobs.add, (value,))
        for made in ([*plain(1200), bad], iter([*plain(7), bad])):
            with pytest.raises(error):
                queue.enqueue_many(made)
    assert redis.dbsize() == 0


def test_an_iterator_is_read_in_portions(redis: Redis, queue: Queue) -> None:
    seen: list[int] = []

    def entries() -> Iterator[Any]:
        for number in range(2 * entering_many.PORTION_JOBS + 10):
            if number % entering_many.PORTION_JOBS == 0:
                seen.append(redis.llen(queue.key))
            yield Queue.prepare_data(jobs.add, (number, 1))

    made = queue.enqueue_many(entries())
    assert seen == [0, entering_many.PORTION_JOBS, 2 * entering_many.PORTION_JOBS]
    assert queue.job_ids == [job.id for job in made]


def test_no_more_bytes_than_a_portion_are_built(redis: Redis, queue: Queue) -> None:
    large, behind = b'x' * (1 << 20), list[int]()

    def entries() -> Iterator[Any]:
        for number in range(60):
            behind.append(number - redis.llen(queue.key))
            yield Queue.prepare_data(jobs.words, (number,), meta={'raw': large})

    queue.enqueue_many(entries())
    assert max(behind) <= entering_many.PORTION_BYTES / len(large) + 1
    assert redis.llen(queue.key) == 60


def test_few_bytes_are_on_the_way(redis: Redis, queue: Queue, monkeypatch: Any) -> None:
    """Every write is bounded, and so is the number of those whose reply was not read."""
    owed: list[int] = []
    sizes: list[int] = []
    write, settle = flow.Flow._write, flow.Flow._settle

    def writes(connection: Any, commands: list[Any]) -> None:
        owed.append(1)
        sizes.append(sum(len(word) if isinstance(word, str | bytes) else 8 for words in commands for word in words))
        assert len(owed) <= flow.MOST_ON_THE_WAY
        write(connection, commands)

    def settles(line: Any, connection: Any, on_the_way: Any) -> None:
        owed.pop()
        settle(line, connection, on_the_way)

    monkeypatch.setattr(flow.Flow, '_write', staticmethod(writes))
    monkeypatch.setattr(flow.Flow, '_settle', settles)
    redis.script_flush()
    for name in ('enqueue', 'enqueue_new'):
        redis.script_load(load(name).text)
    ids = [f'id{each}' if each % 7 == 0 else None for each in range(100)]
    made = [Queue.prepare_data(jobs.words, meta={'raw': b'x' * 100_000}, job_id=each) for each in ids]
    queue.enqueue_many([*made, *plain(5000)])
    assert len(sizes) > 15 and max(sizes) <= entering_many.MOST_BYTES + 220_000
    assert queue.count == 5100


def test_many_in_a_pipeline(redis: Redis, queue: Queue) -> None:
    with redis.pipeline() as pipeline:
        made = queue.enqueue_many([*plain(700), Queue.prepare_data(jobs.add, job_id='given')], pipeline=pipeline)
        assert redis.dbsize() == 0 and len(pipeline) == 3
        pipeline.execute()
    assert queue.job_ids == [job.id for job in made]


def test_dependencies_in_an_iterator(redis: Redis, queue: Queue) -> None:
    first = Queue.prepare_data(jobs.add, (1, 2), job_id='first')
    made = queue.enqueue_many(iter([Queue.prepare_data(jobs.add, (3, 4), depends_on='first'), first, *plain(3)]))
    assert [job.get_status() for job in made] == ['queued'] * 4 + ['deferred']
    burst(redis, queue, cls=SimpleWorker)
    assert [job.get_status() for job in made] == ['finished'] * 5


def test_an_id_given_twice(redis: Redis, queue: Queue) -> None:
    twice = [Queue.prepare_data(jobs.add, job_id='one'), *plain(600), Queue.prepare_data(jobs.add, job_id='one')]
    for some in (twice, iter(twice)):
        with pytest.raises(ValueError, match='given twice'):
            queue.enqueue_many(some)
    assert redis.dbsize() == 0


# --- coroutines ---------------------------------------------------------------------------------------------------


def test_of_coroutines(redis: Redis, queue: Queue) -> None:
    async def scene() -> None:
        async with aioredis.Redis(unix_socket_path=redis.connection_pool.connection_kwargs['path']) as client:
            other = AsyncQueue(queue.name, client)
            assert other._is_short()
            one = await other.enqueue(jobs.add, 1, 2)
            after = Queue.prepare_data(jobs.add, (1, 2), depends_on=one.id)
            many = await other.enqueue_many(iter([*plain(1100), after]))
            assert queue.job_ids == [one.id, *(job.id for job in many[:-1])]
            assert await one.get_status() == 'queued' and await many[-1].get_status() == 'deferred'
            long = LongQueue(queue.name, connection=redis).enqueue(jobs.add, 1, 2)
            names = ('connection', '_dependency')
            assert {k: v for k, v in attributes(one).items() if k not in names} == {
                k: v for k, v in attributes(long).items() if k not in names
            }
            await one.refresh()
            assert one.args == (1, 2)

    asyncio.run(scene())


def test_a_function_that_cannot_be_imported(queue: Queue) -> None:
    def local() -> None: ...

    local.__module__ = '__main__'
    with pytest.raises(ValueError, match='__main__'):
        queue.enqueue(local)
    assert express.import_path(local) is None and express.import_path(len) is None
