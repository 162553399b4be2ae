"""Callback: what it takes, when each kind is called, and what its errors do."""

import os
from typing import Any

import pytest
from redis import Redis

from rq import Callback, Queue, Retry
from rq.callbacks import execute_failure_callback, execute_stopped_callback, execute_success_callback
from rq.exceptions import TimeoutFormatError
from rq.job import Job
from rq.timeouts import JobTimeoutException, UnixSignalDeathPenalty
from tests import jobs
from tests.launch import burst, told


def test_callback() -> None:
    assert (Callback(jobs.add).name, Callback(jobs.add).timeout) == ('tests.jobs.add', 60)
    assert (Callback('a.b').name, Callback('a.b', timeout='2m').timeout) == ('a.b', 120)
    assert Callback(jobs.add, timeout=0).timeout == 60 and Callback(len).name == 'builtins.len'
    for bad in (jobs.Bag(1).add, jobs.Bag(1), 5, None, jobs.Bag):
        with pytest.raises(ValueError):
            Callback(bad)  # type: ignore[arg-type]
    with pytest.raises(TimeoutFormatError):
        Callback(jobs.add, timeout='soon')


def test_success(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(jobs.add, on_success=Callback(jobs.on_success), on_failure=Callback(jobs.on_failure))
    burst(redis, queue)
    assert told(redis) == [f'success {job.id} 2 finished'] and job.is_finished


def test_success_of_what_is_discarded(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(jobs.add, on_success=Callback(jobs.on_success), result_ttl=0)
    burst(redis, queue)
    assert told(redis) == [f'success {job.id} 2 finished'] and not Job.exists(job.id, redis)


def test_failure_at_every_attempt(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(jobs.div, on_failure=Callback(jobs.on_failure), retry=Retry(max=2))
    burst(redis, queue)
    assert told(redis) == [f'failure {job.id} ZeroDivisionError division by zero failed started'] * 3


@pytest.mark.parametrize('func', [jobs.raising_callback, jobs.async_callback, 'tests.jobs.missing', 'no.where'])
def test_failing_on_failure_is_attached(redis: Redis, queue: Queue, func: Any) -> None:
    job = queue.enqueue(jobs.div, on_failure=Callback(func), retry=Retry(max=1))
    burst(redis, queue, exception_handlers=[jobs.foo_handler])
    result: Any = job.latest_result()
    text = result.exc_string
    assert 'ZeroDivisionError: division by zero' in text and 'on_failure callback raised' in text
    assert text.index('ZeroDivisionError') < text.index('on_failure callback raised')
    assert told(redis).count(f'foo {job.id} ZeroDivisionError True') == 2, 'the chain hears of the own error'


@pytest.mark.parametrize('func', [jobs.raising_callback, jobs.async_callback, 'tests.jobs.missing'])
def test_failing_on_success_fails_the_job_which_is_not_run_again(redis: Redis, queue: Queue, func: Any) -> None:
    job = queue.enqueue(
        jobs.note, 'ran', on_success=Callback(func), on_failure=Callback(jobs.on_failure), retry=Retry(max=3)
    )
    burst(redis, queue)
    assert told(redis, 'test:marks') == ['ran']
    assert job.is_failed and job.id in queue.failed_job_registry and job.return_value() is None
    job.refresh()
    assert job.retries_left == 3
    assert [word.split()[0] for word in told(redis) if word.split()[0] != 'raising'] == ['failure']


@pytest.mark.parametrize('word', ['on_success', 'on_failure'])
def test_callbacks_have_their_own_timeout(redis: Redis, queue: Queue, word: str) -> None:
    func = jobs.note if word == 'on_success' else jobs.note_and_fail
    words: dict[str, Any] = {word: Callback(jobs.slow_callback, timeout=1)}
    job = queue.enqueue(func, 'ran', **words)
    burst(redis, queue)
    result: Any = job.latest_result()
    assert job.is_failed and 'JobTimeoutException' in result.exc_string
    assert ('ValueError: ran' in result.exc_string) is (word == 'on_failure')


def test_callback_that_takes_its_process_along(redis: Redis, queue: Queue) -> None:
    lucky = queue.enqueue(jobs.note, 'ran', on_success=Callback(jobs.deadly_callback))
    failed = queue.enqueue(jobs.div, on_failure=Callback(jobs.deadly_callback))
    burst(redis, queue)
    assert lucky.is_failed and failed.is_failed
    result: Any = failed.latest_result()
    assert 'ZeroDivisionError' in result.exc_string, 'the note was there before the callback was'
    assert told(redis).count(f'deadly {failed.id}') == 2, 'the chain is repeated at most once'


def test_the_methods_of_rq_2(redis: Redis, queue: Queue) -> None:
    job = queue.create_job(
        jobs.add, on_success=Callback(jobs.on_success), on_failure=Callback(jobs.on_failure),
        on_stopped=Callback(jobs.on_stopped),
    )  # fmt: skip
    job.save()
    job.execute_success_callback(UnixSignalDeathPenalty, 5)
    job.execute_stopped_callback(UnixSignalDeathPenalty)
    error = ValueError('x')
    job.execute_failure_callback(UnixSignalDeathPenalty, ValueError, error, None)
    assert [word.split()[0] for word in told(redis)] == ['success', 'stopped', 'failure']
    assert told(redis)[1].endswith(str(os.getpid()))


class Recording:
    """A death penalty that notes what it was made with, and lets everything run."""

    made: list[tuple[Any, ...]] = []

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.made.append((*args, kwargs))

    def __enter__(self) -> None: ...

    def __exit__(self, *exc_info: Any) -> None: ...


def test_called_by_hand(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Recording, 'made', [])
    job = queue.create_job(jobs.add, on_success=Callback(jobs.on_success, timeout='2m'))
    job.save()
    execute_success_callback(job, Recording, 5)  # type: ignore[arg-type]
    assert Recording.made == [(120, JobTimeoutException, {'job_id': job.id})]
    execute_failure_callback(job, Recording, ValueError, ValueError(), None)  # type: ignore[arg-type]
    execute_stopped_callback(job, Recording)  # type: ignore[arg-type]
    assert len(Recording.made) == 1, 'without a callback nothing happens'


@pytest.mark.parametrize(('func', 'error'), [(jobs.async_callback, TypeError), (jobs.raising_callback, Exception)])
def test_what_callbacks_raise_is_logged_and_raised(
    queue: Queue, caplog: pytest.LogCaptureFixture, func: Any, error: type[Exception]
) -> None:
    words: dict[str, Any] = {word: Callback(func) for word in ('on_success', 'on_failure', 'on_stopped')}
    job = queue.create_job(jobs.add, **words)
    job.save()
    for call, logged in (
        (lambda: execute_success_callback(job, Recording, 5), 0),  # type: ignore[arg-type]
        (lambda: execute_failure_callback(job, Recording, ValueError, ValueError(), None), 1),  # type: ignore[arg-type]
        (lambda: execute_stopped_callback(job, Recording), 1),  # type: ignore[arg-type]
    ):
        caplog.clear()
        with pytest.raises(error):
            call()
        assert [record.name for record in caplog.records if record.levelname == 'ERROR'] == ['rq.job'] * logged
