"""Jobs that wait for others, as programs see them."""

from datetime import timedelta
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import RedisError, WatchError

from rq import Queue, cancel_job
from rq.exceptions import InvalidJobOperation
from rq.job import Dependency, Job, JobStatus
from rq.registry import ReadyJobRegistry
from tests import jobs
from tests.invariants import check
from tests.launch import burst, marks


@pytest.fixture
def parent(queue: Queue) -> Job:
    """A job that nobody has run yet."""
    return queue.enqueue(jobs.add, job_id='parent')


def wait_for(queue: Queue, *parents: Any, job_id: str = 'child', **words: Any) -> Job:
    return queue.enqueue(jobs.note, job_id, depends_on=list(parents), job_id=job_id, **words)


def ended(job: Job, status: str = 'finished') -> Job:
    """As if another system had written it."""
    job.connection.lrem(f'rq:queue:{job.origin}', 0, job.id)
    job.connection.zadd(f'rq:{"failed" if status == "failed" else status}:{job.origin}', {job.id: 4e9})
    job.set_status(JobStatus(status))
    return job


def test_deferred(redis: Redis, queue: Queue, parent: Job) -> None:
    child = wait_for(queue, parent, ttl=90)
    assert child.is_deferred and child.get_status(refresh=False) is JobStatus.DEFERRED
    assert child in queue.deferred_job_registry and queue.job_ids == ['parent']
    assert (child.dependency_ids, parent.dependent_ids, child.dependency) == (['parent'], ['child'], parent)
    assert [job.id for job in child.fetch_dependencies()] == ['parent']
    assert 0 < redis.ttl(child.key) <= 90 and child.enqueued_at is None and child.timeout == 180
    assert check(redis) == []


@pytest.mark.parametrize('form', ['job', 'id', 'Dependency', 'list'])
def test_forms(redis: Redis, queue: Queue, parent: Job, form: str) -> None:
    forms = {'job': parent, 'id': 'parent', 'Dependency': Dependency(parent), 'list': ['parent', parent]}
    child = queue.enqueue(jobs.add, depends_on=forms[form])
    assert child.is_deferred and child.dependency_ids == ['parent']
    fields = redis.hgetall(child.key)
    assert (fields[b'dependency_id'], fields[b'dependency_ids']) == (b'parent', b'["parent"]')
    assert fields.get(b'allow_dependency_failures') == (b'0' if form == 'Dependency' else None)


def test_met_at_once(redis: Redis, queue: Queue, parent: Job) -> None:
    burst(redis, queue)
    queue.enqueue(jobs.add, job_id='other')
    child = wait_for(queue, parent, 'gone', at_front=True)
    assert child.is_queued and queue.job_ids == ['child', 'other']
    assert child.dependency_ids == [] and Job.fetch('child', redis)._dependency_ids == ['parent', 'gone']
    assert queue.enqueue(jobs.add, depends_on=[]).is_queued
    assert redis.hget(child.key, 'enqueue_at_front') is None
    assert check(redis) == []


def test_the_front_is_remembered(redis: Redis, queue: Queue, parent: Job) -> None:
    wait_for(queue, parent, at_front=True)
    queue.enqueue(jobs.note, 'other')
    burst(redis, queue)
    assert marks(redis) == ['child', 'other']


def test_a_failed_one(redis: Redis, queue: Queue) -> None:
    parent = queue.enqueue(jobs.div)
    strict = wait_for(queue, parent, job_id='strict')
    lenient = queue.enqueue(jobs.add, depends_on=Dependency(parent, allow_failure=True))
    burst(redis, queue)
    assert (strict.get_status(), lenient.get_status()) == ('deferred', 'finished')
    assert queue.enqueue(jobs.add, depends_on=Dependency(parent, allow_failure=True)).is_queued
    assert wait_for(queue, parent, job_id='later').is_deferred
    assert check(redis) == []


def test_unique_and_dependencies(redis: Redis, queue: Queue, parent: Job) -> None:
    before = set(redis.keys())
    with pytest.raises(ValueError, match='unique=True is not supported with job dependencies'):
        queue.enqueue(jobs.add, job_id='u', unique=True, depends_on=parent)
    assert set(redis.keys()) == before
    assert queue.enqueue_in(timedelta(1), jobs.add, job_id='u', unique=True, depends_on=parent).is_scheduled


