"""Suspension: while the key stands nobody takes a job; what runs goes on."""

from typing import Any

import pytest
from redis import Redis

from rq import Queue
from rq.suspension import is_suspended, resume, suspend
from tests import jobs
from tests.invariants import check
from tests.launch import Launch, burst, marked
from tests.waiting import wait_until
from tests.worker import overrides

STATE = 'rq:worker:w'


@pytest.mark.parametrize('cls', ['Worker', 'SimpleWorker'])
def test_running_jobs_finish_and_no_more_are_taken(redis: Redis, queue: Queue, launch: Launch, cls: str) -> None:
    first = queue.enqueue(jobs.gate)
    worker = launch('default', cls=cls, name='w', work={'max_idle_time': 60})
    marked(redis, 'at gate')
    suspend(redis)
    second = queue.enqueue(jobs.add)
    redis.rpush('test:gate', 1)
    wait_until(lambda: redis.hget(STATE, 'state') == b'suspended', 5, 'it says so')
    assert first.is_finished and second.is_queued and queue.count == 1
    resume(redis)
    wait_until(lambda: second.is_finished, 2.5, 'it goes on within about a second')
    wait_until(lambda: redis.hget(STATE, 'state') == b'idle', 5, 'its old state')
    worker.signal(15)
    assert worker.wait() == 0 and check(redis) == []


@pytest.mark.parametrize('cls', [None, overrides.Mains])
def test_burst_leaves(redis: Redis, queue: Queue, cls: Any) -> None:
    job = queue.enqueue(jobs.add)
    suspend(redis)
    worker = burst(redis, queue, **({'cls': cls} if cls else {}))
    assert job.is_queued and is_suspended(redis, worker)
    resume(redis)
    burst(redis, queue)
    assert job.is_finished


def test_a_queue_class_with_its_own_way(redis: Redis) -> None:
    queue = overrides.Picky(connection=redis)
    job = queue.enqueue(jobs.add)
    suspend(redis)
    burst(redis, queue, queue_class=overrides.Picky)
    assert job.is_queued


def test_a_suspended_worker_can_be_told_to_leave(redis: Redis, queue: Queue, launch: Launch) -> None:
    suspend(redis)
    worker = launch('default', name='w')
    wait_until(lambda: redis.hget(STATE, 'state') == b'suspended', 10, 'it says so')
    worker.signal(15)
    assert worker.wait(5) == 0


def test_it_ends_by_itself(redis: Redis, queue: Queue, launch: Launch) -> None:
    suspend(redis, ttl=1)
    job = queue.enqueue(jobs.add)
    worker = launch('default')
    wait_until(lambda: job.is_finished, 10, 'the key expires')
    worker.signal(15)
    assert worker.wait() == 0


def test_by_hand(redis: Redis, queue: Queue) -> None:
    from rq import Worker
    from rq.exceptions import StopRequested

    worker = Worker([queue], name='w')
    worker.set_state('idle')
    worker.check_for_suspension(False)
    suspend(redis)
    with pytest.raises(StopRequested):
        worker.check_for_suspension(True)
    redis.expire('rq:suspended', 1)
    worker.check_for_suspension(False)
    assert worker.get_state() == 'idle' and redis.hget(worker.key, 'last_heartbeat')
