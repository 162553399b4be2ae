"""Execution and its registry: looked at while a job runs; made by hand."""

import inspect
import signal
from datetime import UTC, datetime

import pytest
from redis import Redis

from rq import Queue
from rq.executions import Execution, ExecutionRegistry
from tests import jobs
from tests.launch import Launch, marked

SIGNATURES = {
    '__init__': 'self id job_id connection worker_name',
    'create': 'job ttl pipeline worker_name',
    'fetch': 'id job_id connection',
    'from_composite_key': 'composite_key connection',
    'heartbeat': 'self started_job_registry ttl pipeline',
    'save': 'self ttl pipeline',
    'delete': 'self job pipeline',
}


@pytest.mark.parametrize('name', SIGNATURES)
def test_signature(name: str) -> None:
    assert list(inspect.signature(getattr(Execution, name)).parameters) == SIGNATURES[name].split()


def test_while_it_runs(redis: Redis, queue: Queue, launch: Launch) -> None:
    job = queue.enqueue(jobs.gate)
    worker = launch('default', name='busy')
    marked(redis, 'at gate')
    (execution,) = job.get_executions()
    assert (execution.job_id, execution.worker_name, execution.job) == (job.id, 'busy', job)
    assert abs((datetime.now(UTC) - execution.created_at).total_seconds()) < 10
    assert execution.key == f'rq:execution:{job.id}:{execution.id}' and redis.ttl(execution.key) > 0
    assert execution == Execution.fetch(execution.id, job.id, redis)
    assert execution == Execution.from_composite_key(execution.composite_key, redis)
    assert redis.smembers('rq:worker:busy:executions') == {execution.composite_key.encode()}
    assert len(job.execution_registry) == job.execution_registry.count == 1
    assert job in queue.started_job_registry and queue.started_job_registry.count == 1
    redis.rpush('test:gate', 1)
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 0
    assert job.get_executions() == [] and redis.keys('rq:execution*') == [] and job.is_finished
    with pytest.raises(ValueError, match=execution.id):
        execution.refresh()


def test_made_by_hand(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(jobs.add)
    with redis.pipeline() as pipeline:
        execution = Execution.create(job, 100, pipeline, 'mine')
        assert redis.keys('rq:execution*') == []
        pipeline.execute()
    assert len(execution.id) == 32 and job.get_executions() == [execution]
    assert 95 < redis.ttl(execution.key) <= 100 < redis.ttl(f'rq:executions:{job.id}') <= 160
    assert queue.started_job_registry.get_job_and_execution_ids() == [(job.id, execution.id)]
    with redis.pipeline() as pipeline:
        execution.heartbeat(queue.started_job_registry, 500, pipeline)
        pipeline.execute()
    assert redis.ttl(execution.key) > 400
    with redis.pipeline() as pipeline:
        execution.delete(job, pipeline)
        pipeline.execute()
    assert redis.keys('rq:execution*') == redis.keys('rq:wip*') == redis.keys('rq:worker*') == []


def test_members_whose_time_is_over(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(jobs.add)
    registry = ExecutionRegistry(job.id, redis)
    redis.zadd(registry.key, {'over': 1, 'hashless': 9_999_999_999})
    assert registry.get_execution_ids() == ['hashless'] and registry.get_executions() == []
    assert redis.zcard(registry.key) == 2
    registry.cleanup()
    assert redis.zrange(registry.key, 0, -1) == [b'hashless']
    job.cancel()
    job.delete()
