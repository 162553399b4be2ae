"""WorkerPool: real processes, real signals."""

import os
import resource
import signal
from collections.abc import Iterator
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from rq import Queue
from rq.connections import parse_connection
from rq.worker_pool import WorkerData, WorkerPool, run_worker
from tests import jobs
from tests.executors import hands
from tests.invariants import check
from tests.launch import Launch, Launched, cold, lives, marked, marks
from tests.waiting import wait_until
from tests.worker.pools import Stillborn

POOL = 'tests.worker.pools.Pool'


@pytest.fixture
def pool(redis: Redis) -> Iterator[WorkerPool]:
    """A pool of two whose workers do not survive the test."""
    made = WorkerPool(['default', Queue('other', connection=redis)], connection=redis, num_workers=2)
    yield made
    for data in made.worker_dict.values():
        if data.process.is_alive():
            os.kill(data.pid, signal.SIGKILL)
        data.process.join()


def born(redis: Redis, count: int) -> set[str]:
    """The names of so many registered workers, as soon as they are there."""

    def names() -> set[str]:
        return {key.decode().removeprefix('rq:worker:') for key in redis.smembers('rq:workers')}

    wait_until(lambda: len(names()) == count, 15, f'{count} workers are registered')
    return names()


def children(launched: Launched) -> list[int]:
    return [int(pid) for pid in Path(f'/proc/{launched.pid}/task/{launched.pid}/children').read_text().split()]


def test_what_it_is(redis: Redis, pool: WorkerPool) -> None:
    assert pool.status is WorkerPool.Status.IDLE and len(pool.name) == 32
    assert [(one.name, one.value) for one in WorkerPool.Status] == [('IDLE', 1), ('STARTED', 2), ('STOPPED', 3)]
    assert pool.queues == [Queue('default', connection=redis), Queue('other', connection=redis)]
    assert (pool.worker_dict, pool.number_of_active_workers, WorkerData._fields) == ({}, 0, ('name', 'pid', 'process'))
    process = pool.get_worker_process('w', burst=True)
    assert isinstance(process, ForkProcess) and process.pid is None and not process.daemon
    assert process.name == f'Worker w (WorkerPool {pool.name})'


def test_burst(redis: Redis, queue: Queue, pool: WorkerPool) -> None:
    handlers = {signum: signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM)}
    made = [queue.enqueue(jobs.environment) for _ in range(6)]
    pool.start(burst=True)
    assert all(job.is_finished for job in made) and check(redis) == []
    assert pool.worker_dict == {} and pool.status is WorkerPool.Status.STARTED
    assert all(len(job.return_value()[1]) == 32 for job in made)  # type: ignore[index]
    assert {signum: signal.getsignal(signum) for signum in handlers} == handlers


def test_classes_and_serializer(redis: Redis) -> None:
    job = Queue(connection=redis, serializer=hands.Packer).enqueue(hands.kind_of_job)
    pool = WorkerPool(
        ['default'],
        redis,
        worker_class='rq.worker.SpawnWorker',  # type: ignore[arg-type]
        serializer=hands.Packer,
        job_class=hands.OtherJob,
        queue_class=hands.OtherQueue,
        exception_handlers=[jobs.foo_handler],
    )
    assert type(pool.queues[0]) is hands.OtherQueue
    pool.start(burst=True)
    assert job.return_value() == 'OtherJob'


def test_workers_one_by_one(redis: Redis, pool: WorkerPool) -> None:
    pool.start_workers(burst=False)
    assert set(pool.worker_dict) == born(redis, 2) and pool.number_of_active_workers == 2
    first, second = pool.worker_dict.values()
    os.kill(first.pid, signal.SIGKILL)
    first.process.join()
    pool.check_workers(respawn=False)
    assert list(pool.worker_dict) == [second.name]
    pool.check_workers()
    assert pool.number_of_active_workers == 2 and not pool.all_workers_have_stopped()
    pool.stop_worker(first)  # it has gone: nothing happens
    pool.stop_worker(second)
    second.process.join(10)
    pool.reap_workers()
    assert second.name not in pool.worker_dict and pool.number_of_active_workers == 1
    pool.stop_workers()
    wait_until(pool.all_workers_have_stopped, 10, 'all have stopped')
    pool.handle_dead_worker(second)  # forgotten already
    pool.start_worker(burst=True)
    assert pool.number_of_active_workers == 1
    wait_until(pool.all_workers_have_stopped, 10, 'burst: it ends by itself')


def test_told_to_stop_it_starts_no_more(pool: WorkerPool) -> None:
    pool.request_stop()
    pool.check_workers()
    assert pool.status is WorkerPool.Status.STOPPED and pool.worker_dict == {}
    pool.start_worker(burst=False)  # forked while the request came
    wait_until(pool.all_workers_have_stopped, 10, 'it is told, too')


