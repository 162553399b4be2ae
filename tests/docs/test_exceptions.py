"""The programs of the documentation about failures, as they stand there; only what surrounds them is ours."""

from typing import Any

from redis import Redis

from rq import Queue, Retry, Worker
from rq.job import Job
from rq.registry import FailedJobRegistry
from tests import jobs
from tests.invariants import check
from tests.jobs import bar_handler, black_hole, div, foo_handler
from tests.launch import burst, told


def test_failed_jobs_and_why(redis: Redis, capsys: Any) -> None:
    queue = Queue(connection=redis)
    queue.enqueue(div, 1, 0, job_id='first')
    queue.enqueue(jobs.add, 1, 1)
    queue.enqueue(jobs.fail, 'näher betrachtet', job_id='second')
    burst(redis, queue)

    registry = FailedJobRegistry(queue=queue)
    # Show all failed job IDs and the exceptions they caused during runtime
    for job_id in registry.get_job_ids():
        job = Job.fetch(job_id, connection=redis)
        print(job_id, job.exc_info)

    printed = capsys.readouterr().out
    assert 'first Traceback (most recent call last):' in printed
    assert 'in div\n    return x / y' in printed
    assert 'ZeroDivisionError: division by zero' in printed
    assert 'ValueError: näher betrachtet' in printed
    assert len(registry) == 2
    assert check(redis) == []


def make_due(redis: Redis, job: Job) -> None:
    """Let the time of a scheduled job come."""
    assert redis.zadd('rq:scheduled:default', {job.id: 1}, xx=True, ch=True) == 1


def wait_of(redis: Redis, job: Job) -> float:
    """Seconds from its last end until a job is due, by the registry; the registry knows whole seconds."""
    due: Any = redis.zscore('rq:scheduled:default', job.id)
    job.refresh()
    assert job.ended_at is not None
    return float(due) - job.ended_at.timestamp()


def test_retry_at_once(redis: Redis) -> None:
    queue = Queue(connection=redis)
    # Retry up to 3 times, failed job will be requeued immediately
    queue.enqueue(jobs.note_and_fail, 'never', retry=Retry(max=3), job_id='never')
    queue.enqueue(jobs.fails_until, 2, retry=Retry(max=3), job_id='third')
    worker = burst(redis, queue)

    assert told(redis, 'test:marks') == ['never'] * 4
    third = Job.fetch('third', connection=redis)
    assert (third.get_status(), third.return_value(), third.retries_left) == ('finished', 3, 1)
    never = Job.fetch('never', connection=redis)
    assert (never.get_status(), never.retries_left) == ('failed', 0)
    assert [result.type.name for result in never.results()] == ['FAILED']
    worker.refresh()
    assert (worker.failed_job_count, worker.successful_job_count) == (6, 1)
    assert check(redis) == []


def test_retry_after_a_minute(redis: Redis) -> None:
    queue = Queue(connection=redis)
    # Retry up to 3 times, with 60 seconds interval in between executions
    job = queue.enqueue(div, retry=Retry(max=3, interval=60))
    for left in (2, 1, 0):
        burst(redis, queue)
        assert (job.get_status(), queue.count, job in queue.failed_job_registry) == ('scheduled', 0, False)
        assert 59 < wait_of(redis, job) < 62
        assert job.retries_left == left
        assert check(redis) == []
        make_due(redis, job)
    burst(redis, queue)
    assert job.is_failed and job in queue.failed_job_registry


def test_retry_with_intervals(redis: Redis) -> None:
    queue = Queue(connection=redis)
    # Retry up to 3 times, with longer interval in between retries
    job = queue.enqueue(div, retry=Retry(max=3, interval=[10, 30, 60]))
    for interval in (10, 30, 60):
        burst(redis, queue)
        assert interval - 1 < wait_of(redis, job) < interval + 2
        make_due(redis, job)
    burst(redis, queue)
    assert job.is_failed and check(redis) == []


def test_retry_with_fewer_intervals_than_retries(redis: Redis) -> None:
    queue = Queue(connection=redis)
    job = queue.enqueue(div, retry=Retry(max=3, interval=[10, 30]))
    for interval in (10, 10, 30):
        burst(redis, queue)
        assert interval - 1 < wait_of(redis, job) < interval + 2
        make_due(redis, job)
    burst(redis, queue)
    assert job.is_failed


def test_function_that_returns_retry(redis: Redis) -> None:
    queue = Queue(connection=redis)
    job = queue.enqueue(jobs.returns_retry, max=2, interval=5)
    for count in (1, 2):
        burst(redis, queue)
        assert 4 < wait_of(redis, job) < 7
        assert (job.get_status(), job.number_of_retries) == ('scheduled', count)
        make_due(redis, job)
    burst(redis, queue)
    assert job.is_failed and job in queue.failed_job_registry
    assert [result.type.name for result in job.results()] == ['MAX_RETRIES_EXCEEDED', 'RETRIED', 'RETRIED']
    assert [result.return_value.max for result in job.results()] == [2, 2, 2]
    assert check(redis) == []


def test_custom_exception_handlers(redis: Redis) -> None:
    q = Queue(connection=redis)
    job = q.enqueue(div)

    worker = Worker([q], exception_handlers=[foo_handler, bar_handler])
    worker.work(burst=True)

    assert told(redis) == [f'foo {job.id} ZeroDivisionError True', f'bar {job.id} ZeroDivisionError 3']
    assert job.is_failed and job.id in FailedJobRegistry(queue=q)


def test_one_handler_alone(redis: Redis) -> None:
    q = Queue(connection=redis)
    job = q.enqueue(div)
    Worker([q], exception_handlers=foo_handler).work(burst=True)
    assert told(redis) == [f'foo {job.id} ZeroDivisionError True']


def test_disable_default_exception_handler(redis: Redis) -> None:
    q = Queue(connection=redis)
    job = q.enqueue(div)

    worker = Worker([q], exception_handlers=[foo_handler, bar_handler], disable_default_exception_handler=True)
    worker.work(burst=True)

    assert len(told(redis)) == 2
    assert job.is_failed
    assert len(FailedJobRegistry(queue=q)) == 0
    assert job.results() == []
    assert redis.ttl(job.key) == -1
    assert check(redis, unstored=[job.id]) == []


def test_false_stops_the_chain_none_and_true_go_on(redis: Redis) -> None:
    q = Queue(connection=redis)
    job = q.enqueue(div)
    Worker([q], exception_handlers=[foo_handler, bar_handler, black_hole, foo_handler]).work(burst=True)
    assert [word.split()[0] for word in told(redis)] == ['foo', 'bar', 'hole']
    assert job.id in FailedJobRegistry(queue=q), 'a black hole swallows the news, not the record'


def test_black_hole(redis: Redis) -> None:
    q = Queue(connection=redis)
    job = q.enqueue(div)
    Worker([q], exception_handlers=[black_hole], disable_default_exception_handler=True).work(burst=True)
    assert told(redis) == [f'hole {job.id}']
    assert job.is_failed and len(q.failed_job_registry) == 0


def test_pushed_and_popped_handlers(redis: Redis) -> None:
    q = Queue(connection=redis)
    q.enqueue(div)
    worker = Worker([q])
    worker.push_exc_handler(foo_handler)
    worker.push_exc_handler(bar_handler)
    assert worker.pop_exc_handler() is bar_handler
    worker.work(burst=True)
    assert [word.split()[0] for word in told(redis)] == ['foo']