def test_a_scheduled_job_does_not_look(redis: Redis, queue: Queue, parent: Job) -> None:
    later = queue.enqueue_in(timedelta(hours=1), jobs.add, depends_on=parent)
    assert later.is_scheduled and later.dependency_ids == [] and later._dependency_ids == ['parent']


# --- pipelines ----------------------------------------------------------------------------------------------------


def test_with_a_pipeline(redis: Redis, queue: Queue, parent: Job) -> None:
    with redis.pipeline() as pipeline:
        child = wait_for(queue, parent, pipeline=pipeline)
        assert pipeline.explicit_transaction and child.get_status(refresh=False) is JobStatus.DEFERRED
        assert not Job.exists('child', redis)
        pipeline.set('beside', 1)
        pipeline.execute()
    assert child.is_deferred and parent.dependent_ids == ['child'] and redis.get('beside') == b'1'
    assert check(redis) == []


def test_with_a_pipeline_and_met(redis: Redis, queue: Queue, parent: Job) -> None:
    ended(parent)
    with redis.pipeline() as pipeline:
        child = wait_for(queue, parent, pipeline=pipeline)
        assert pipeline.explicit_transaction and queue.count == 0
        pipeline.execute()
    assert child.is_queued and queue.job_ids == ['child']
    assert check(redis) == []


def test_a_watch_error_is_the_callers(redis: Redis, queue: Queue, parent: Job) -> None:
    with redis.pipeline() as pipeline:
        wait_for(queue, parent, pipeline=pipeline)
        parent.set_status(JobStatus.FINISHED)
        with pytest.raises(WatchError):
            pipeline.execute()
    assert not Job.exists('child', redis)


def test_a_pipeline_that_buffers_already(redis: Redis, queue: Queue, parent: Job) -> None:
    with redis.pipeline() as pipeline:
        pipeline.set('beside', 1)
        with pytest.raises(RedisError):
            wait_for(queue, parent, pipeline=pipeline)
    assert not Job.exists('child', redis)


def test_a_watching_pipeline_without_dependencies(redis: Redis, queue: Queue) -> None:
    with redis.pipeline() as pipeline:
        pipeline.watch('seen')
        queue.enqueue(jobs.add, pipeline=pipeline)
        queue.enqueue(jobs.add, pipeline=pipeline)
        assert pipeline.explicit_transaction and queue.count == 0
        redis.set('seen', 1)
        with pytest.raises(WatchError):
            pipeline.execute()
    assert redis.keys() == [b'seen']


def test_setup_dependencies(redis: Redis, queue: Queue, parent: Job) -> None:
    job = Job.create(jobs.add, connection=redis, depends_on=parent, id='child', origin=queue.name)
    assert queue.setup_dependencies(job) is job
    assert job.is_deferred and job in queue.deferred_job_registry
    ended(parent)
    job = Job.create(jobs.add, connection=redis, depends_on=parent, id='other', origin=queue.name)
    assert queue.setup_dependencies(job).get_status(refresh=False) is JobStatus.CREATED
    assert not Job.exists('other', redis)
    free = Job.create(jobs.add, connection=redis)
    with redis.pipeline() as pipeline:
        assert queue.setup_dependencies(free, pipeline=pipeline) is free
        assert pipeline.explicit_transaction


def test_fetch_dependencies_watches(redis: Redis, queue: Queue, parent: Job) -> None:
    child = wait_for(queue, parent, 'gone')
    with redis.pipeline() as pipeline:
        assert child.fetch_dependencies(watch=True, pipeline=pipeline) == [parent]
        pipeline.multi()
        pipeline.set('x', 1)
        parent.set_status(JobStatus.FAILED)
        with pytest.raises(WatchError):
            pipeline.execute()


# --- asking and going on --------------------------------------------------------------------------------------------


def test_are_they_met(redis: Redis, queue: Queue, parent: Job) -> None:
    child = wait_for(queue, parent, queue.enqueue(jobs.add, job_id='second'))
    assert not child.dependencies_are_met()
    assert not child.dependencies_are_met(parent_job=parent)
    second = ended(Job.fetch('second', redis))
    assert not child.dependencies_are_met()
    assert child.dependencies_are_met(parent_job=parent)
    assert child.dependencies_are_met(exclude_job_id='parent')
    for status, met in (('stopped', False), ('canceled', False), ('failed', False), ('finished', True)):
        parent._status = JobStatus(status)
        assert child.dependencies_are_met(parent_job=parent, refresh_job_status=False) is met
    child.allow_dependency_failures = True
    parent._status = JobStatus.FAILED
    assert child.dependencies_are_met(parent_job=parent, refresh_job_status=False)
    second.delete()
    ended(parent, 'failed')
    assert child.dependencies_are_met()


