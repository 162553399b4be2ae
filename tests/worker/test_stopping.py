"""Signals and commands: warm, cold, stop a job, kill a horse."""

import signal

import pytest
from redis import Redis

from rq import Callback, Queue, Retry
from rq.command import send_kill_horse_command, send_shutdown_command, send_stop_job_command
from tests import jobs
from tests.invariants import check
from tests.launch import Launch, expire, lives, marked, told
from tests.waiting import wait_until

CLASSES = pytest.mark.parametrize('cls', ['Worker', 'SimpleWorker'])


@CLASSES
@pytest.mark.parametrize('signum', [signal.SIGTERM, signal.SIGINT])
def test_warm(redis: Redis, queue: Queue, launch: Launch, cls: str, signum: int) -> None:
    job, left = queue.enqueue(jobs.gate), queue.enqueue(jobs.add)
    worker = launch('default', cls=cls, name='w')
    marked(redis, 'at gate')
    worker.signal(signum)
    if cls == 'Worker':
        wait_until(lambda: redis.hexists('rq:worker:w', 'shutdown_requested_date'), 5, 'the request is on record')
    redis.rpush('test:gate', 1)
    assert worker.wait() == 0
    assert job.is_finished and left.is_queued and check(redis) == []


@CLASSES
def test_idle_worker_leaves_at_once(redis: Redis, launch: Launch, cls: str) -> None:
    worker = launch('default', cls=cls).ready()
    worker.signal(signal.SIGTERM)
    assert worker.wait(5) == 0


@CLASSES
def test_cold(redis: Redis, queue: Queue, launch: Launch, cls: str) -> None:
    job = queue.enqueue(jobs.waits)
    worker = launch('default', cls=cls)
    marked(redis, 'waits')
    worker.signal(signal.SIGTERM)

    def again() -> bool:
        if 'cold shut down' not in worker.text:
            worker.signal(signal.SIGTERM)
        return worker.process.poll() is not None

    wait_until(again, 10, 'a later second signal ends it')
    assert worker.wait() == 0 and 'cold shut down' in worker.text
    assert job.is_started and redis.smembers('rq:workers') == set()
    expire(redis)
    queue.started_job_registry.cleanup()
    assert job.get_status() == 'failed', worker.text
    assert check(redis) == []


def test_stop_job(redis: Redis, queue: Queue, launch: Launch) -> None:
    job = queue.enqueue(jobs.waits, on_stopped=Callback(jobs.on_stopped), retry=Retry(max=3))
    worker = launch('default', exception_handlers=['tests.jobs.foo_handler']).ready()
    horse = int(marked(redis, 'waits'))
    for _ in range(3):
        send_stop_job_command(redis, job.id)
    wait_until(lambda: job.is_stopped, 10, 'it is stopped')
    after = queue.enqueue(jobs.add)
    wait_until(lambda: after.is_finished, 10, 'the worker lives')
    assert told(redis) == [f'stopped {job.id} {worker.pid}'] and horse != worker.pid
    result = job.latest_result()
    assert result and result.exc_string == 'Job stopped by user, work-horse terminated.'
    assert job.id in queue.failed_job_registry and check(redis) == []


def test_kill_horse_and_shutdown(redis: Redis, queue: Queue, launch: Launch) -> None:
    job = queue.enqueue(jobs.waits)
    worker = launch('default', name='w').ready()
    horse = int(marked(redis, 'waits'))
    redis.publish('rq:pubsub:w', 'junk')
    redis.publish('rq:pubsub:w', '{"command": "dance"}')
    send_kill_horse_command(redis, 'w')
    wait_until(lambda: job.is_failed, 10, 'its horse is killed')
    assert not lives(horse)
    send_shutdown_command(redis, 'w')
    assert worker.wait() == 0 and check(redis) == []


def test_stop_of_a_job_that_runs_elsewhere_is_ignored(redis: Redis, queue: Queue, launch: Launch) -> None:
    job = queue.enqueue(jobs.gate)
    worker = launch('default', cls='SimpleWorker', name='w').ready()
    marked(redis, 'at gate')
    send_stop_job_command(redis, job.id)
    redis.rpush('test:gate', 1)
    wait_until(lambda: job.is_finished, 10, 'a SimpleWorker cannot be stopped')
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 0