def test_stopped_before_it_began(redis: Redis, pool: WorkerPool) -> None:
    pool.start_worker(burst=False, _sleep=30)
    (data,) = pool.worker_dict.values()
    pool.stop_worker(data)
    data.process.join(10)
    assert data.process.exitcode == 0 and redis.smembers('rq:workers') == set()


def test_a_crash_loop_does_not_spin(redis: Redis) -> None:
    pool = WorkerPool(['default'], redis, num_workers=1, worker_class=Stillborn)

    def rests() -> bool:
        pool.check_workers()
        return pool.number_of_active_workers == 0

    wait_until(rests, 10, 'it waits before it starts another')
    assert redis.get('test:births') == b'3'


def test_run_worker_here(redis: Redis, queue: Queue) -> None:
    handler, job = signal.getsignal(signal.SIGINT), queue.enqueue(jobs.environment)
    run_worker('me', ['default'], *parse_connection(redis))
    assert job.return_value()[1] == 'me' and signal.getsignal(signal.SIGINT) is handler  # type: ignore[index]


# --- as a process -------------------------------------------------------------------------------------------


@pytest.mark.parametrize('signum', [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize('to_all', [True, False])
def test_signals(redis: Redis, queue: Queue, launch: Launch, signum: int, to_all: bool) -> None:
    """To the pool alone, or as a terminal does it: to the group, so that workers hear it twice."""
    job = queue.enqueue(jobs.gate)
    pool = launch('default', cls=POOL, num_workers=2)
    marked(redis, 'at gate')
    born(redis, 2)
    os.kill(-pool.pid if to_all else pool.pid, signum)
    born(redis, 1)
    redis.rpush('test:gate', 1)
    assert pool.wait() == 0 and job.is_finished
    assert born(redis, 0) == set() and 'All workers stopped' in pool.text and check(redis) == []


def test_the_dead_are_replaced(redis: Redis, queue: Queue, launch: Launch) -> None:
    pool = launch('default', cls=POOL, num_workers=2)
    born(redis, 2)
    victim = children(pool)[0]
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: len(children(pool)) == 2 and victim not in children(pool), 10, 'it is replaced')
    pool.said('is dead')
    job: Any = queue.enqueue(jobs.note, 'ran')
    wait_until(lambda: job.is_finished, 10, 'they work')
    assert marks(redis) == ['ran']
    pool.signal(signal.SIGTERM)
    assert pool.wait() == 0


def test_no_process_can_be_started(redis: Redis, queue: Queue, launch: Launch) -> None:
    """The pool and its other worker live on, and it tries again."""
    pool = launch('default', cls=POOL, num_workers=2)
    born(redis, 2)
    victim, other = children(pool)
    limits = resource.prlimit(pool.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pool.process.pid, resource.RLIMIT_NOFILE, (3, limits[1]))
    os.kill(victim, signal.SIGKILL)
    pool.said('Cannot start a worker')
    assert children(pool) == [other]
    resource.prlimit(pool.process.pid, resource.RLIMIT_NOFILE, limits)
    wait_until(lambda: len(children(pool)) == 2, 10, 'it is replaced')
    job: Any = queue.enqueue(jobs.note, 'ran')
    wait_until(lambda: job.is_finished, 10, 'they work')
    pool.signal(signal.SIGTERM)
    assert pool.wait() == 0


@pytest.mark.parametrize('burst', [True, False])
def test_not_even_the_first_can_be_started(redis: Redis, queue: Queue, launch: Launch, burst: bool) -> None:
    """The pool does not end: it tries again, and works."""
    job: Any = queue.enqueue(jobs.note, 'ran')
    pool = launch('default', cls='tests.worker.pools.Starved', num_workers=2, work={'burst': burst})
    pool.said('Cannot start a worker')
    assert children(pool) == []
    most = resource.prlimit(pool.pid, resource.RLIMIT_NOFILE)[1]
    resource.prlimit(pool.pid, resource.RLIMIT_NOFILE, (most, most))
    wait_until(lambda: job.is_finished, 15, 'they work')
    if not burst:
        wait_until(lambda: len(children(pool)) == 2, 10, 'both are there')
        pool.signal(signal.SIGTERM)
    assert pool.wait() == 0 and marks(redis) == ['ran']


def test_repeated_signal(redis: Redis, queue: Queue, launch: Launch) -> None:
    job = queue.enqueue(jobs.waits)
    pool = launch('default', cls=POOL)
    horse = int(marked(redis, 'waits'))

    cold(pool)
    assert pool.wait() == 0 and not lives(horse) and job.is_started
    assert redis.smembers('rq:workers') == set()
