"""Who wraps a seam finds the outcome written when the original returns; what subclasses replace is used."""

from typing import Any

import pytest
from redis import Redis

from rq import Callback, Queue, SimpleWorker, Worker
from rq.job import Job
from rq.worker import BaseWorker
from tests import jobs
from tests.launch import burst, told

BOTH = pytest.mark.parametrize('cls', [Worker, SimpleWorker])


@BOTH
@pytest.mark.parametrize('name', ['perform_job', 'handle_job_success', 'handle_job_failure'])
def test_what_wraps_worker_alone_is_used_by_simple_worker_too(
    redis: Redis, queue: Queue, monkeypatch: Any, cls: Any, name: str
) -> None:
    original = getattr(Worker, name)

    def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        self.connection.rpush('test:told', name)
        return original(self, *args, **kwargs)

    monkeypatch.setattr(Worker, name, wrapper)
    job = queue.enqueue(jobs.div if 'failure' in name else jobs.add)
    burst(redis, queue, cls=cls)
    assert told(redis) == [name]
    assert job.get_status().value == ('failed' if 'failure' in name else 'finished')


@BOTH
@pytest.mark.parametrize('name', ['perform_job', 'execute_job'])
@pytest.mark.parametrize('func, status', [(jobs.add, 'finished'), (jobs.div, 'failed'), (jobs.returns_retry, 'queued')])
def test_the_outcome_is_written(
    redis: Redis, queue: Queue, monkeypatch: Any, cls: Any, name: str, func: Any, status: str
) -> None:
    original = getattr(BaseWorker, name)

    def wrapper(self: Any, job: Any, *rest: Any) -> Any:
        result = original(self, job, *rest)
        job.connection.rpush('test:told', f'{job.get_status(refresh=True).value}')
        return result

    monkeypatch.setattr(BaseWorker, name, wrapper)
    queue.enqueue(func)
    queue.enqueue(func, at_front=True)
    burst(redis, queue, cls=cls, max_jobs=2)
    assert told(redis) == [status, status]


@BOTH
def test_of_a_killed_horse_too(redis: Redis, queue: Queue, cls: Any) -> None:
    class Watching(cls):  # type: ignore[misc]
        def execute_job(self, job: Any, queue: Any) -> None:
            super().execute_job(job, queue)
            job.connection.rpush('test:told', job.get_status().value)

    queue.enqueue(jobs.kills_itself if cls is Worker else jobs.div)
    burst(redis, queue, cls=Watching, max_jobs=1)
    assert told(redis) == ['failed']


@BOTH
@pytest.mark.parametrize('word, func', [('success', jobs.add), ('failure', jobs.div)])
def test_callbacks_through_the_job(
    redis: Redis, queue: Queue, monkeypatch: Any, cls: Any, word: str, func: Any
) -> None:
    original = getattr(Job, f'execute_{word}_callback')

    def wrapper(self: Any, *rest: Any) -> Any:
        self.connection.rpush('test:told', 'wrapped')
        return original(self, *rest)

    monkeypatch.setattr(Job, f'execute_{word}_callback', wrapper)
    told_by = Callback(jobs.on_success if word == 'success' else jobs.on_failure)
    job = queue.enqueue(func, **{f'on_{word}': told_by})
    burst(redis, queue, cls=cls)
    first, second = told(redis)
    assert first == 'wrapped' and second.startswith(f'{word} {job.id}')


class Executing(Job):
    """A job class that calls in its own way, as those of flask-rq and django-tasks-rq do."""

    def _execute(self) -> Any:
        if self.kwargs:
            raise SystemExit(self.kwargs['code'])
        return ['mine', *self.args]


@BOTH
def test_execute_of_a_job_class(redis: Redis, cls: Any) -> None:
    queue = Queue(connection=redis, job_class=Executing)
    good, bad = queue.enqueue(jobs.exits, 1), queue.enqueue(jobs.exits, code=4)
    burst(redis, queue, cls=cls, job_class=Executing)
    assert good.return_value() == ['mine', 1]
    assert bad.get_status() == 'failed' and 'SystemExit: 4' in bad.latest_result().exc_string