def test_move_then_enqueue(redis: Redis, queue: Queue, parent: Job) -> None:
    elsewhere = Queue('elsewhere', connection=redis)
    wait_for(queue, parent)
    wait_for(elsewhere, parent, job_id='far')
    wait_for(queue, parent, queue.enqueue(jobs.add, job_id='second'), job_id='two')
    ended(parent)
    ready = queue.move_dependents_to_ready(parent)
    assert ready == {'default': ['child'], 'elsewhere': ['far']}
    assert Job.fetch('child', redis).is_ready_to_enqueue and queue.job_ids == ['second']
    assert queue.ready_job_registry.get_job_ids() == ['child'] and parent.dependent_ids == ['two']
    queue.enqueue_ready_jobs_by_queue(ready)
    assert (queue.job_ids, elsewhere.job_ids, len(queue.ready_job_registry)) == (['second', 'child'], ['far'], 0)
    queue.enqueue_ready_jobs_by_queue(ready)
    assert queue.count == 2
    assert check(redis) == []


def test_a_queue_whose_key_is_broken(redis: Redis, queue: Queue, parent: Job) -> None:
    """What cannot enter it is set aside, and comes back when the key was put right."""
    wait_for(queue, parent)
    ended(parent)
    ready = queue.move_dependents_to_ready(parent)
    redis.set('rq:queue:default', 'x')
    queue.enqueue_ready_jobs_by_queue(ready)
    assert 'one of its keys is broken' in queue.aside['child']
    redis.delete('rq:queue:default')
    assert queue.return_aside('child')
    assert queue.job_ids == ['child'] and len(queue.ready_job_registry) == 0 and queue.aside == {}


def test_ready_jobs_are_left_to_maintenance(redis: Redis, queue: Queue, parent: Job) -> None:
    wait_for(queue, parent)
    ended(parent)
    redis.zadd('rq:ready:default', {'child': 1, 'gone': 1})
    redis.zrem('rq:deferred:default', 'child')
    redis.hset('rq:job:child', 'status', 'ready_to_enqueue')
    assert [job.id for job in queue.ready_job_registry.cleanup()] == ['child']
    assert queue.job_ids == ['child'] and len(queue.ready_job_registry) == 0


def test_move_with_a_pipeline(redis: Redis, queue: Queue, parent: Job) -> None:
    wait_for(queue, parent)
    ended(parent)
    with redis.pipeline() as pipeline:
        with pytest.raises(ValueError):
            queue.move_dependents_to_ready(parent, pipeline=pipeline)
        pipeline.watch(parent.dependents_key)
        assert queue.move_dependents_to_ready(parent, pipeline=pipeline) == {'default': ['child']}
        assert pipeline.explicit_transaction and Job.fetch('child', redis).is_deferred
        pipeline.execute()
    assert Job.fetch('child', redis).is_ready_to_enqueue
    assert check(redis) == []


def test_enqueue_dependents(redis: Redis, queue: Queue, parent: Job) -> None:
    wait_for(queue, parent)
    assert queue.enqueue_dependents(parent) == {'default': ['child']}  # whoever asks says that it has ended
    assert queue.job_ids == ['parent', 'child']
    wait_for(queue, parent, job_id='next')
    ended(parent, 'canceled')
    assert queue.enqueue_dependents(parent) == {}
    assert queue.enqueue_dependents(parent, exclude_job_id='parent') == {'default': ['next']}
    assert check(redis) == []


def test_ready_registry(redis: Redis, queue: Queue, parent: Job) -> None:
    registry = queue.ready_job_registry
    assert isinstance(registry, ReadyJobRegistry) and registry.key == 'rq:ready:default'
    child = wait_for(queue, parent)
    with redis.pipeline() as pipeline:
        registry.register_jobs([child], pipeline)
        assert child.is_deferred
        pipeline.execute()
    assert child.is_ready_to_enqueue and child in registry and child not in queue.deferred_job_registry
    assert [job.id for job in registry.enqueue_jobs(['child', 'parent', 'gone'])] == ['child']
    assert registry.enqueue_jobs(['child']) == [] == registry.enqueue_jobs([])
    assert queue.job_ids == ['parent', 'child']
    assert check(redis) == []


