"""Jobs that run again after a success."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from redis import Redis

from rq import Queue, Repeat, Retry
from rq.job import Job
from tests import jobs
from tests.invariants import check
from tests.launch import burst, marks


def test_stored(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(jobs.add, repeat=Repeat(3, [1, 2]))
    fields = redis.hgetall(job.key)
    assert (fields[b'repeats_left'], fields[b'repeat_intervals'].replace(b' ', b'')) == (b'3', b'[1,2]')
    fetched = Job.fetch(job.id, redis)
    assert (fetched.repeats_left, fetched.repeat_intervals) == (3, [1, 2])
    many = queue.enqueue_many([Queue.prepare_data(jobs.add, repeat=Repeat(2))])
    later = queue.enqueue_in(timedelta(1), jobs.add, repeat=Repeat(2))
    assert [each.repeats_left for each in (*many, later)] == [2, 2]


def test_a_policy_is_not_used_up(queue: Queue) -> None:
    policy = Repeat(2, [1, 2])
    first = queue.enqueue(jobs.add, repeat=policy)
    assert first.repeat_intervals is not None
    first.repeat_intervals.append(9)
    assert policy.intervals == [1, 2]


@pytest.mark.parametrize('ttl', [500, 0])
def test_at_once(redis: Redis, queue: Queue, ttl: int) -> None:
    job = queue.enqueue(jobs.note, 'x', repeat=Repeat(2), result_ttl=ttl, job_id='mine')
    burst(redis, queue)
    assert marks(redis) == ['x', 'x', 'x']
    assert Job.exists('mine', redis) == bool(ttl)
    if ttl:
        assert job.is_finished and len(job.results()) == 3 and Job.fetch('mine', redis).repeats_left == 0
    assert check(redis) == []


def test_later(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(jobs.note, 'x', repeat=Repeat(2, [60, 90]))
    burst(redis, queue)
    job.refresh()
    assert (job.get_status(), job.repeats_left, job.repeat_intervals) == ('scheduled', 1, [90])
    assert job in queue.scheduled_job_registry and job in queue.finished_job_registry
    assert job.return_value() == 'x' and marks(redis) == ['x']
    assert check(redis) == []
    redis.zadd('rq:scheduled:default', {job.id: 1})
    burst(redis, queue)
    assert (job.is_scheduled, len(marks(redis)), Job.fetch(job.id, redis).repeats_left) == (True, 2, 0)
    redis.zadd('rq:scheduled:default', {job.id: 1})
    burst(redis, queue)
    assert (job.is_finished, len(marks(redis))) == (True, 3)
    assert check(redis) == []


def test_a_failure_is_not_repeated(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(jobs.note_and_fail, 'x', repeat=Repeat(3))
    burst(redis, queue)
    assert job.is_failed and marks(redis) == ['x']
    other = queue.enqueue(jobs.fails_until, 1, repeat=Repeat(1), retry=Retry(max=1))
    burst(redis, queue)
    assert other.is_finished and len(other.results()) == 2
    assert check(redis) == []


def test_canceled_between(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(jobs.note, 'x', repeat=Repeat(3, 60))
    burst(redis, queue)
    job.cancel()
    assert len(queue.scheduled_job_registry) == 0 and check(redis) == []


@pytest.mark.parametrize('with_a_pipeline', [False, True])
@pytest.mark.parametrize('interval', [0, 60])
def test_by_hand(redis: Redis, queue: Queue, interval: int, with_a_pipeline: bool) -> None:
    job = queue.enqueue(jobs.add, repeat=Repeat(2, interval))
    queue.enqueue(jobs.add, job_id='other')
    given: Any = redis.pipeline() if with_a_pipeline else None
    when = Repeat.schedule(job, queue, given)
    if given:
        assert redis.hget(job.key, 'repeats_left') == b'2'
        given.execute()
    assert isinstance(when, datetime) if interval else when is None
    assert job.get_status() == ('scheduled' if interval else 'queued')
    assert redis.hget(job.key, 'repeats_left') == b'1'
    Repeat.schedule(job, queue)
    with pytest.raises(ValueError):
        Repeat.schedule(job, queue)
    assert check(redis) == []
