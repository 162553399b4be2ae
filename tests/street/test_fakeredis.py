"""Synchronous queues in programs' tests: plain fakeredis, which has no `eval`, is all they need. No mock of ours."""

from typing import Any

import pytest
from fakeredis import FakeRedis

from rq import Callback, Queue, Retry
from rq.exceptions import DuplicateJobError
from rq.job import Job
from tests import jobs

SEEN: list[Any] = []


def note_success(job: Job, connection: Any, result: Any) -> None:
    SEEN.append((job.id, result))


def note_failure(job: Job, connection: Any, *exc_info: Any) -> None:
    SEEN.append((job.id, exc_info[0].__name__))


@pytest.fixture
def here() -> Queue:
    SEEN.clear()
    connection = FakeRedis()
    with pytest.raises(Exception, match=r'(?i)unknown command|eval'):
        connection.eval('return 1', 0)  # should it learn Lua one day, this suite would prove less than it says
    return Queue(is_async=False, connection=connection)


def test_success(here: Queue) -> None:
    job = here.enqueue(jobs.add, 1, 2, job_id='j', on_success=Callback(note_success), meta={'a': 1})
    assert (job.get_status().value, job.return_value(), SEEN) == ('finished', 3, [('j', 3)])
    assert (here.count, here.finished_job_registry.get_job_ids()) == (0, ['j'])
    assert Job.fetch('j', connection=here.connection).meta == {'a': 1}


def test_failure(here: Queue) -> None:
    job = here.enqueue(jobs.div, job_id='j', on_failure=Callback(note_failure), retry=Retry(max=3))
    assert (job.get_status().value, SEEN) == ('failed', [('j', 'ZeroDivisionError')])
    latest = job.latest_result()
    assert latest is not None and 'ZeroDivisionError' in (latest.exc_string or '')
    assert here.failed_job_registry.get_job_ids() == ['j']


def test_result_ttl_0(here: Queue) -> None:
    here.enqueue(jobs.add, 1, 2, job_id='j', result_ttl=0, on_success=Callback(note_success))
    assert SEEN == [('j', 3)] and not Job.exists('j', here.connection)


def test_many(here: Queue) -> None:
    made = here.enqueue_many([Queue.prepare_data(jobs.add, (number, 1)) for number in range(3)])
    assert [job.return_value() for job in made] == [1, 2, 3]


def test_a_dependency_that_is_met(here: Queue) -> None:
    first = here.enqueue(jobs.add, 1, 2)
    second = here.enqueue(jobs.add, 1, 2, depends_on=first)
    assert second.get_status().value == 'finished'


def test_unique(here: Queue) -> None:
    here.enqueue(jobs.add, 1, 2, job_id='j', unique=True)
    with pytest.raises(DuplicateJobError):
        here.enqueue(jobs.add, 1, 2, job_id='j', unique=True)


def test_again_under_the_same_id(here: Queue) -> None:
    here.enqueue(jobs.div, job_id='j')
    job = here.enqueue(jobs.add, 1, 2, job_id='j')
    assert job.get_status().value == 'finished'
    assert (len(here.failed_job_registry), here.finished_job_registry.get_job_ids()) == (0, ['j'])