def test_register_dependency_by_hand(redis: Redis, queue: Queue, parent: Job) -> None:
    job = Job.create(jobs.add, connection=redis, depends_on=parent, id='child', origin=queue.name)
    with redis.pipeline() as pipeline:
        job.register_dependency(pipeline)
        assert parent.dependent_ids == []
        pipeline.execute()
    assert (parent.dependent_ids, job.dependency_ids) == (['child'], ['parent'])
    assert job in queue.deferred_job_registry


# --- cancel and delete ----------------------------------------------------------------------------------------------


def test_cancel_and_enqueue(redis: Redis, queue: Queue, parent: Job) -> None:
    child = wait_for(queue, parent)
    assert parent.cancel(enqueue_dependents=True) == {'default': ['child']}
    assert parent.is_canceled and queue.job_ids == ['child'] and child.is_queued
    assert check(redis) == []
    other = queue.enqueue(jobs.add)
    wait_for(queue, other, job_id='next')
    cancel_job(other.id, redis, enqueue_dependents=True)
    assert queue.job_ids == ['child', 'next']


def test_cancel_leaves_those_who_wait(redis: Redis, queue: Queue, parent: Job) -> None:
    child = wait_for(queue, parent)
    assert parent.cancel() == {}
    assert child.is_deferred and queue.count == 0
    child.cancel(remove_from_dependencies=True)
    assert parent.dependent_ids == [] and child.dependency_ids == ['parent']
    assert len(queue.deferred_job_registry) == 0 and child in queue.canceled_job_registry
    assert check(redis) == []


def test_cancel_in_a_pipeline(redis: Redis, queue: Queue, parent: Job) -> None:
    child = wait_for(queue, parent)
    with redis.pipeline() as pipeline:
        with pytest.raises(ValueError):
            parent.cancel(pipeline=pipeline, enqueue_dependents=True)
        pipeline.watch(parent.dependents_key)
        ready = parent.cancel(pipeline=pipeline, enqueue_dependents=True)
        assert ready == {'default': ['child']}
        assert parent.is_queued and child.is_deferred
        pipeline.execute()
    assert parent.is_canceled and child.is_ready_to_enqueue
    assert check(redis) == []
    queue.enqueue_ready_jobs_by_queue(ready)
    assert queue.job_ids == ['child']
    with pytest.raises(InvalidJobOperation), redis.pipeline() as pipeline:
        parent.cancel(pipeline=pipeline)
    assert check(redis) == []


def test_delete(redis: Redis, queue: Queue, parent: Job) -> None:
    child = wait_for(queue, parent)
    parent.delete()
    assert child.is_queued and queue.job_ids == ['child']
    assert check(redis) == []


@pytest.mark.parametrize('in_a_pipeline', [False, True])
def test_delete_with_dependents(redis: Redis, queue: Queue, parent: Job, in_a_pipeline: bool) -> None:
    child = wait_for(queue, parent)
    grandchild = wait_for(queue, child, job_id='grandchild')
    if in_a_pipeline:
        with redis.pipeline() as pipeline:
            parent.delete(pipeline=pipeline, delete_dependents=True)
            assert child.is_deferred
            pipeline.execute()
    else:
        parent.delete(delete_dependents=True)
    assert not any(Job.exists(job.id, redis) for job in (parent, child, grandchild))
    assert len(queue.deferred_job_registry) == queue.count == 0
    assert redis.keys('*depend*') == [] and check(redis) == []


def test_delete_dependents(redis: Redis, queue: Queue, parent: Job) -> None:
    wait_for(queue, parent)
    parent.delete_dependents()
    assert parent.is_queued and not Job.exists('child', redis) and redis.keys('*depend*') == []
    assert check(redis) == []


def test_empty_queue_lets_them_go(redis: Redis, queue: Queue, parent: Job) -> None:
    far = wait_for(Queue('elsewhere', connection=redis), parent, job_id='far')
    assert queue.empty() == 1
    assert far.is_queued and check(redis) == []


# --- synchronous queues -----------------------------------------------------------------------------------------------


def test_a_synchronous_queue(redis: Redis, queue: Queue, parent: Job) -> None:
    here = Queue('here', connection=redis, is_async=False)
    child = wait_for(here, parent)
    assert child.is_deferred and child in here.deferred_job_registry
    burst(redis, queue)
    assert child.is_queued and here.job_ids == ['child']  # it needs a worker now
    assert wait_for(here, parent, job_id='next').is_finished
    assert check(redis) == []
