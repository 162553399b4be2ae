"""RateLimit and RateLimitRegistry, as programs see them."""

from datetime import timedelta
from typing import Any

import pytest
from redis import Redis

from rq import Queue, RateLimit, Repeat, Retry
from rq.exceptions import InvalidJobOperation
from rq.job import Job
from rq.rate_limit import RateLimitRegistry, release_slot
from rq.registry import clean_registries
from tests import jobs
from tests.invariants import check
from tests.launch import burst, marks

ONE = RateLimit('k', 1)


@pytest.fixture
def registry(redis: Redis) -> RateLimitRegistry:
    return RateLimitRegistry('k', redis)


def limited(queue: Queue, job_id: str, limit: RateLimit = ONE, **words: Any) -> Job:
    return queue.enqueue(jobs.note, job_id, job_id=job_id, rate_limit=limit, **words)


@pytest.mark.parametrize('words', [('', 1), (None, 1), ('k', 0), ('k', -1), ('k', 1.5), ('k', '1')])
def test_refused(words: Any) -> None:
    with pytest.raises(ValueError):
        RateLimit(*words)


def test_enqueue(redis: Redis, queue: Queue, registry: RateLimitRegistry) -> None:
    first, second = limited(queue, 'a'), limited(queue, 'b', at_front=True, ttl=90)
    assert [job.get_status(refresh=False) for job in (first, second)] == ['queued', 'rate_limited']
    assert [job.get_status() for job in (first, second)] == ['queued', 'rate_limited']
    assert first.enqueued_at is not None and second.enqueued_at is None and second.enqueue_at_front
    assert (queue.job_ids, 0 < redis.ttl(second.key) <= 90) == (['a'], True)
    assert first.has_rate_limit and not queue.enqueue(jobs.add).has_rate_limit
    assert (registry.concurrency, registry.get_allowed_job_ids(), registry.get_rate_limited_job_ids()) == (
        1,
        ['a'],
        ['b'],
    )
    assert (registry.get_allowed_job_count(), registry.get_rate_limited_job_count()) == (1, 1)
    assert [one.key for one in RateLimitRegistry.all(redis)] == ['k']
    assert RateLimitRegistry.from_job(second).rate_limited_key == 'rq:rl:k:rate_limited'
    assert (registry.config_key, registry.allowed_key, RateLimitRegistry.rl_keys_key) == (
        'rq:rl:k',
        'rq:rl:k:allowed',
        'rq:rl-keys',
    )
    fetched = Job.fetch('b', redis)
    assert (fetched.rate_limit_key, fetched.rate_limit_concurrency) == ('k', 1)
    assert check(redis) == []


def test_what_cannot_be_combined(redis: Redis, queue: Queue) -> None:
    class Other(Job):
        redis_job_namespace_prefix = 'other:'

    with pytest.raises(ValueError, match='unique=True is not supported with rate-limited jobs'):
        limited(queue, 'a', unique=True)
    with pytest.raises(ValueError):
        limited(queue, 'a', pipeline=redis.pipeline())
    with pytest.raises(ValueError):
        limited(Queue('here', connection=redis, is_async=False), 'a')
    elsewhere = Queue(connection=redis, job_class=Other)
    for put in (elsewhere.enqueue, lambda *args, **words: elsewhere.enqueue_in(timedelta(1), *args, **words)):
        with pytest.raises(ValueError):
            put(jobs.add, rate_limit=ONE)
    assert redis.keys() == []


def test_cancel_and_delete(redis: Redis, queue: Queue, registry: RateLimitRegistry) -> None:
    made = {job_id: limited(queue, job_id) for job_id in 'abcd'}
    with pytest.raises(InvalidJobOperation), redis.pipeline() as pipeline:
        made['a'].cancel(pipeline=pipeline)
    made['b'].cancel()
    made['a'].cancel()
    assert (queue.job_ids, registry.get_rate_limited_job_ids()) == (['c'], ['d'])
    made['c'].delete()
    assert queue.job_ids == ['d'] and made['d'].is_queued
    assert check(redis) == []


def test_worked_off_one_by_one(redis: Redis, queue: Queue, registry: RateLimitRegistry) -> None:
    elsewhere = Queue('elsewhere', connection=redis)
    for number in range(6):
        limited((queue, elsewhere)[number % 2], f'j{number}')
    burst(redis, queue, elsewhere)
    assert marks(redis) == [f'j{number}' for number in range(6)]
    assert registry.get_allowed_job_ids() == registry.get_rate_limited_job_ids() == []
    clean_registries(queue)
    assert redis.keys('rq:rl*') == []
    assert check(redis) == []


