"""Queue: taking ids off, as programs with a way of working of their own do it; and what keeps the books right."""

from datetime import timedelta
from typing import Any

import pytest
from redis import Redis

from rq import Queue, RateLimit, Retry
from rq.exceptions import DequeueTimeout, DuplicateJobError
from rq.job import Dependency, Job
from rq.registry import clean_registries
from tests import jobs
from tests.invariants import check


@pytest.fixture
def other(redis: Redis) -> Queue:
    return Queue('other', connection=redis)


def put(queue: Queue, *ids: str) -> None:
    for job_id in ids:
        queue.enqueue(jobs.add, job_id=job_id)


def test_lpop(redis: Redis, queue: Queue, other: Queue) -> None:
    keys = [queue.key, other.key]
    assert Queue.lpop(keys, None, connection=redis) is None
    put(other, 'c')
    put(queue, 'a', 'b')
    assert Queue.lpop(keys, None, connection=redis) == ('rq:queue:default', b'a')
    assert Queue.lpop(keys, 1, connection=redis) == (b'rq:queue:default', b'b')
    assert Queue.lpop(keys, 1, connection=redis) == (b'rq:queue:other', b'c')
    with pytest.raises(DequeueTimeout):
        Queue.lpop(keys, 1, connection=redis)
    with pytest.raises(ValueError):
        Queue.lpop(keys, 0, connection=redis)


def test_lmove(redis: Redis, queue: Queue) -> None:
    assert Queue.lmove(redis, queue.key, None) is None
    put(queue, 'a', 'b')
    assert Queue.lmove(redis, queue.key, None) == (queue.key, b'a')
    assert Queue.lmove(redis, queue.key, 1) == (queue.key, b'b')
    assert redis.lrange(queue.intermediate_queue_key, 0, -1) == [b'a', b'b']
    with pytest.raises(DequeueTimeout):
        Queue.lmove(redis, queue.key, 1)
    with pytest.raises(ValueError):
        Queue.lmove(redis, queue.key, 0)


def test_dequeue_any(redis: Redis, queue: Queue, other: Queue) -> None:
    put(queue, 'gone', 'a')
    put(other, 'b')
    redis.delete('rq:job:gone')
    found: Any = Queue.dequeue_any([queue, other], None, redis)
    assert (found[0].id, found[1]) == ('a', queue)
    found = Queue.dequeue_any([queue, other], 1, redis)
    assert (found[0].id, found[1].name) == ('b', 'other')
    assert Queue.dequeue_any([queue, other], None, redis) is None
    with pytest.raises(DequeueTimeout):
        Queue.dequeue_any([queue, other], 1, redis)
    assert not redis.exists(queue.intermediate_queue_key)


def test_dequeue_from_one_queue(redis: Redis, queue: Queue) -> None:
    put(queue, 'gone', 'a')
    redis.delete('rq:job:gone')
    found: Any = Queue.dequeue_any([queue], None, redis, job_class='rq.job.Job')
    assert found[0].id == 'a' and isinstance(found[0], Job)
    assert redis.lrange(queue.intermediate_queue_key, 0, -1) == [b'gone', b'a']
    assert queue.intermediate_queue.get_job_ids() == ['gone', 'a']


def test_compact(redis: Redis, queue: Queue) -> None:
    queue.compact()
    put(queue, 'a', 'b', 'c', 'd')
    redis.delete('rq:job:a', 'rq:job:c')
    queue.compact()
    assert queue.job_ids == ['b', 'd'] and redis.keys('*_compact*') == []


def test_pop_and_push(redis: Redis, queue: Queue) -> None:
    assert queue.pop_job_id() is None
    queue.push_job_id('a')
    queue.push_job_id('b', at_front=True)
    with redis.pipeline() as pipeline:
        queue.push_job_id('c', pipeline=pipeline)
        assert queue.job_ids == ['b', 'a']
        pipeline.execute()
    assert [queue.pop_job_id(), queue.pop_job_id(), queue.pop_job_id()] == ['b', 'a', 'c']


def test_fetch_job(redis: Redis, queue: Queue, other: Queue) -> None:
    put(queue, 'a', 'gone')
    redis.delete('rq:job:gone')
    assert queue.fetch_job('a') == Job.fetch('a', redis) and other.fetch_job('a') is None
    assert queue.fetch_job('gone') is None and queue.job_ids == ['a']


@pytest.mark.parametrize('interval', [0, 60])
@pytest.mark.parametrize('front', [False, True])
def test_retry_by_hand(redis: Redis, queue: Queue, interval: int, front: bool) -> None:
    job = queue.enqueue(jobs.add, retry=Retry(2, interval, enqueue_at_front=front))
    put(queue, 'other')
    with redis.pipeline() as pipeline:
        job.retry(queue, pipeline)
        assert redis.hget(job.key, 'retries_left') == b'2'
        pipeline.execute()
    assert (job.retries_left, redis.hget(job.key, 'retries_left')) == (1, b'1')
    if interval:
        assert job.is_scheduled and job in queue.scheduled_job_registry and queue.job_ids == ['other']
    else:
        assert job.is_queued and sorted(queue.job_ids) == sorted([job.id, 'other'])
        assert queue.job_ids[0] == job.id or not front
    assert check(redis) == []


def test_clean_registries(redis: Redis, queue: Queue) -> None:
    """What waits to be enqueued is; overdue entries go; limits nobody uses are forgotten."""
    parent = queue.enqueue(jobs.add, job_id='parent')
    queue.enqueue(jobs.add, job_id='child', depends_on=Dependency(parent, enqueue_at_front=True))
    queue.enqueue(jobs.add, job_id='waits', depends_on=parent, rate_limit=RateLimit('k', 1))
    queue.enqueue(jobs.add, job_id='holder', rate_limit=RateLimit('k', 1)).delete()
    queue.move_dependents_to_ready(parent)
    redis.zadd('rq:finished:default', {'old': 1, 'new': 4e9})
    redis.zadd('rq:failed:default', {'old': 1, 'eternal': -1})
    redis.sadd('rq:rl-keys', 'unused')
    clean_registries(queue)
    assert queue.job_ids[0] == 'child' and set(queue.job_ids) == {'child', 'parent', 'waits'}
    assert redis.zrange('rq:finished:default', 0, -1) == [b'new']
    assert redis.zrange('rq:failed:default', 0, -1) == [b'eternal']
    assert redis.smembers('rq:rl-keys') == {b'k'}
    assert check(redis) == []


def test_unique_does_not_wait_for_a_pipeline(redis: Redis, queue: Queue) -> None:
    with redis.pipeline() as pipeline:
        queue.enqueue(jobs.add, job_id='mine', unique=True, pipeline=pipeline)
        assert queue.job_ids == ['mine']
        for put in (queue.enqueue, lambda *args, **words: queue.enqueue_in(timedelta(1), *args, **words)):
            with pytest.raises(DuplicateJobError):
                put(jobs.add, job_id='mine', unique=True, pipeline=pipeline)
            with pytest.raises(ValueError):
                put(jobs.add, unique=True)
    assert check(redis) == []
