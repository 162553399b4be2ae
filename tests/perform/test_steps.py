"""The steps of a run: what counts as success, as failure, and how each is classified."""

from typing import Any

import pytest
from redis import Redis

from rq import Queue, SimpleWorker, Worker, get_current_job
from rq.exceptions import NotImportableError, PayloadError
from rq.failure.capture import Kind
from rq.perform import context, success
from rq.perform.steps import classify
from rq.timeouts import JobTimeoutException
from tests import jobs
from tests.launch import burst


@pytest.mark.parametrize(
    'called, error, kind',
    [
        (False, PayloadError('x'), Kind.UNDECODABLE),
        (False, NotImportableError('x'), Kind.NOT_IMPORTABLE),
        (False, SystemExit(0), Kind.NOT_IMPORTABLE),
        (True, SystemExit(0), Kind.RAISED),
        (True, NotImportableError('x'), Kind.RAISED),
        (True, ValueError('x'), Kind.RAISED),
        (True, JobTimeoutException('x'), Kind.TIMED_OUT),
        (False, JobTimeoutException('x'), Kind.TIMED_OUT),
    ],
)
def test_kinds(redis: Redis, queue: Queue, called: bool, error: BaseException, kind: Kind) -> None:
    job: Any = queue.create_job(jobs.add)
    job._called = called
    assert classify(job, error, SimpleWorker([queue], connection=redis)).kind is kind


def test_context(redis: Redis, queue: Queue) -> None:
    job = queue.create_job(jobs.add)
    token = context.enter(job)
    assert get_current_job() is job
    context.leave(token)
    assert get_current_job() is None


def test_result_of_none_is_not_stored(redis: Redis, queue: Queue) -> None:
    job: Any = queue.create_job(jobs.add)
    assert success.dump_result(job, None) is None and success.dump_result(job, 0) is not None


@pytest.mark.parametrize('cls', [Worker, SimpleWorker])
def test_falsy_instances_and_no_limit(redis: Redis, queue: Queue, cls: Any) -> None:
    job = queue.enqueue(Empty().size, job_timeout=-1)
    burst(redis, queue, cls=cls)
    assert job.return_value() == 0 and job.is_finished


class Empty:
    def __len__(self) -> int:
        return 0

    def size(self) -> int:
        return len(self)
