"""AsyncQueue and AsyncJob: the words of Queue and Job, awaited; the jobs are the same ones."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from redis import Redis
from redis import asyncio as awaiting
from redis.connection import Connection

from rq import Queue, RateLimit, Repeat, Retry, SimpleWorker
from rq.aio import AsyncJob, AsyncQueue
from rq.exceptions import DuplicateJobError, InvalidJobOperation, NoSuchJobError, PayloadTooLargeError
from rq.job import Dependency, Job, JobStatus
from rq.store.scripts import load
from rq.timeouts import TimerDeathPenalty
from tests import jobs
from tests.invariants import check

Scene = Callable[[AsyncQueue], Coroutine[Any, Any, None]]


@asynccontextmanager
async def queue_of(redis: Redis, name: str = 'default', **words: Any) -> AsyncIterator[AsyncQueue]:
    path = redis.connection_pool.connection_kwargs['path']
    async with awaiting.Redis(unix_socket_path=path) as client:
        yield AsyncQueue(name, client, **words)


def play(redis: Redis, scene: Scene, **words: Any) -> None:
    """Run a scene in an event loop of its own."""

    async def played() -> None:
        async with queue_of(redis, **words) as queue:
            await scene(queue)

    asyncio.run(played())
    assert check(redis) == []


class Threaded(SimpleWorker):
    death_penalty_class = TimerDeathPenalty  # signals are for main threads


def work(redis: Redis) -> None:
    Threaded(['default'], connection=redis).work(burst=True)


def test_it_is_the_same_job(redis: Redis) -> None:
    async def scene(queue: AsyncQueue) -> None:
        job = await queue.enqueue(jobs.add, 1, 2, job_id='j', description='sum', retry=Retry(max=2), meta={'a': 1})
        assert isinstance(job, AsyncJob) and job.id == 'j' and job.enqueued_at is not None
        assert await job.get_status() is JobStatus.QUEUED and await job.is_queued and not await job.is_finished
        assert (await queue.count(), await queue.get_job_ids(), await queue.is_empty()) == (1, ['j'], False)

    play(redis, scene)
    blocking = Queue(connection=redis).fetch_job('j')
    assert blocking is not None
    assert (blocking.args, blocking.description, blocking.retries_left) == ((1, 2), 'sum', 2)
    assert (blocking.meta, blocking.timeout) == ({'a': 1}, 180)


def test_to_the_end(redis: Redis) -> None:
    async def begin(queue: AsyncQueue) -> None:
        await queue.enqueue(jobs.add, 1, 2, job_id='good')
        await queue.enqueue(jobs.fail, job_id='bad')

    async def end(queue: AsyncQueue) -> None:
        good, bad = await AsyncJob.fetch('good', queue.connection), await queue.fetch_job('bad')
        assert await good.is_finished and await good.return_value() == 3
        assert bad is not None and await bad.is_failed
        latest = await bad.latest_result()
        assert latest is not None and 'Error' in (latest.exc_string or '')
        assert len(await bad.results()) == 1 and await bad.return_value() is None
        assert await (await bad.requeue()).is_queued
        with pytest.raises(InvalidJobOperation):
            await bad.requeue()
        await good.delete()
        with pytest.raises(NoSuchJobError):
            await good.refresh()
        with pytest.raises(NoSuchJobError):
            await AsyncJob.fetch('good', queue.connection)
        with pytest.raises(InvalidJobOperation):
            await good.delete()
        assert await queue.fetch_job('good') is None and not await AsyncJob.exists('good', queue.connection)

    play(redis, begin)
    work(redis)
    play(redis, end)


def test_waiting_for_a_result_blocks_nobody(redis: Redis) -> None:
    async def scene(queue: AsyncQueue) -> None:
        job = await queue.enqueue(jobs.add, 1, 2)
        waiting = asyncio.create_task(job.latest_result(timeout=20))
        await asyncio.sleep(0)  # let the task begin
        await asyncio.to_thread(work, redis)
        latest = await waiting
        assert latest is not None and latest.return_value == 3
        assert await (await queue.enqueue(jobs.add, 1, 2)).latest_result(timeout=1) is None

    play(redis, scene)


def test_times(redis: Redis) -> None:
    async def scene(queue: AsyncQueue) -> None:
        later = await queue.enqueue_in(timedelta(seconds=100), jobs.add, 1, 2, job_id='in', at_front=True)
        at = await queue.enqueue_at(datetime(2031, 1, 1, tzinfo=UTC), jobs.add, 1, 2, job_id='at')
        assert await later.is_scheduled and later.enqueue_at_front is True and at.enqueue_at_front is None
        with pytest.raises(DuplicateJobError):
            await queue.enqueue_in(timedelta(seconds=1), jobs.add, job_id='at', unique=True)

    play(redis, scene)
    assert redis.zscore('rq:scheduled:default', 'at') == datetime(2031, 1, 1, tzinfo=UTC).timestamp()


def test_dependencies_limits_and_repeats(redis: Redis) -> None:
    async def scene(queue: AsyncQueue) -> None:
        parent = await queue.enqueue(jobs.add, 1, 2)
        child = await queue.enqueue(jobs.add, 1, 2, depends_on=Dependency([parent]))
        grandchild = await queue.enqueue(jobs.add, 1, 2, depends_on=[parent, child.id])
        assert await child.is_deferred and await grandchild.is_deferred
        met = await queue.enqueue(jobs.add, 1, 2, depends_on='unknown')
        assert await met.is_queued
        first, second = [await queue.enqueue(jobs.add, 1, 2, rate_limit=RateLimit('k', 1)) for _ in range(2)]
        assert (first._status, second._status) == (JobStatus.QUEUED, JobStatus.RATE_LIMITED)
        assert first.enqueued_at is not None and second.enqueued_at is None
        again = await queue.enqueue(jobs.add, 1, 2, repeat=Repeat(times=2))
        assert again.repeats_left == 2
        assert await parent.cancel(enqueue_dependents=True) == {'default': [child.id]}
        assert await child.is_queued and await grandchild.is_deferred
        with pytest.raises(InvalidJobOperation):
            await parent.cancel()

    play(redis, scene)


def test_many(redis: Redis) -> None:
    redis.script_flush()

    async def scene(queue: AsyncQueue) -> None:
        data = Queue.prepare_data
        many = [data(jobs.add, (1, 2), job_id=f'j{number}') for number in range(1200)]
        many += [data(jobs.add, (1, 2), job_id='met', depends_on='unknown', at_front=True)]
        many += [data(jobs.add, (1, 2), job_id='unmet', depends_on='j1')]
        found = await queue.enqueue_many(many)
        assert [job.id for job in found[:2]] == ['j0', 'j1'] and [job.id for job in found[-2:]] == ['unmet', 'met']
        assert [job._status for job in found[-2:]] == [JobStatus.DEFERRED, JobStatus.QUEUED]
        assert await queue.count() == 1201 and (await queue.get_job_ids(0, 2)) == ['met', 'j0']
        assert await queue.get_job_ids(length=0) == []
        with pytest.raises(ValueError, match='unique'):
            await queue.enqueue_many([data(jobs.add, job_id='x'), data(jobs.add, job_id='x')])

    play(redis, scene)


def test_unknown_scripts_are_taught(redis: Redis) -> None:
    async def scene(queue: AsyncQueue) -> None:
        redis.script_flush()
        await queue.enqueue(jobs.add, 1, 2)
        assert redis.script_exists(load('enqueue_plain').sha) == [True]

    play(redis, scene)


def test_refusals(redis: Redis) -> None:
    async def scene(queue: AsyncQueue) -> None:
        job = await queue.enqueue(jobs.add, 1, 2, job_id='j')
        with pytest.raises(DuplicateJobError):
            await queue.enqueue(jobs.add, job_id='j', unique=True)
        with pytest.raises(ValueError, match='job_id'):
            await queue.enqueue(jobs.add, unique=True)
        with pytest.raises(ValueError, match='pipeline'):
            await queue.enqueue(jobs.add, pipeline=object())
        with pytest.raises(ValueError, match='pipeline'):
            await queue.enqueue_in(timedelta(seconds=1), jobs.add, pipeline=object())
        with pytest.raises(PayloadTooLargeError):
            await queue.enqueue(jobs.add, b'x' * (17 << 20))
        with pytest.raises(TypeError, match='cannot block'):
            job.dependency_ids  # noqa: B018 - a verb that would block
        with pytest.raises(TypeError, match='redis.asyncio'):
            AsyncQueue('default')

    play(redis, scene)
    assert redis.llen('rq:queue:default') == 1


def test_notes(redis: Redis) -> None:
    async def scene(queue: AsyncQueue) -> None:
        job = await queue.enqueue(jobs.add, 1, 2)
        job.meta['step'] = 1
        await job.save_meta()
        other = await AsyncJob.fetch(job.id, queue.connection)
        other.meta = {'step': 2}
        await other.save_meta()
        assert job.meta == {'step': 1} and await job.get_meta() == {'step': 2} == job.meta

    play(redis, scene)


def test_beside_a_blocking_queue(redis: Redis) -> None:
    queue = Queue('side', connection=redis, default_timeout=77, serializer='json')

    async def enqueue() -> AsyncJob:
        first = await queue.enqueue_async('tests.jobs.add', 1, 2)
        second = await queue.enqueue_async('tests.jobs.add', 3, 4)
        assert first.connection is second.connection or first._redis is second._redis
        await first._redis.aclose()
        made: AsyncJob = first
        return made

    ids = [asyncio.run(enqueue()).id for _ in range(2)]  # another loop, another connection
    assert queue.count == 4 and queue.job_ids[::2] == ids
    job = Job.fetch(ids[0], connection=redis, serializer='json')
    assert (job.args, job.timeout) == ([1, 2], 77)


def test_beside_what_has_no_twin() -> None:
    class Own(Connection):
        pass

    client = Redis(port=1)
    client.connection_pool.connection_class = Own
    with pytest.raises(TypeError, match='twin'):
        asyncio.run(Queue(connection=client).enqueue_async('a.b'))
