"""The chain of handlers and the steps around it: order, fences, who is told, and that the outcome is one."""

import logging
from typing import Any

import pytest
from redis import Redis

from rq import Callback, Queue, Retry, SimpleWorker, Worker
from rq.job import Job
from tests import jobs
from tests.invariants import check
from tests.launch import burst, told


@pytest.mark.parametrize('cls', [Worker, SimpleWorker])
@pytest.mark.parametrize('what', jobs.HARD)
def test_hard_ones_cost_one_job(redis: Redis, queue: Queue, cls: Any, what: str) -> None:
    bad, good = queue.enqueue(jobs.raises, what), queue.enqueue(jobs.add)
    burst(redis, queue, cls=cls, exception_handlers=[jobs.foo_handler])
    assert bad.is_failed and good.is_finished and len(told(redis)) == 1
    result: Any = bad.latest_result()
    assert 0 < len(result.exc_string.encode()) <= 65536
    assert check(redis) == []


@pytest.mark.parametrize('cls', [Worker, SimpleWorker])
def test_order_of_the_steps(redis: Redis, queue: Queue, cls: Any) -> None:
    job = queue.enqueue(jobs.div, on_failure=Callback(jobs.on_failure))
    burst(redis, queue, cls=cls, exception_handlers=[jobs.sees_the_state, jobs.foo_handler])
    assert told(redis) == [
        f'failure {job.id} ZeroDivisionError division by zero failed started',
        'True started failed',
        f'foo {job.id} ZeroDivisionError True',
    ]


@pytest.mark.parametrize('cls', [Worker, SimpleWorker])
def test_a_handler_that_raises_does_not_end_the_chain(redis: Redis, queue: Queue, cls: Any) -> None:
    job = queue.enqueue(jobs.div, retry=Retry(max=1))
    burst(redis, queue, cls=cls, exception_handlers=[jobs.raising_handler, 5, jobs.foo_handler, jobs.add])
    assert [word.split()[0] for word in told(redis)] == ['raising', 'foo'] * 2
    result: Any = job.latest_result()
    text = result.exc_string
    assert text.startswith('Traceback') and text.index('ZeroDivisionError') < text.index('the handler broke')
    assert job.is_failed and check(redis) == []


def test_a_handler_may_change_the_retries(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(jobs.note_and_fail, 'ran', retry=Retry(max=3))
    burst(redis, queue, exception_handlers=[jobs.gives_up])
    assert told(redis, 'test:marks') == ['ran'] and job.is_failed
    job.refresh()
    assert job.retries_left == 0


@pytest.mark.parametrize('cls', [Worker, SimpleWorker])
@pytest.mark.parametrize('value', ['many', None, -1])
def test_a_handler_may_change_them_to_nonsense(redis: Redis, queue: Queue, cls: Any, value: Any) -> None:
    def nonsense(job: Job, *exc_info: Any) -> None:
        job.retries_left = value

    bad, good = queue.enqueue(jobs.div, retry=Retry(max=1)), queue.enqueue(jobs.add)
    burst(redis, queue, cls=cls, exception_handlers=[nonsense])
    assert bad.is_failed and good.is_finished and check(redis) == []


def test_a_deadly_handler_is_begun_twice_at_most(redis: Redis, queue: Queue) -> None:
    job, good = queue.enqueue(jobs.div), queue.enqueue(jobs.add)
    burst(redis, queue, exception_handlers=[jobs.foo_handler, jobs.deadly_handler])
    assert [word.split()[0] for word in told(redis)] == ['foo', 'deadly'] * 2
    result: Any = job.latest_result()
    assert job.is_failed and 'ZeroDivisionError' in result.exc_string and good.is_finished
    assert check(redis) == []


@pytest.mark.parametrize('func', [jobs.killed_raises, jobs.killed_gives_up])
def test_killed_handlers_are_fenced(redis: Redis, queue: Queue, func: Any) -> None:
    job, good = queue.enqueue(jobs.leaves, 7, retry=Retry(max=1)), queue.enqueue(jobs.add)
    burst(redis, queue, work_horse_killed_handler=func)
    assert job.is_failed and good.is_finished
    job.refresh()
    assert job.retries_left == 0


def test_killed_handler_with_nonsense(redis: Redis, queue: Queue) -> None:
    def nonsense(job: Job, *rest: Any) -> None:
        job.retries_left = 'many'  # type: ignore[assignment]
        job.description = object()  # type: ignore[assignment]

    job, good = queue.enqueue(jobs.leaves, 7, retry=Retry(max=1)), queue.enqueue(jobs.add)
    burst(redis, queue, work_horse_killed_handler=nonsense)
    assert job.is_failed and good.is_finished and check(redis) == []


def test_the_log_record_of_a_failure(redis: Redis, queue: Queue, caplog: Any) -> None:
    job = queue.enqueue(jobs.div, 3, y=0)
    with caplog.at_level(logging.INFO):
        burst(redis, queue, cls=SimpleWorker, name='w')
    (record,) = [one for one in caplog.records if one.levelno == logging.ERROR]
    assert f'Worker w: job {job.id}: exception raised while executing (tests.jobs.div)' in record.getMessage()
    assert 'ZeroDivisionError' in record.getMessage()
    assert (record.func, record.arguments, record.kwargs) == ('tests.jobs.div', (3,), {'y': 0})
    assert (record.queue, record.job_id) == ('default', job.id)


def test_the_log_record_of_an_undecodable_job(redis: Redis, queue: Queue, caplog: Any) -> None:
    job = queue.enqueue(jobs.add)
    redis.hset(job.key, 'data', b'junk')
    burst(redis, queue, cls=SimpleWorker)
    (record,) = [one for one in caplog.records if one.levelno == logging.ERROR]
    assert '(<DeserializationError>)' in record.getMessage() and not hasattr(record, 'arguments')


def test_failing_jobs_count_as_failed(redis: Redis, queue: Queue) -> None:
    queue.enqueue(jobs.div, retry=Retry(max=2))
    queue.enqueue(jobs.leaves, 1)
    queue.enqueue(jobs.add)
    worker = burst(redis, queue)
    worker.refresh()
    assert (worker.failed_job_count, worker.successful_job_count) == (4, 1)
    assert worker.total_working_time > 0


def test_canceled_while_it_ran_and_failed(redis: Redis, queue: Queue) -> None:
    """Its settle is lost: nothing written; handlers are not told, because the note is refused."""
    job = queue.enqueue('tests.failure.test_chain.cancels_itself_and_fails', on_failure=Callback(jobs.on_failure))
    burst(redis, queue, exception_handlers=[jobs.foo_handler])
    assert job.is_canceled and told(redis) == [] and job.results() == []
    assert check(redis) == []


def cancels_itself_and_fails() -> None:
    job: Any = jobs.get_current_job()
    Job.fetch(job.id, job.connection).cancel()
    raise ValueError('too late')


def deletes_itself() -> str:
    job: Any = jobs.get_current_job()
    Job.fetch(job.id, job.connection).delete()
    return 'gone'


@pytest.mark.parametrize('cls', [Worker, SimpleWorker])
def test_deleted_while_it_ran(redis: Redis, queue: Queue, cls: Any) -> None:
    job, good = queue.enqueue('tests.failure.test_chain.deletes_itself'), queue.enqueue(jobs.add)
    burst(redis, queue, cls=cls)
    assert not Job.exists(job.id, redis) and good.is_finished and check(redis) == []
    assert redis.keys(f'*{job.id}*') == []
