"""Job: cancel, requeue, delete, clean up."""

from datetime import timedelta

import pytest
from redis import Redis

from rq import Queue, Retry, cancel_job, requeue_job
from rq.exceptions import InvalidJobOperation, NoSuchJobError
from rq.job import Job
from tests import jobs
from tests.invariants import check
from tests.launch import burst


def test_cancel(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(jobs.add)
    assert job.cancel() == {}
    assert job.is_canceled and queue.count == 0 and job in queue.canceled_job_registry
    with pytest.raises(InvalidJobOperation, match=f'Cannot cancel already canceled job: {job.id}'):
        job.cancel()
    with pytest.raises(InvalidJobOperation):
        Job.create(jobs.add, connection=redis).cancel()
    later = queue.enqueue_in(timedelta(hours=1), jobs.add)
    cancel_job(later.id, redis)
    assert later.is_canceled and len(queue.scheduled_job_registry) == 0
    with redis.pipeline() as pipeline:
        other = queue.enqueue(jobs.add)
        other.cancel(pipeline=pipeline)
        assert other.is_queued
        pipeline.execute()
    assert other.is_canceled and check(redis) == []


def test_requeue(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(jobs.div, retry=Retry(max=1))
    other = queue.enqueue(jobs.add)
    burst(redis, queue)
    job.refresh()
    assert job.ended_at is not None
    queue.enqueue(jobs.add, job_id='last')
    requeued = job.requeue(at_front=True)
    assert requeued == job and queue.job_ids == [job.id, 'last']
    assert (job.get_status(), job.started_at, job.ended_at, job.retries_left) == ('queued', None, None, 0)
    assert len(queue.failed_job_registry) == 0
    with pytest.raises(InvalidJobOperation):
        requeue_job(job.id, redis)
    with pytest.raises(InvalidJobOperation):
        other.requeue()
    with pytest.raises(NoSuchJobError):
        requeue_job('gone', redis)
    burst(redis, queue)
    assert requeue_job(job.id, redis) == job and job.is_queued
    assert check(redis) == []


def test_delete(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(jobs.div)
    burst(redis, queue)
    job.delete()
    assert redis.keys('*' + job.id + '*') == [] and len(queue.failed_job_registry) == 0
    with pytest.raises(InvalidJobOperation):
        job.delete()
    kept = queue.enqueue(jobs.add)
    kept.delete(remove_from_queue=False)
    assert queue.job_ids == [kept.id] and queue.jobs == []
    assert burst(redis, queue).successful_job_count == 0


def test_cleanup(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(jobs.add)
    job.cleanup(ttl=-1)
    job.cleanup()
    assert redis.ttl(job.key) == -1
    job.cleanup(ttl=100)
    assert 0 < redis.ttl(job.key) <= 100
    job.cleanup(ttl=0)
    assert not Job.exists(job.id, redis) and queue.count == 0
