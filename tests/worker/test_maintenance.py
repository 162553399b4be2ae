"""Maintenance, the worker sets, and the rules of the constructor."""

import os
import socket
import sys
import warnings
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import ResponseError

import rq.worker
from rq import Queue, SimpleWorker, Worker
from rq.intermediate_queue import IntermediateQueue
from rq.job import Job
from rq.utils import current_timestamp
from rq.worker import BaseWorker, WorkerStatus, base, life
from tests import jobs
from tests.invariants import check
from tests.launch import burst, told


def test_locks(redis: Redis, queue: Queue) -> None:
    worker = Worker([queue], maintenance_interval=100)
    assert worker.should_run_maintenance_tasks
    redis.zadd('rq:finished:default', {'gone': 1})
    redis.set('rq:clean_registries:default', 1)
    worker.run_maintenance_tasks()
    assert redis.zcard('rq:finished:default') == 1, 'somebody else does it'
    redis.delete('rq:clean_registries:default', 'rq:clean_groups')
    worker.run_maintenance_tasks()
    assert redis.zcard('rq:finished:default') == 0 and not redis.exists('rq:clean_registries:default')
    assert 97 <= redis.ttl('rq:clean_groups') <= 99
    assert worker.last_cleaned_at and not worker.should_run_maintenance_tasks


