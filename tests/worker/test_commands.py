"""Commands at every instant: nobody but the meant job is hit, and never the worker itself."""

import json
import os
import resource
import threading
from typing import Any

import pytest
from redis import Redis

from rq import Queue, SimpleWorker, Worker, command
from rq.connections import rebuild
from rq.executions import Execution
from rq.supervision.remote import Remote
from rq.worker import plain
from tests import jobs
from tests.invariants import check
from tests.launch import Launch, burst, lives, marked
from tests.waiting import wait_until
from tests.worker import overrides


def payload(**words: Any) -> dict[str, Any]:
    return command.parse_payload({'data': json.dumps(words)})


def test_stop_execution(redis: Redis, queue: Queue, launch: Launch) -> None:
    job = queue.enqueue(jobs.waits)
    worker = launch('default', name='w').ready()
    horse = int(marked(redis, 'waits'))
    (execution,) = job.get_executions()
    redis.publish('rq:pubsub:w', json.dumps({'command': 'stop-execution', 'job_id': job.id, 'execution_id': 'other'}))
    worker.said('execution other is not running here')
    command.send_stop_execution_command(redis, job.id, execution.id)
    wait_until(lambda: job.is_stopped, 10, 'it is stopped')
    after = queue.enqueue(jobs.add)
    wait_until(lambda: after.is_finished, 10, 'the worker lives')
    assert not lives(horse) and check(redis) == []
    worker.signal(15)
    assert worker.wait() == 0


def test_commands_beyond_a_thousand_descriptors(redis: Redis) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1200), hard))
    source = os.open(os.devnull, os.O_RDONLY)
    held = [source, *(os.dup(source) for _ in range(1100))]
    heard: list[Any] = []
    remote = Remote(rebuild(redis, socket_timeout=5), 'w', heard.append)
    try:
        remote.start()
        redis.publish('rq:pubsub:w', '{}')
        wait_until(lambda: heard, 10, 'it is heard')
    finally:
        remote.stop()
        for descriptor in held:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_stop_while_the_horse_is_being_mounted(redis: Redis, queue: Queue) -> None:
    """The channel's thread saw none yet, and kills it as a plain one: stopped all the same."""
    job = queue.enqueue(jobs.waits, 20)
    worker = overrides.Looks([queue])

    def stop() -> None:
        marked(redis, 'waits')
        plain.stop(worker, job.id)

    thread = threading.Thread(target=stop)
    thread.start()
    worker.work(burst=True)
    thread.join()
    assert job.is_stopped and check(redis) == []


def test_commands_that_wait_for_the_claim(redis: Redis, queue: Queue, monkeypatch: Any) -> None:
    """They come when the job is claimed and its horse is not there yet: stop must not be lost, nor hit the worker."""
    job, after = queue.enqueue(jobs.waits), queue.enqueue(jobs.add)
    begin = Worker.announce_job

    def announce_job(self: Any, taken: Any, queue: Any) -> None:
        if taken.id == job.id:
            for words in ({'command': 'kill-horse'}, {'command': 'stop-job', 'job_id': job.id}):
                self._loop.deliver({'data': json.dumps(words)})
        begin(self, taken, queue)

    monkeypatch.setattr(Worker, 'announce_job', announce_job)
    burst(redis, queue)
    assert job.get_status() in ('stopped', 'failed') and after.is_finished and check(redis) == []


def test_a_stop_for_a_job_that_has_ended_hits_nobody(redis: Redis, queue: Queue, monkeypatch: Any) -> None:
    first, second = queue.enqueue(jobs.add), queue.enqueue(jobs.add)
    begin = Worker.announce_job

    def announce_job(self: Any, taken: Any, queue: Any) -> None:
        if taken.id == second.id:
            self._loop.deliver({'data': json.dumps({'command': 'stop-job', 'job_id': first.id})})
        begin(self, taken, queue)

    monkeypatch.setattr(Worker, 'announce_job', announce_job)
    burst(redis, queue)
    assert first.is_finished and second.is_finished and check(redis) == []


@pytest.mark.parametrize('by', ['job', 'execution'])
def test_by_hand(redis: Redis, queue: Queue, by: str) -> None:
    job = queue.enqueue(jobs.waits)
    queue.remove(job)
    worker = Worker([queue], name='w')
    execution = worker.prepare_execution(job)
    worker.fork_work_horse(job, queue)
    marked(redis, 'waits')
    command.handle_command(worker, payload(command='stop-job', job_id='another'))
    command.handle_command(worker, payload(command='dance'))
    assert worker._stopped_job_id is None and lives(worker.horse_pid)
    words = {'command': f'stop-{by}', 'job_id': job.id, 'execution_id': execution.id}
    command.handle_command(worker, payload(**words))
    assert worker._stopped_job_id == job.id
    worker.monitor_work_horse(job, queue, execution)
    assert job.is_stopped and check(redis) == []


def test_stop_before_the_horse_exists(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(jobs.waits)
    queue.remove(job)
    worker = Worker([queue], name='w')
    execution = worker.prepare_execution(job)
    command.handle_command(worker, payload(command='kill-horse'))
    command.handle_stop_job_command(worker, {'job_id': job.id})
    worker.fork_work_horse(job, queue)
    worker.monitor_work_horse(job, queue, execution)
    assert job.is_stopped and check(redis) == []


@pytest.mark.parametrize('cls', [Worker, SimpleWorker])
def test_an_idle_worker_is_not_hit(queue: Queue, caplog: Any, cls: Any) -> None:
    worker = cls([queue], name='w')
    worker.kill_horse()
    command.handle_kill_worker_command(worker, {})
    command.handle_stop_job_command(worker, {'job_id': 'x'})
    command.handle_stop_execution_command(worker, {'job_id': 'x', 'execution_id': 'y'})
    worker.execution = Execution('y', 'x', queue.connection)
    worker.handle_payload({'data': b'no json'})
    assert [record.levelname for record in caplog.records].count('WARNING') == 3