def test_failures_retries_and_requeue(redis: Redis, queue: Queue, registry: RateLimitRegistry) -> None:
    again = queue.enqueue(jobs.fails_until, 1, rate_limit=ONE, retry=Retry(max=1))
    later = queue.enqueue(jobs.div, rate_limit=ONE, retry=Retry(max=1, interval=60))
    never = queue.enqueue(jobs.div, rate_limit=ONE)
    limited(queue, 'last')
    burst(redis, queue)
    assert [job.get_status() for job in (again, later, never)] == ['finished', 'scheduled', 'failed']
    assert marks(redis) == ['last'] and check(redis) == []
    limited(queue, 'holder')
    assert never.requeue(at_front=True).is_queued is False and never.get_status() == 'rate_limited'
    burst(redis, queue)
    assert never.is_failed and check(redis) == []


def test_scheduled_and_deferred(redis: Redis, queue: Queue, registry: RateLimitRegistry) -> None:
    limited(queue, 'a')
    parent = queue.enqueue(jobs.add)
    waits = limited(queue, 'b', depends_on=parent)
    later = queue.enqueue_in(timedelta(0), jobs.note, 'c', rate_limit=ONE)
    assert (waits.get_status(), later.get_status()) == ('deferred', 'scheduled')
    assert limited(queue, 'd', depends_on='gone').get_status() == 'rate_limited'
    burst(redis, queue)
    assert sorted(marks(redis)) == ['a', 'b', 'c', 'd']
    assert check(redis) == []


def test_repeat_stays_in_its_slot(redis: Redis, queue: Queue) -> None:
    limited(queue, 'a', repeat=Repeat(2))
    limited(queue, 'b')
    burst(redis, queue)
    assert marks(redis) == ['a', 'a', 'a', 'b']
    assert check(redis) == []


def test_retry_by_hand(redis: Redis, queue: Queue, registry: RateLimitRegistry) -> None:
    """In its slot, even in a pipeline."""
    job = limited(queue, 'a', retry=Retry(max=2))
    limited(queue, 'b')
    with redis.pipeline() as pipeline:
        job.retry(queue, pipeline)
        assert redis.hget(job.key, 'retries_left') == b'2'
        pipeline.execute()
    assert (queue.job_ids, registry.get_allowed_job_ids()) == (['a'], ['a'])
    assert (job.retries_left, redis.hget(job.key, 'retries_left')) == (1, b'1')
    assert check(redis) == []


# --- the registry by hand ---------------------------------------------------------------------------------------------


def waiting_job(redis: Redis, queue: Queue, job_id: str) -> Job:
    job = queue.create_job(jobs.add, job_id=job_id, rate_limit=ONE, status='rate_limited')
    job.save()
    return job


def test_register_add_and_acquire(redis: Redis, queue: Queue, registry: RateLimitRegistry) -> None:
    assert registry.concurrency == 0
    made = [waiting_job(redis, queue, job_id) for job_id in 'ab']
    with redis.pipeline() as pipeline:
        registry.register(2, pipeline)
        registry.add_to_rate_limited('b', pipeline, timestamp=5)
        registry.add_to_rate_limited('a', pipeline)
        assert redis.keys('rq:rl*') == []
        pipeline.execute()
    assert registry.concurrency == 2 and registry.get_rate_limited_job_ids() == ['b', 'a']
    assert registry.acquire_and_enqueue(1) == ['b']
    assert registry.acquire_and_enqueue(1) == []
    with redis.pipeline() as pipeline:
        assert registry.acquire_and_enqueue(2, pipeline=pipeline) == []
        assert queue.job_ids == ['b']
        pipeline.execute()
    assert queue.job_ids == ['b', 'a'] and all(job.is_queued for job in made)
    assert check(redis) == []


def test_release(redis: Redis, queue: Queue, registry: RateLimitRegistry) -> None:
    made = [limited(queue, job_id) for job_id in 'abc']
    assert registry.release_stale_and_enqueue('a') == [] == release_slot(made[0])
    assert registry.release_stale_and_enqueue('b') == []
    made[0].set_status('failed')  # type: ignore[arg-type]
    assert release_slot(made[0]) == ['b']
    assert registry.release_and_enqueue('b') == ['c']
    assert release_slot(queue.enqueue(jobs.add)) == []


def test_leaving_the_line(redis: Redis, queue: Queue, registry: RateLimitRegistry) -> None:
    for job_id in 'abc':
        limited(queue, job_id)
    with redis.pipeline() as pipeline:
        assert registry.cancel('b', pipeline=pipeline) == []
        assert registry.get_rate_limited_job_ids() == ['b', 'c']
        pipeline.execute()
    assert registry.get_rate_limited_job_ids() == ['c']
    assert registry.cancel('a') == []
    Job.fetch('a', redis).set_status('canceled')  # type: ignore[arg-type]
    assert registry.cancel('a') == ['c']


def test_cleanup(redis: Redis, queue: Queue, registry: RateLimitRegistry) -> None:
    for job_id in 'ab':
        limited(queue, job_id)
    redis.delete('rq:job:a')
    redis.lrem('rq:queue:default', 0, 'a')
    registry.cleanup()
    assert registry.get_allowed_job_ids() == ['b'] == queue.job_ids
    assert check(redis) == []
