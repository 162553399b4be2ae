"""enqueue_many of jobs that wait for others."""

import pytest
from redis import Redis

from rq import Queue
from rq.job import Dependency, Job
from tests import jobs
from tests.invariants import check
from tests.launch import burst
from tests.street.test_dependencies import ended, parent

__all__ = ['parent']

data = Queue.prepare_data


def test_many_in_order(redis: Redis, queue: Queue, parent: Job) -> None:
    ended(parent, 'failed')
    datas = [
        data(jobs.add, job_id='met', depends_on='gone'),
        data(jobs.add, job_id='after', depends_on=['before', 'free']),
        data(jobs.add, job_id='free'),
        data(jobs.add, job_id='lenient', depends_on=Dependency(parent, allow_failure=True, enqueue_at_front=True)),
        data(jobs.add, job_id='before', depends_on='free'),
        data(jobs.add, job_id='strict', depends_on=parent, ttl=90),
        data(jobs.add, job_id='first', at_front=True),
    ]
    made = queue.enqueue_many(iter(datas))
    assert [job.id for job in made] == ['free', 'first', 'after', 'before', 'strict', 'met', 'lenient']
    statuses = ['queued'] * 2 + ['deferred'] * 3 + ['queued'] * 2
    assert [job.get_status(refresh=False) for job in made] == [job.get_status() for job in made] == statuses
    assert queue.job_ids == ['lenient', 'first', 'free', 'met']
    assert Job.fetch('met', redis).dependency_ids == ['gone']
    assert 0 < redis.ttl('rq:job:strict') <= 90
    assert redis.keys('rq:job:gone*') == []
    assert check(redis) == []
    burst(redis, queue)
    ids = [job.id for job in made if job.id != 'strict']
    assert {Job.fetch(each, redis).get_status() for each in ids} == {'finished'}
    assert check(redis) == []


def test_many_with_a_pipeline(redis: Redis, queue: Queue, parent: Job) -> None:
    with redis.pipeline() as pipeline:
        pipeline.set('beside', 1)
        made = queue.enqueue_many([data(jobs.add, job_id='a'), data(jobs.add, job_id='b')], pipeline=pipeline)
        assert queue.job_ids == ['parent'] and not redis.exists('beside')
        pipeline.execute()
    assert queue.job_ids == ['parent', 'a', 'b'] and [job.get_status() for job in made] == ['queued'] * 2
    with redis.pipeline() as pipeline:
        queue.enqueue_many([data(jobs.add, job_id='c', depends_on='a'), data(jobs.add, job_id='d')], pipeline=pipeline)
        pipeline.execute()
    assert queue.job_ids == ['parent', 'a', 'b', 'd'] and Job.fetch('c', redis).is_deferred
    assert check(redis) == []


def test_many_refused(redis: Redis, queue: Queue) -> None:
    with pytest.raises(ValueError):
        queue.enqueue_many([data(jobs.add, job_id='a'), data(jobs.add, job_id='a')])
    assert redis.keys() == []


def test_very_many(redis: Redis, queue: Queue) -> None:
    datas = [data(jobs.add, job_id='root')] + [data(jobs.add, job_id=f'j{n}', depends_on='root') for n in range(700)]
    made = queue.enqueue_many(datas)
    assert len(made) == 701 and len(queue.deferred_job_registry) == 700
    assert check(redis) == []
