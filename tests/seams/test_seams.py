"""Names that tracers and error trackers replace at run time are still called, once per job, by every worker."""

import logging
from datetime import timedelta
from typing import Any

import pytest
from redis import Redis

from rq import Queue, SimpleWorker, Worker, requeue_job
from rq.job import Job
from rq.worker import BaseWorker
from tests import jobs
from tests.launch import burst, told

BOTH = pytest.mark.parametrize('cls', [Worker, SimpleWorker])


def replace(monkeypatch: Any, redis: Redis, holder: Any, name: str) -> None:
    """Put a wrapper in the place of a method, which notes on the server that it was called (also from a horse)."""
    original = getattr(holder, name)

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        client = Redis(unix_socket_path=redis.connection_pool.connection_kwargs['path'])
        client.rpush('test:told', name)
        return original(*args, **kwargs)

    is_class_method = isinstance(holder.__dict__.get(name), classmethod)
    monkeypatch.setattr(holder, name, staticmethod(wrapper) if is_class_method else wrapper)


@BOTH
@pytest.mark.parametrize(
    'holder, name, func',
    [
        (Job, 'perform', jobs.add),
        (BaseWorker, 'perform_job', jobs.add),
        (BaseWorker, 'execute_job', jobs.add),
        (BaseWorker, 'handle_exception', jobs.div),
        (BaseWorker, 'handle_job_success', jobs.add),
        (BaseWorker, 'handle_job_failure', jobs.div),
        (BaseWorker, 'handle_job_retry', jobs.returns_retry),
        (BaseWorker, 'prepare_job_execution', jobs.add),
        (BaseWorker, 'prepare_execution', jobs.add),
        (BaseWorker, 'handle_execution_ended', jobs.add),
        (BaseWorker, 'bootstrap', jobs.add),
        (BaseWorker, 'teardown', jobs.add),
    ],
)
def test_of_the_worker(
    redis: Redis, queue: Queue, monkeypatch: Any, cls: Any, holder: Any, name: str, func: Any
) -> None:
    replace(monkeypatch, redis, holder, name)
    job = queue.enqueue(func)
    burst(redis, queue, cls=cls, max_jobs=1)
    assert told(redis) == [name]
    assert job.get_status() in ('finished', 'failed', 'queued')


@pytest.mark.parametrize('name', ['enqueue_job', '_enqueue_job', 'setup_dependencies', 'enqueue_call', 'create_job'])
def test_of_the_queue(redis: Redis, queue: Queue, monkeypatch: Any, name: str) -> None:
    replace(monkeypatch, redis, Queue, name)
    queue.enqueue(jobs.add)
    assert told(redis) == [name] and queue.count == 1


def test_schedule_and_fetch(redis: Redis, queue: Queue, monkeypatch: Any) -> None:
    replace(monkeypatch, redis, Queue, 'schedule_job')
    job = queue.enqueue_in(timedelta(1), jobs.add)
    assert told(redis) == ['schedule_job'] and job.is_scheduled
    replace(monkeypatch, redis, Job, 'fetch')
    replace(monkeypatch, redis, Queue, 'fetch_job')
    assert queue.fetch_job(job.id) == job
    assert told(redis)[1:] == ['fetch_job', 'fetch']
    queue.scheduled_job_registry.requeue(job.id)
    with pytest.raises(Exception, match='not in'):
        requeue_job(job.id, redis)
    assert told(redis)[3:] == ['fetch', 'fetch']


@BOTH
def test_what_is_read(redis: Redis, queue: Queue, monkeypatch: Any, cls: Any) -> None:
    seen = BaseWorker.perform_job

    def perform_job(self: Any, job: Any, queue: Any, *rest: Any) -> bool:
        job.connection.rpush('test:told', f'{self.is_horse} {job._status.value} {queue.name} {len(rest)}')
        return seen(self, job, queue, *rest)

    monkeypatch.setattr(BaseWorker, 'perform_job', perform_job)
    queue.enqueue(jobs.add)
    worker = burst(redis, queue, cls=cls)
    assert told(redis) == ['True started default 1'] and worker.is_horse is False


@BOTH
def test_perform_job_without_an_execution(redis: Redis, queue: Queue, cls: Any) -> None:
    class Older(cls):  # type: ignore[misc]
        def perform_job(self, job: Any, queue: Any) -> bool:  # type: ignore[override]
            return bool(super().perform_job(job, queue))

        def execute_job(self, job: Any, queue: Any) -> None:
            job.connection.rpush('test:told', 'mine')
            super().execute_job(job, queue)

    job = queue.enqueue(jobs.add)
    try:
        burst(redis, queue, cls=Older)
    except TypeError:
        pytest.fail('perform_job must be callable with job and queue alone')
    assert told(redis) == ['mine'] and job.get_status() in ('finished', 'failed')


def test_loggers() -> None:
    import rq.command  # noqa: F401
    import rq.registry  # noqa: F401

    for name in ('rq.worker', 'rq.job', 'rq.queue', 'rq.registry'):
        assert name in logging.Logger.manager.loggerDict
    assert logging.getLogger('rq.worker').level == logging.INFO
