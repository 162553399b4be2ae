"""What is stored of a Retry, and the default of a queue: whatever way a job comes in."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from redis import Redis
from redis import asyncio as awaited

from rq import Queue, Retry
from rq.aio import AsyncQueue
from rq.decorators import job as decorator
from rq.job import Job
from rq.rules.policy import Policy
from tests import jobs

FIELDS = ('retries_left', 'retry_intervals', 'retry_policy', 'enqueue_at_front_on_retry')
DEFAULT = Retry.exponential(3, base=10, cap=60, never=KeyError, enqueue_at_front=True)
STORED = [b'3', b'[10,20,40]', b'{"m":3,"b":[10,2,60,1],"n":["builtins.KeyError"]}', b'1']


def stored(redis: Redis, job: Job) -> list[Any]:
    return list(redis.hmget(job.key, *FIELDS))


def test_a_plain_retry_is_stored_as_ever(redis: Redis, queue: Queue) -> None:
    assert stored(redis, queue.enqueue(jobs.add, retry=Retry(2, [1, 2]))) == [b'2', b'[1,2]', None, None]
    assert stored(redis, queue.enqueue(jobs.add)) == [None] * 4


def test_a_policy_comes_back(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(jobs.add, retry=DEFAULT)
    assert stored(redis, job) == STORED
    found = Job.fetch(job.id, redis)
    assert found.retry_policy == DEFAULT.policy == job.retry_policy
    found.save()
    assert stored(redis, job) == STORED
    queue.enqueue(jobs.add, job_id=job.id)  # another record takes its place
    assert stored(redis, job) == [None] * 4


def test_enqueueing_again_gives_the_time_anew(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(jobs.add, retry=Retry(2, deadline=60))
    redis.hset(job.key, 'retry_policy', '{"m":2,"d":60,"u":1000}')
    found = Job.fetch(job.id, redis)
    assert found.retry_policy == Policy(2, deadline=60, until=1000)
    found.cancel()
    queue.enqueue_job(found)
    assert Job.fetch(job.id, redis).retry_policy == Policy(2, deadline=60)


def test_every_way_in_knows_the_default(redis: Redis) -> None:
    queue = Queue(connection=redis, default_retry=DEFAULT)

    @decorator(queue)
    def decorated() -> None:
        """Not run."""

    ways = [
        queue.enqueue(jobs.add),
        queue.enqueue_call(jobs.add),
        queue.enqueue_at(datetime.now(UTC), jobs.add),
        queue.enqueue_in(timedelta(hours=1), jobs.add),
        *queue.enqueue_many([Queue.prepare_data(jobs.add)]),
        decorated.delay(),
    ]
    assert [stored(redis, job) for job in ways] == [STORED] * len(ways)
    own = queue.enqueue(jobs.add, retry=Retry(1))
    none = queue.enqueue(jobs.add, retry=False)
    assert stored(redis, own) == [b'1', b'[0]', None, None] and stored(redis, none) == [b'0', None, None, None]


class Stubborn(Queue):
    """A queue class with a default of its own."""

    default_retry = DEFAULT


def test_a_class_may_have_the_default(redis: Redis) -> None:
    assert stored(redis, Stubborn(connection=redis).enqueue(jobs.add)) == STORED
    assert stored(redis, Stubborn(connection=redis, default_retry=Retry(1)).enqueue(jobs.add))[0] == b'1'


def test_from_coroutines(redis: Redis) -> None:
    path = redis.connection_pool.connection_kwargs['path']

    async def enqueue() -> list[Any]:
        async with awaited.Redis(unix_socket_path=path) as client:
            queue = AsyncQueue(connection=client, default_retry=DEFAULT)
            one = await queue.enqueue(jobs.add)
            many = await queue.enqueue_many([Queue.prepare_data(jobs.add)])
            beside = await Queue(connection=redis, default_retry=DEFAULT).enqueue_async(jobs.add)
            return [one, *many, beside]

    assert [stored(redis, job) for job in asyncio.run(enqueue())] == [STORED] * 3


@pytest.mark.parametrize('junk', [b'', b'\xff', b'{"m":0}', b'[]', b'{"m":1,"b":[0,1,2,3]}', b'x' * 30_000])
def test_junk_in_the_field_is_no_policy(redis: Redis, queue: Queue, junk: bytes) -> None:
    job = queue.enqueue(jobs.add, retry=Retry(2))
    redis.hset(job.key, 'retry_policy', junk)
    found = Job.fetch(job.id, redis)
    assert found.retries_left == 2 and (found.retry_policy is None or found.retry_policy == Policy(1))
