"""One job in full, and its attempts."""

from datetime import UTC, datetime, timedelta

import pytest
from redis import Redis

from rq import Callback, Queue, Retry, SimpleWorker
from rq.exceptions import NoSuchJobError
from rq.inspector import Inspector
from rq.job import Dependency
from rq.store import keys
from tests import jobs
from tests.inspector.world import left_by_rq3
from tests.launch import burst


def test_a_failed_job(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(
        jobs.fail, 'it broke', retry=Retry(max=1), job_timeout=77, failure_ttl=3600, result_ttl=60,
        on_failure=Callback(jobs.on_failure), meta={'a': 'b'},
    )  # fmt: skip
    child = queue.enqueue(jobs.add, depends_on=job)
    burst(redis, queue, cls=SimpleWorker)
    seen = Inspector(redis).job(job.id)
    assert (seen.id, seen.status, seen.queue, seen.function) == (job.id, 'failed', 'default', 'tests.jobs.fail')
    assert (seen.timeout, seen.failure_ttl, seen.result_ttl, seen.ttl) == (77, 3600, 60, None)
    assert (seen.attempt_count, seen.retries_left, seen.dependent_count) == (2, 0, 1)
    assert seen.callbacks == {'on_failure': 'tests.jobs.on_failure'}
    assert seen.payload_size > 0 and seen.meta_size > 0 and seen.result_size == 0
    assert seen.exc_string.endswith('ValueError: it broke\n')
    assert seen.group == Inspector(redis).groups()[0].id and seen.job_group == ''
    assert seen.failed_at and abs(seen.failed_at - datetime.now(UTC)) < timedelta(minutes=1)
    assert seen.expires_at and timedelta(minutes=50) < seen.expires_at - datetime.now(UTC) < timedelta(minutes=70)
    assert seen.broken == {}
    waiting = Inspector(redis).job(child.id)
    assert (waiting.status, waiting.dependency_ids, waiting.failed_at) == ('deferred', [job.id], None)


def test_attempts(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(jobs.fail, 'it broke', retry=Retry(max=2))
    burst(redis, queue, cls=SimpleWorker)
    found = Inspector(redis).attempts(job.id)
    assert found == job.attempts and [one.number for one in found] == [1, 2, 3]
    assert all(one.exc_string.endswith('ValueError: it broke\n') for one in found)
    assert [one.is_final for one in found] == [False, False, True]


def test_jobs_that_did_not_fail(redis: Redis, queue: Queue) -> None:
    done = queue.enqueue(jobs.add)
    burst(redis, queue, cls=SimpleWorker)
    waiting = queue.enqueue(jobs.add, depends_on=Dependency([done]))
    inspector = Inspector(redis)
    seen = inspector.job(done.id)
    assert (seen.status, seen.failed_at, seen.exc_string, seen.group) == ('finished', None, '', '')
    assert inspector.attempts(done.id) == []
    assert inspector.job(waiting.id).status == 'queued'


def test_a_job_of_rq3(redis: Redis) -> None:
    left_by_rq3(redis, 'theirs')
    seen = Inspector(redis).job('theirs')
    assert (seen.function, seen.group, seen.attempt_count) == ('shop.pay', '', 0)
    assert seen.exc_string.endswith('shop.errors.Refused: not today\n')
    assert seen.failed_at is not None
    assert Inspector(redis).attempts('theirs') == []


def test_a_requeued_job_is_failed_no_more(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(jobs.div)
    burst(redis, queue, cls=SimpleWorker)
    job.requeue()
    seen = Inspector(redis).job(job.id)
    assert (seen.status, seen.failed_at, seen.group, seen.attempt_count) == ('queued', None, '', 1)


def test_what_is_not_there(redis: Redis) -> None:
    inspector = Inspector(redis)
    for look in (inspector.job, inspector.attempts):
        with pytest.raises(NoSuchJobError, match='No such job'):
            look('none')


def test_broken_records(redis: Redis) -> None:
    fields = {
        'status': 'exploded',
        'timeout': 'soon',
        'created_at': 'x',
        'description': 'y' * 400_000,
        'origin': b'\xff',
    }
    redis.hset(keys.job('odd'), mapping=fields)
    redis.set(keys.job('text'), 'no hash')
    inspector = Inspector(redis)
    seen = inspector.job('odd')
    assert seen.status == 'exploded' and seen.queue == '\\xff' and seen.description == ''
    assert {'status', 'timeout', 'created_at', 'description'} <= set(seen.broken)
    assert 'another type' in inspector.job('text').broken['status']