def test_abandoned_jobs_are_failed_in_place(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(jobs.add)
    queue.remove(job)
    lost = Worker([queue], name='lost')
    execution = lost.prepare_execution(job)
    lost.prepare_job_execution(job)
    redis.zadd('rq:wip:default', {execution.composite_key: 1})
    redis.zrem('rq:leases:default', execution.composite_key)
    Worker([queue], exception_handlers=[jobs.foo_handler]).run_maintenance_tasks()
    assert job.is_failed and told(redis) == [f'foo {job.id} AbandonedJobError False'] and check(redis) == []


@pytest.mark.parametrize('seen', [None, 30, 90])
def test_intermediate_list(redis: Redis, queue: Queue, seen: int | None) -> None:
    parked, started = queue.enqueue(jobs.add), queue.enqueue(jobs.add)
    waiting = IntermediateQueue(queue.key, redis)
    redis.delete(queue.key)
    for job_id in (parked.id, 'gone', started.id):
        redis.rpush(waiting.key, job_id)
    worker = Worker([queue])
    worker.prepare_execution(started)
    if seen is not None:
        redis.set(waiting.get_first_seen_key(parked.id), current_timestamp() - seen)
    waiting.cleanup(worker, queue)
    if seen == 90:
        assert waiting.get_job_ids() == [started.id] and queue.job_ids == [parked.id] and parked.is_queued
        assert not redis.exists(waiting.get_first_seen_key(parked.id))
    else:
        assert waiting.get_job_ids() == [parked.id, started.id] and queue.job_ids == []
        assert waiting.get_first_seen(parked.id) and waiting.get_first_seen(started.id) is None


def test_a_parked_job_that_ended_elsewhere_is_dropped(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(jobs.add)
    burst(redis, queue)
    waiting = IntermediateQueue(queue.key, redis)
    redis.rpush(waiting.key, job.id)
    redis.set(waiting.get_first_seen_key(job.id), 1)
    Worker([queue]).clean_registries()
    assert waiting.get_job_ids() == [] and job.is_finished and check(redis) == []


def test_worker_sets(redis: Redis, queue: Queue) -> None:
    one = Worker([queue, Queue('other', connection=redis)], name='one')
    life.register(one)
    assert redis.scard('rq:workers') == redis.scard('rq:workers:other') == 1
    assert life.get_keys(queue=queue) == life.get_keys(connection=redis) == {'rq:worker:one'}
    with pytest.raises(ValueError):
        life.get_keys()
    life.clean_worker_registry(queue)
    assert not redis.exists('rq:workers') and not redis.exists('rq:workers:default')
    with redis.pipeline() as pipeline:
        life.register(one, pipeline)
        life.unregister(one, pipeline)
        pipeline.execute()
    assert not redis.exists('rq:workers') and not redis.exists('rq:workers:default')
    redis.sadd('rq:workers', 'rq:worker:gone')
    assert Worker.find_by_key('rq:worker:gone', redis) is None and not redis.exists('rq:workers')


def test_reading_back(redis: Redis, queue: Queue) -> None:
    worker = Worker([queue], name='w')
    worker.register_birth()
    worker.set_state(WorkerStatus.IDLE)
    found = Worker.find_by_key(worker.key, redis)
    assert found == worker and found is not None and found.get_state() == 'idle' and found.pubsub is None
    assert (found.pid, found.hostname, found.python_version) == (os.getpid(), socket.gethostname(), sys.version)
    assert Worker.all(queue=queue) == [worker] and Worker.count(redis) == 1
    with pytest.raises(TypeError):
        bool(worker == SimpleWorker([queue], name='w'))


def test_constructor(redis: Redis, queue: Queue) -> None:
    client = Redis(unix_socket_path=redis.connection_pool.connection_kwargs['path'])
    assert client.connection_pool.connection_kwargs.get('socket_timeout') != 415
    worker = Worker('a', connection=client)
    assert (worker.worker_ttl, worker.dequeue_timeout, worker.connection_timeout) == (420, 405, 415)
    assert client.connection_pool.connection_kwargs['socket_timeout'] == 415
    client.connection_pool.connection_kwargs['socket_timeout'] = 1000
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        worker = Worker(['a'], connection=client, default_worker_ttl=10, prepare_for_work=False)
    assert [one.category for one in caught] == [DeprecationWarning]
    assert (worker.worker_ttl, worker.dequeue_timeout, worker.hostname, worker.pid) == (10, 1, None, None)
    assert client.connection_pool.connection_kwargs['socket_timeout'] == 1000
    for wrong in (1, [queue, 2]):
        with pytest.raises(TypeError, match='is not of type'):
            Worker(wrong, connection=redis)
    worker.queues.append(3)
    with pytest.raises(TypeError, match='is not of type'):
        worker.validate_queues()


@pytest.mark.parametrize(
    'broken, address', [((), 'here'), (('info',), 'listed'), (('info', 'list'), 'unknown'), (('setname',), 'unknown')]
)
def test_address(redis: Redis, queue: Queue, monkeypatch: Any, broken: Any, address: str) -> None:
    answers = {'info': {'addr': 'here'}, 'setname': True, 'list': [{'name': 'x'}, {'name': 'w', 'addr': 'listed'}]}

    def answer(name: str) -> Any:
        if name in broken:
            raise ResponseError('unknown command')
        return answers[name]

    for name in answers:
        monkeypatch.setattr(redis, f'client_{name}', lambda *args, name=name: answer(name))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        assert Worker([queue], name='w').ip_address == address
    said = [str(one.message).split(' command')[0] for one in caught]
    assert said == [f'CLIENT {name.upper()}' for name in broken if name != 'info']  # without INFO there is the LIST


def test_public_names() -> None:
    for name in ('WorkerStatus', 'SHUTDOWN_SIGNAL', 'DequeueStrategy', 'signal_name', 'BaseWorker'):
        assert getattr(rq.worker, name) is getattr(base, name)
    assert base.PUBSUB_CHANNEL_TEMPLATE % 'w' == 'rq:pubsub:w' and base.SHUTDOWN_SIGNAL == 9
    assert base.WORKER_EXECUTIONS_KEY_TEMPLATE.format('w') == 'rq:worker:w:executions'
    assert base.setprocname('rq: tests') is None  # type: ignore[func-returns-value]
    assert [one.value for one in WorkerStatus] == ['started', 'suspended', 'busy', 'idle']
    assert BaseWorker.exponential_backoff_factor == 2.0 and BaseWorker.max_connection_wait_time == 60.0
    assert Job.redis_job_namespace_prefix == 'rq:job:'
