"""Workers that run many jobs in their own process, as processes of their own: stop, shutdown, crash."""

import signal
from typing import Any

import pytest
from redis import Redis

from rq import Callback, Queue, SimpleWorker
from rq.command import send_stop_job_command
from tests import jobs
from tests.executors import side
from tests.invariants import check
from tests.launch import Launch, burst, cold, expire, marked, marks, told
from tests.waiting import wait_until

BOTH = pytest.mark.parametrize('word', ['thread', 'async'])
EACH = pytest.mark.parametrize('function', [side.waits_async, side.spins, side.held])


@BOTH
def test_stop_one_of_several(redis: Redis, queue: Queue, launch: Launch, word: str) -> None:
    worker = launch('default', cls='SimpleWorker', executor=word, concurrency=3).ready()
    one = queue.enqueue(side.waits_async, 'one', on_stopped=Callback(jobs.on_stopped))
    two = queue.enqueue(side.spins, 'two', on_stopped=Callback(jobs.on_stopped))
    stays = queue.enqueue(jobs.gate)
    for mark in ('one', 'two', 'at gate'):
        marked(redis, mark)
    send_stop_job_command(redis, one.id)
    send_stop_job_command(redis, two.id)
    wait_until(lambda: one.is_stopped and two.is_stopped, 10, 'both are stopped')
    assert sorted(told(redis)) == sorted(f'stopped {job.id} {worker.pid}' for job in (one, two))
    redis.rpush('test:gate', 1)
    wait_until(lambda: stays.is_finished, 10, 'the third goes on')
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 0 and check(redis) == []


@BOTH
def test_a_warm_shutdown_waits_for_all(redis: Redis, queue: Queue, launch: Launch, word: str) -> None:
    worker = launch('default', cls='SimpleWorker', executor=word, concurrency=3).ready()
    made = [queue.enqueue(jobs.gate, f'g{number}') for number in range(3)]
    for number in range(3):
        marked(redis, f'at g{number}')
    worker.signal(signal.SIGTERM)
    worker.said('warm shut down')
    late = queue.enqueue(jobs.add)
    for number in range(3):
        redis.rpush(f'test:g{number}', 1)
    assert worker.wait() == 0
    assert all(job.is_finished for job in made) and late.is_queued and check(redis) == []


@EACH
def test_a_cold_shutdown_waits_for_nobody(redis: Redis, queue: Queue, launch: Launch, function: Any) -> None:
    worker = launch('default', cls='SimpleWorker', executor='async', concurrency=3).ready()
    made = [queue.enqueue(function, f'run {number}', retry=None) for number in range(2)]
    for number in range(2):
        marked(redis, f'run {number}')
    cold(worker)
    assert worker.wait() == 0
    assert all(job.is_started for job in made) and redis.smembers('rq:workers') == set()
    expire(redis)
    queue.started_job_registry.cleanup()
    assert all(job.is_failed for job in made) and check(redis) == []


@BOTH
def test_all_that_a_lost_process_ran_is_rescued(redis: Redis, queue: Queue, launch: Launch, word: str) -> None:
    worker = launch('default', cls='SimpleWorker', executor=word, concurrency=4).ready()
    made = [queue.enqueue(side.waits_async, f'run {number}') for number in range(2)]
    made += [queue.enqueue(side.spins, f'spin {number}') for number in range(2)]
    for mark in ('run 0', 'run 1', 'spin 0', 'spin 1'):
        marked(redis, mark)
    worker.signal(signal.SIGKILL)
    worker.wait()
    expire(redis)
    burst(redis, queue, cls=SimpleWorker, executor=word, exception_handlers=[jobs.foo_handler])
    assert all(job.is_failed for job in made) and check(redis) == []
    assert sorted(told(redis)) == sorted(f'foo {job.id} AbandonedJobError False' for job in made)


def test_a_process_that_dies_takes_all_with_it_and_says_so(redis: Redis, queue: Queue, launch: Launch) -> None:
    worker = launch('default', cls='SimpleWorker', executor='thread', concurrency=2).ready()
    other = queue.enqueue(side.held, 'other')
    marked(redis, 'other')
    job = queue.enqueue(jobs.leaves, 3)
    assert worker.wait() == 3
    assert job.is_started and other.is_started
    expire(redis)
    burst(redis, queue)
    assert job.is_failed and other.is_failed and check(redis) == []


def test_a_worker_that_is_stuck_leaves_with_an_exit_code(redis: Redis, queue: Queue, launch: Launch) -> None:
    """Its threads do not keep the process from ending."""
    constants = {'rq.rules.watch.KILL_GRACE': 0.2}
    worker = launch('default', cls='SimpleWorker', executor='thread', concurrency=2, constants=constants).ready()
    made = [queue.enqueue(side.held, f'run {number}', job_timeout=1) for number in range(2)]
    after = queue.enqueue(jobs.add)
    assert worker.wait() == 1
    assert 'taken by a job that does not end' in worker.text
    assert all(job.is_failed for job in made) and after.is_queued and len(marks(redis)) == 2
    assert redis.smembers('rq:workers') == set() and check(redis) == []


def test_out_of_grace_the_process_ends(redis: Redis, queue: Queue, launch: Launch) -> None:
    worker = launch('default', cls='tests.executors.side.Hasty', executor='async', concurrency=4).ready()
    made = [queue.enqueue(side.waits_async, 'run'), queue.enqueue(side.spins, 'spin'), queue.enqueue(side.held, 'held')]
    for mark in ('run', 'spin', 'held'):
        marked(redis, mark)
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 0
    assert all(job.is_queued for job in made) and sorted(queue.job_ids) == sorted(job.id for job in made)
    assert check(redis) == []
