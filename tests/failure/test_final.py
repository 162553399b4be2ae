"""Final means final: who asked for it is told of a job once, when no attempt follows, and before that is written."""

import signal
from typing import Any

import pytest
from redis import Redis

from rq import Callback, Queue, Retry, SimpleWorker, SpawnWorker, Worker
from rq.command import send_stop_job_command
from tests import jobs
from tests.failure import final_jobs
from tests.invariants import check
from tests.launch import Launch, burst, expire, marked, told

CLASSES = [Worker, SimpleWorker]


@pytest.mark.parametrize('cls', [*CLASSES, SpawnWorker])
def test_a_job_that_always_raises_differently(redis: Redis, queue: Queue, cls: Any) -> None:
    job = queue.enqueue(
        final_jobs.raises_differently,
        retry=Retry(max=2),
        on_failure=Callback(final_jobs.on_failure),
        on_final_failure=Callback(final_jobs.on_final),
    )
    burst(redis, queue, cls=cls, exception_handlers=[final_jobs.handler], final_failure_handlers=[final_jobs.final])
    first, second, third = job.attempts
    for attempt, name, words in ((first, 'KeyError', 'first'), (second, 'OSError', 'second'), (third, '', 'third')):
        assert 'final_jobs.py' in attempt.exc_string and name in attempt.exc_string and words in attempt.exc_string
    assert [one.is_final for one in (first, second, third)] == [False, False, True]
    assert told(redis) == [
        "failure KeyError 'first' False",
        "handler KeyError 'first' False",
        'failure OSError second False',
        'handler OSError second False',
        'failure ZeroDivisionError third True',
        'handler ZeroDivisionError third True',
        'final ZeroDivisionError third True',
        'end ZeroDivisionError third True',
    ]
    assert job.is_failed and check(redis) == []


