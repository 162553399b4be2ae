"""The programs of the documentation about processes that die: the work horse, or the whole worker."""

import os
import signal
from typing import Any

import pytest
from redis import Redis

from rq import Callback, Queue, Retry, Worker
from rq.exceptions import AbandonedJobError
from rq.job import Job
from rq.registry import FailedJobRegistry
from tests import jobs
from tests.invariants import check
from tests.launch import Launch, burst, expire, marked, told
from tests.waiting import wait_until


def my_work_horse_killed_handler(job: Job, retpid: int, ret_val: int, rusage: Any) -> None:
    # do your thing here, for example set job.retries_left to 0
    job.retries_left = 0
    jobs.killed_handler(job, retpid, ret_val, rusage)


def test_work_horse_killed_handler(redis: Redis) -> None:
    q = Queue(connection=redis)
    job = q.enqueue(jobs.kills_itself, 9, retry=Retry(max=3))

    worker = Worker([q], work_horse_killed_handler=my_work_horse_killed_handler)
    worker.work(burst=True)

    assert told(redis) == [f'killed {job.id} True 9 struct_rusage {os.getpid()}']
    job.refresh()
    assert (job.get_status(), job.retries_left) == ('failed', 0)
    assert job.id in FailedJobRegistry(queue=q)
    result: Any = job.latest_result()
    assert 'waitpid returned 9 (signal 9)' in result.exc_string
    assert 'SIGKILL' in result.exc_string and 'peak memory' in result.exc_string
    assert check(redis) == []


def test_retries_apply_to_a_killed_horse(redis: Redis) -> None:
    q = Queue(connection=redis)
    job = q.enqueue(jobs.kills_once, retry=Retry(max=1))
    burst(redis, q, work_horse_killed_handler=jobs.killed_handler)
    assert (job.get_status(), job.return_value(), len(told(redis))) == ('finished', 'survived', 1)


@pytest.mark.parametrize('code', [0, 3])
def test_exit_codes_are_deaths_too(redis: Redis, code: int) -> None:
    q = Queue(connection=redis)
    job = q.enqueue(jobs.leaves, code)
    burst(redis, q, work_horse_killed_handler=jobs.killed_handler, exception_handlers=[jobs.foo_handler])
    assert job.is_failed
    assert [word.split()[0] for word in told(redis)] == ['killed', 'foo']
    assert told(redis)[1] == f'foo {job.id} HorseKilledError False'
    result: Any = job.latest_result()
    assert f'exited with code {code}' in result.exc_string


def lose_a_worker(redis: Redis, launch: Launch, job: Job) -> None:
    """A worker begins the job and is gone with its whole tree; then its lease runs out."""
    lost = launch('default').ready()
    horse = int(marked(redis, 'waits'))
    os.kill(horse, signal.SIGSTOP)  # it cannot say anything any more
    os.kill(lost.pid, signal.SIGKILL)
    lost.wait()
    assert job.is_started
    expire(redis)
    redis.delete('test:marks')


def test_abandoned_job_is_collected_by_another_worker(redis: Redis, launch: Launch) -> None:
    q = Queue(connection=redis)
    job = q.enqueue(jobs.waits, on_failure=Callback(jobs.on_failure))
    lose_a_worker(redis, launch, job)

    other = launch('default', exception_handlers=['tests.jobs.foo_handler']).ready()
    wait_until(lambda: job.is_failed, 15, 'the abandoned job fails')

    registry = FailedJobRegistry(queue=q)
    assert registry.get_job_ids() == [job.id]
    assert len(told(redis)) == 2
    assert told(redis)[0].startswith(f'failure {job.id} AbandonedJobError ')
    assert told(redis)[0].endswith(' started started')
    assert told(redis)[1] == f'foo {job.id} AbandonedJobError False'
    result: Any = job.latest_result()
    assert result.exc_string.startswith('Moved to FailedJobRegistry, due to AbandonedJobError, at ')
    other.signal(signal.SIGTERM)
    assert other.wait() == 0
    assert check(redis) == []


def test_abandoned_job_with_retries_runs_again(redis: Redis, launch: Launch) -> None:
    q = Queue(connection=redis)
    job = q.enqueue(jobs.waits, retry=Retry(max=1))
    lose_a_worker(redis, launch, job)
    other = launch('default').ready()
    again = int(marked(redis, 'waits'))
    assert (job.get_status(), len(q.failed_job_registry)) == ('started', 0)
    job.refresh()
    assert job.retries_left == 0
    os.kill(again, signal.SIGKILL)
    wait_until(lambda: job.is_failed, 10, 'its second attempt is killed')
    other.signal(signal.SIGTERM)
    assert other.wait() == 0
    assert check(redis) == []


def test_cleanup_by_name_collects_in_place(redis: Redis, launch: Launch) -> None:
    q = Queue(connection=redis)
    job = q.enqueue(jobs.waits, on_failure=Callback(jobs.on_failure))
    lose_a_worker(redis, launch, job)
    given = []

    def handler(job: Job, *exc_info: Any) -> None:
        given.append((job.id, exc_info[0], type(exc_info[1]), exc_info[2]))

    q.started_job_registry.cleanup(exception_handlers=[handler])
    assert given == [(job.id, AbandonedJobError, AbandonedJobError, None)]
    assert job.is_failed and q.failed_job_registry.get_job_ids() == [job.id]
    assert len(told(redis)) == 1
    assert check(redis) == []
