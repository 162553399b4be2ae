"""is_async=False: the job runs where it is enqueued."""

from typing import Any

import pytest
from redis import Redis

from rq import Callback, Queue, Retry
from rq.exceptions import DuplicateJobError
from rq.job import Job
from tests import jobs
from tests.invariants import check
from tests.launch import told


@pytest.fixture
def here(redis: Redis) -> Queue:
    return Queue(connection=redis, is_async=False)


def test_success(redis: Redis, here: Queue) -> None:
    job = here.enqueue(jobs.add, 2, 3, on_success=Callback(jobs.on_success))
    assert (job.get_status(), job.return_value(), job.worker_name) == ('finished', 5, 'sync')
    assert job in here.finished_job_registry and here.count == 0
    assert told(redis) == [f'success {job.id} 5 finished']
    fetched = Job.fetch(job.id, redis)
    assert fetched.started_at and fetched.ended_at and 495 < redis.ttl(job.key) <= 500
    assert check(redis) == []


def test_failure_is_recorded_not_raised(redis: Redis, here: Queue) -> None:
    job = here.enqueue(jobs.div, on_failure=Callback(jobs.on_failure), retry=Retry(max=3))
    result: Any = job.latest_result()
    assert job.is_failed and 'ZeroDivisionError' in result.exc_string and job in here.failed_job_registry
    assert len(told(redis)) == 1
    assert check(redis) == []


def test_result_that_is_not_kept(redis: Redis, here: Queue) -> None:
    job = here.enqueue(jobs.add, result_ttl=0, on_success=Callback(jobs.on_success))
    assert not Job.exists(job.id, redis) and len(told(redis)) == 1 and len(here.finished_job_registry) == 0


def test_result_that_cannot_be_stored(redis: Redis, here: Queue) -> None:
    job = here.enqueue('tests.street.test_sync.lambda_maker')
    assert job.is_finished and job.return_value() == 'Unserializable return value'


def lambda_maker() -> Any:
    return lambda: None


def test_errors_of_callbacks_are_raised(redis: Redis, here: Queue) -> None:
    with pytest.raises(KeyError):
        here.enqueue(jobs.add, on_success=Callback(jobs.raising_callback), job_id='mine')
    assert Job.fetch('mine', redis).is_finished


def test_later_needs_a_worker(redis: Redis, here: Queue) -> None:
    from datetime import timedelta

    assert here.enqueue_in(timedelta(hours=1), jobs.add).is_scheduled


def test_the_same_id_again(redis: Redis, here: Queue) -> None:
    here.enqueue(jobs.div, job_id='mine')
    job = here.enqueue(jobs.add, job_id='mine')
    assert job.is_finished and len(here.failed_job_registry) == 0
    assert check(redis) == []


def test_bulk_and_current_job(redis: Redis, here: Queue) -> None:
    made = here.enqueue_many([Queue.prepare_data(jobs.current), Queue.prepare_data(jobs.div)])
    assert [job.get_status() for job in made] == ['finished', 'failed']
    assert made[0].return_value() is not None and made[0].return_value()[0] == made[0].id


def test_unusable_functions(redis: Redis, here: Queue) -> None:
    assert here.enqueue('no.where').is_failed
    assert here.enqueue(jobs.exits).is_failed


def test_unique(redis: Redis, here: Queue) -> None:
    assert here.enqueue(jobs.add, job_id='once', unique=True).is_finished
    with pytest.raises(DuplicateJobError):
        here.enqueue(jobs.add, job_id='once', unique=True)
    assert redis.xlen('rq:results:once') == 1