def test_the_callback_is_stored_and_read(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(jobs.div, on_final_failure=Callback(final_jobs.on_final, timeout='2m'))
    found = queue.fetch_job(job.id)
    assert found is not None and found.final_failure_callback is final_jobs.on_final
    assert found.final_failure_callback_timeout == 120
    assert redis.hmget(job.key, 'final_callback_name', 'final_callback_timeout') == [
        b'tests.failure.final_jobs.on_final',
        b'120',
    ]
    plain = queue.enqueue(jobs.div)
    assert plain.final_failure_callback is None and plain.final_failure_callback_timeout == 60
    assert not redis.hexists(plain.key, 'final_callback_name')
    again = queue.enqueue(jobs.div, job_id=job.id)
    assert queue.fetch_job(again.id).final_failure_callback is None  # type: ignore[union-attr]


@pytest.mark.parametrize('cls', CLASSES)
@pytest.mark.parametrize('who', ['final', 'end'])
def test_one_of_them_alone(redis: Redis, queue: Queue, cls: Any, who: str) -> None:
    callback = Callback(final_jobs.on_final) if who == 'final' else None
    job = queue.enqueue(final_jobs.raises_differently, retry=Retry(max=1), on_final_failure=callback)
    burst(redis, queue, cls=cls, final_failure_handlers=[final_jobs.final] if who == 'end' else None)
    assert told(redis) == [f'{who} OSError second True']
    assert job.is_failed and check(redis) == []


@pytest.mark.parametrize('cls', CLASSES)
def test_the_chain_decides_before(redis: Redis, queue: Queue, cls: Any) -> None:
    callback = Callback(final_jobs.on_final)
    job = queue.enqueue(jobs.div, retry=Retry(max=3), on_final_failure=callback)
    burst(redis, queue, cls=cls, exception_handlers=[final_jobs.gives_up])
    assert told(redis) == [
        'handler ZeroDivisionError division by zero False',
        'final ZeroDivisionError division by zero True',
    ]
    assert job.is_failed
    redis.delete('test:told')
    job = queue.enqueue(jobs.div, on_final_failure=callback)
    burst(redis, queue, cls=cls, exception_handlers=[final_jobs.grants_one])
    assert len(told(redis)) == 1 and len(job.attempts) == 2
    assert check(redis) == []


@pytest.mark.parametrize('cls', CLASSES)
def test_they_change_nothing_any_more(redis: Redis, queue: Queue, cls: Any) -> None:
    job = queue.enqueue(jobs.div)
    burst(redis, queue, cls=cls, final_failure_handlers=[final_jobs.final_grants])
    assert len(told(redis)) == 1 and job.is_failed and check(redis) == []


@pytest.mark.parametrize('cls', CLASSES)
def test_errors_of_theirs_are_attached(redis: Redis, queue: Queue, cls: Any) -> None:
    job = queue.enqueue(jobs.div, on_final_failure=Callback(final_jobs.on_final_raises))
    burst(redis, queue, cls=cls, final_failure_handlers=[final_jobs.final_raises, 5, final_jobs.final])
    assert [word.split()[0] for word in told(redis)] == ['final', 'end', 'end']
    result: Any = job.latest_result()
    text = result.exc_string
    assert text.startswith('Traceback') and text.index('ZeroDivisionError') < text.index('the callback broke')
    assert (
        'The on_final_failure callback raised too' in text and 'Final failure handler final_raises raised too' in text
    )
    assert job.is_failed and check(redis) == []


def test_a_callback_that_cannot_be_imported(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(jobs.div, on_final_failure=Callback('tests.failure.final_jobs.nowhere'))
    burst(redis, queue, final_failure_handlers=[final_jobs.final])
    result: Any = job.latest_result()
    assert 'nowhere' in result.exc_string and job.is_failed
    assert told(redis) == ['end ZeroDivisionError division by zero True']


class Plain(Worker):
    """Overrides a part of how horses are made: they are forked after the claim."""

    def fork_work_horse(self, job: Any, queue: Any) -> None:
        super().fork_work_horse(job, queue)


@pytest.mark.parametrize('cls', [Worker, SpawnWorker, Plain])
def test_killed_and_timed_out_jobs(redis: Redis, queue: Queue, cls: Any) -> None:
    callback = Callback(final_jobs.on_final)
    killed = queue.enqueue(jobs.leaves, 7, retry=Retry(max=1), on_final_failure=callback)
    burst(redis, queue, cls=cls, final_failure_handlers=[final_jobs.final])
    assert [word.split()[:2] for word in told(redis)] == [['final', 'HorseKilledError'], ['end', 'HorseKilledError']]
    assert killed.is_failed and len(killed.attempts) == 2
    redis.delete('test:told')
    late = queue.enqueue(jobs.waits, job_timeout=1, on_final_failure=callback)
    burst(redis, queue, cls=cls)
    assert [word.split()[:2] for word in told(redis)] == [['final', 'JobTimeoutException']]
    assert late.is_failed and check(redis) == []


def test_undecodable_jobs(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(jobs.div, on_final_failure=Callback(final_jobs.on_final))
    redis.hset(job.key, 'data', b'junk')
    burst(redis, queue)
    assert [word.split()[:2] for word in told(redis)] == [['final', 'DeserializationError']]
    assert job.is_failed and check(redis) == []


@pytest.mark.parametrize('where', ['callback', 'handler'])
def test_a_deadly_one_is_told_twice_at_most_and_the_others_once(redis: Redis, queue: Queue, where: str) -> None:
    callback = Callback(final_jobs.on_final_dies if where == 'callback' else final_jobs.on_final)
    job, good = queue.enqueue(jobs.div, on_final_failure=callback), queue.enqueue(jobs.add)
    deadly = [final_jobs.final_dies] if where == 'handler' else []
    finals = [*deadly, final_jobs.final]
    burst(redis, queue, exception_handlers=[final_jobs.handler], final_failure_handlers=finals)
    words = [word.split()[0] for word in told(redis)]
    if where == 'callback':
        assert words == ['handler', 'final', 'final', 'end']
    else:
        assert words == ['handler', 'final', 'deadly', 'final', 'deadly', 'end']
    result: Any = job.latest_result()
    assert 'ZeroDivisionError' in result.exc_string and 'ended its process, twice' in result.exc_string
    assert job.is_failed and good.is_finished and check(redis) == []


def test_a_deadly_one_in_a_horse_of_the_plain_kind(redis: Redis, queue: Queue) -> None:
    callback = Callback(final_jobs.on_final_dies)
    job = queue.enqueue(jobs.div, retry=Retry(max=3, never=ZeroDivisionError), on_final_failure=callback)
    good = queue.enqueue(jobs.add)
    burst(redis, queue, cls=Plain)
    assert told(redis) == ['final ZeroDivisionError division by zero True']
    [attempt] = job.attempts
    assert attempt.kind == 'raised' and 'exited with code 5' in attempt.exc_string
    assert job.is_failed and good.is_finished and check(redis) == []


def test_a_retry_granted_in_a_process_that_died_does_not_come_back(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(jobs.div, retry=Retry(max=3))
    burst(redis, queue, exception_handlers=[final_jobs.gives_up], final_failure_handlers=[final_jobs.final_dies])
    assert [word.split()[0] for word in told(redis)] == ['handler', 'deadly', 'deadly']
    assert job.is_failed and len(job.attempts) == 1 and check(redis) == []


def test_one_that_hangs_is_passed_over(redis: Redis, queue: Queue, launch: Launch) -> None:
    job, good = queue.enqueue(jobs.div), queue.enqueue(jobs.add)
    worker = launch(
        cls='tests.failure.test_final.Impatient',
        constants={'rq.rules.watch.KILL_GRACE': 0.5},
        work={'burst': True},
    )
    assert worker.wait(60) == 0
    assert [word.split()[0] for word in told(redis)] == ['hanging', 'end']
    result: Any = job.latest_result()
    assert 'did not end in its time' in result.exc_string and 'ZeroDivisionError' in result.exc_string
    assert job.is_failed and good.is_finished and check(redis) == []


class Impatient(Worker):
    """With a final handler that does not end."""

    handler_timeout = 1

    def __init__(self, *args: Any, **words: Any) -> None:
        super().__init__(*args, **words, final_failure_handlers=[final_jobs.final_hangs, final_jobs.final])


def test_requeued_by_hand_it_is_told_again(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(jobs.div, on_final_failure=Callback(final_jobs.on_final))
    burst(redis, queue)
    job.requeue()
    burst(redis, queue)
    assert len(told(redis)) == 2 and job.is_failed


def test_stopped_jobs_are_nobodys_failure(redis: Redis, queue: Queue, launch: Launch) -> None:
    job = queue.enqueue(jobs.waits, on_final_failure=Callback(final_jobs.on_final))
    worker = launch(work={'burst': True})
    marked(redis, 'waits')
    send_stop_job_command(redis, job.id)
    assert worker.wait(30) == 0
    assert job.is_stopped and told(redis) == []


@pytest.mark.parametrize('cls', CLASSES)
def test_a_job_that_returns_a_retry_once_too_often(redis: Redis, queue: Queue, cls: Any) -> None:
    job = queue.enqueue(final_jobs.asks_for_ever, on_final_failure=Callback(final_jobs.on_final))
    burst(redis, queue, cls=cls, final_failure_handlers=[final_jobs.final])
    error = 'JobFailedError it asked for more than 1 retries'
    assert told(redis) == [f'final {error} True', f'end {error} True']
    assert job.is_failed and check(redis) == []


def test_synchronous_queues(redis: Redis) -> None:
    queue = Queue(is_async=False, connection=redis)
    job = queue.enqueue(jobs.div, retry=Retry(max=3), on_final_failure=Callback(final_jobs.on_final))
    assert told(redis) == ['final ZeroDivisionError division by zero True'] and job.is_failed
    both = {'on_failure': Callback(jobs.raising_callback), 'on_final_failure': Callback(final_jobs.on_final)}
    with pytest.raises(Exception):  # noqa: B017 - what the callback raises is raised, as ever
        queue.enqueue(jobs.div, **both)
    assert told(redis)[-1] == 'final ZeroDivisionError division by zero True' and len(told(redis)) > 1


def test_a_worker_of_the_old_era(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(jobs.div, on_final_failure=Callback(final_jobs.on_final))
    burst(redis, queue, exc_handler=final_jobs.handler, final_failure_handlers=[final_jobs.final])
    assert [word.split()[0] for word in told(redis)] == ['handler', 'final', 'end']
    assert job.is_failed and check(redis) == []


def test_abandoned_jobs(redis: Redis, queue: Queue, launch: Launch) -> None:
    job = queue.enqueue(jobs.waits, on_final_failure=Callback(final_jobs.on_final))
    worker = launch('default', cls='SimpleWorker')
    marked(redis, 'waits')
    worker.signal(signal.SIGKILL)
    worker.wait()
    expire(redis)
    queue.started_job_registry.cleanup()
    assert [word.split()[:2] for word in told(redis)] == [['final', 'AbandonedJobError']]
    assert job.is_failed and check(redis) == []
