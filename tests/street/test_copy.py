"""Copies of jobs: the same settings, perhaps other arguments, an id of their own, and a link to the original."""

import asyncio
from typing import Any

import pytest
from redis import Redis
from redis import asyncio as aioredis

from rq import Callback, Queue, Repeat, Retry, Webhook
from rq.aio import AsyncQueue
from rq.exceptions import DuplicateJobError
from rq.group import Group
from rq.job import Job
from rq.rate_limit import RateLimit
from rq.rules.record import SETTINGS
from rq.store import codec
from tests import jobs
from tests.failure import final_jobs
from tests.invariants import check
from tests.launch import burst, marks

#: attributes that are of one job's own life, so that a copy has not got them from the original
OWN_LIFE = {
    *('created_at', 'origin', 'description', 'enqueued_at', 'started_at', 'ended_at', 'last_heartbeat', 'worker_name'),
    *('enqueued_from', 'copy_of', 'retries_left', 'number_of_retries', 'warning'),
}


def failed(redis: Redis, queue: Queue, **words: Any) -> Job:
    """A job that failed, with all that can be said of one."""
    callbacks = {f'on_{word}': Callback(getattr(jobs, f'on_{word}'), 7) for word in ('success', 'failure', 'stopped')}
    job = queue.enqueue(
        jobs.div, 3, y=0, job_timeout=33, result_ttl=11, failure_ttl=22, ttl=9999, meta={'a': [1]},
        retry=Retry(max=2, enqueue_at_front=True), webhooks=[Webhook('http://127.0.0.1:9/', 'finished')],
        on_final_failure=Callback(final_jobs.on_final), repeat=Repeat(times=4, interval=5), **callbacks, **words,
    )  # fmt: skip
    burst(redis, queue)
    assert job.is_failed
    return Job.fetch(job.id, redis)


def test_every_attribute_is_decided_on() -> None:
    attributes = {attribute for _, attribute, _, _ in codec._FIELDS}
    assert attributes == {*SETTINGS} | OWN_LIFE and not {*SETTINGS} & OWN_LIFE


def test_a_copy_is_as_the_job_was_at_first(redis: Redis, queue: Queue) -> None:
    job = failed(redis, queue)
    assert job.retries_left == 0
    copy = queue.enqueue_copy(job)
    found = Job.fetch(copy.id, redis)
    assert found.id != job.id and found.copy_of == job.id and found.is_queued and job.is_failed
    for name in SETTINGS:
        assert getattr(found, name) == getattr(job, name), name
    assert (found.retries_left, found.meta, found.args, found.kwargs) == (2, {'a': [1]}, (3,), {'y': 0})
    assert (found.origin, found.description, found.func_name) == (job.origin, job.description, job.func_name)
    assert found.started_at is None and found.ended_at is None and found.worker_name is None and found.attempts == []
    assert found.enqueued_from and found.enqueued_from.endswith('test_a_copy_is_as_the_job_was_at_first')
    assert redis.object('encoding', found.key) is not None and check(redis) == []


def test_other_arguments(redis: Redis, queue: Queue) -> None:
    job = failed(redis, queue)
    copy = queue.enqueue_copy(job, kwargs={'y': 1})
    assert (copy.args, copy.kwargs, copy.description) == ((3,), {'y': 1}, 'tests.jobs.div(3, y=1)')
    burst(redis, queue, max_jobs=1)
    assert copy.return_value() == 3 and Job.fetch(job.id, redis).kwargs == {'y': 0}
    positional = job.copy(args=[4, 2], kwargs={})
    assert (positional.args, positional.kwargs) == ([4, 2], {}) and not redis.exists(positional.key)
    for words in ({'args': 5}, {'kwargs': [1]}):
        with pytest.raises(TypeError):
            job.copy(**words)  # type: ignore[arg-type]


def test_a_description_of_ones_own_stays(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(jobs.add, 1, 2, description='the sum')
    assert job.copy(args=[3, 4]).description == 'the sum'


def test_the_payload_is_not_decoded_for_a_plain_copy(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(jobs.add)
    redis.hset(job.key, mapping={'data': b'junk', 'meta': b'junk'})
    copy = queue.enqueue_copy(Job.fetch(job.id, redis))
    assert redis.hget(copy.key, 'meta') == b'junk' and Job.fetch(copy.id, redis).data == b'junk'


def test_ids(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(jobs.add, job_id='a')
    assert queue.enqueue_copy(job, job_id='b').id == 'b'
    with pytest.raises(DuplicateJobError):
        queue.enqueue_copy(job, job_id='b')
    with pytest.raises(ValueError, match='one of its own'):
        queue.enqueue_copy(job, job_id='a')
    assert queue.job_ids == ['a', 'b']
    assert queue.enqueue_copy(job, at_front=True).id == queue.job_ids[0]


def test_retries_after_a_requeue_by_hand(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(jobs.div, retry=Retry(max=2))
    burst(redis, queue)
    job.requeue()
    burst(redis, queue)
    job.refresh()
    assert len(job.attempts) == 4 and job.copy().retries_left == 2
    assert queue.enqueue(jobs.div).copy().retries_left is None


def test_more_retries_than_are_remembered(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(jobs.div, retry=Retry(max=14))
    burst(redis, queue)
    job.refresh()
    assert len(job.attempts) == 10 and job.copy().retries_left == 14


def test_group_rate_limit_and_dependencies(redis: Redis, queue: Queue) -> None:
    group = Group.create(connection=redis, name='g')
    (member,) = group.enqueue_many(queue, [Queue.prepare_data(jobs.add)])
    copy = queue.enqueue_copy(member)
    assert {job.id for job in group.get_jobs()} == {member.id, copy.id} and copy.group_id == 'g'
    limited = queue.enqueue(jobs.add, rate_limit=RateLimit('one', concurrency=1))
    waiting = queue.enqueue_copy(limited)
    assert waiting.get_status() == 'rate_limited'
    child = queue.enqueue(jobs.add, depends_on=member)
    free = queue.enqueue_copy(child)
    assert free.is_queued and free.dependency is not None and free.dependency.id == member.id
    burst(redis, queue)
    assert all(one.is_finished for one in (copy, limited, waiting, child, free)) and check(redis) == []


def test_synchronous_queues(redis: Redis) -> None:
    queue = Queue(is_async=False, connection=redis)
    job = queue.enqueue(jobs.note_and_fail, 'bad')
    copy = queue.enqueue_copy(job, args=['worse'])
    assert marks(redis) == ['bad', 'worse'] and copy.is_failed and copy.copy_of == job.id


def test_from_coroutines(redis: Redis, redis_url: str, queue: Queue) -> None:
    job = failed(redis, queue)

    async def main() -> Any:
        client = aioredis.Redis.from_url(redis_url)
        try:
            awaited = AsyncQueue(connection=client)
            original = await awaited.fetch_job(job.id)
            assert original is not None
            copy = await original.copy()
            assert copy.retries_left == 2 and copy.copy_of == job.id
            return (await awaited.enqueue_copy(original, args=[8], kwargs={'y': 2})).id
        finally:
            await client.aclose()

    found = Job.fetch(asyncio.run(main()), redis)
    assert (found.args, found.kwargs, found.copy_of, found.retries_left) == ([8], {'y': 2}, job.id, 2)
    assert found.is_queued and check(redis) == []
