"""Burst, limits, order of queues, names, the books, log lines."""

import gc
import logging
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from rq import Queue, Retry, SimpleWorker, SpawnWorker, Worker
from rq.worker import DequeueStrategy
from tests import jobs
from tests.invariants import check
from tests.launch import Launch, burst, marked, marks
from tests.waiting import wait_until

BOTH = pytest.mark.parametrize('cls', [Worker, SimpleWorker])


@BOTH
def test_burst(redis: Redis, queue: Queue, cls: Any) -> None:
    assert cls([queue]).work(burst=True) is False
    queue.enqueue(jobs.add)
    assert cls([queue]).work(burst=True) is True
    assert redis.smembers('rq:workers') == set() and check(redis) == []


@pytest.mark.parametrize('cls', [Worker, SimpleWorker, SpawnWorker])
def test_nothing_is_left_open(queue: Queue, cls: Any) -> None:
    """A program may work off its queues many times."""

    def work() -> int:
        queue.enqueue(jobs.add)
        cls([queue]).work(burst=True)
        gc.collect()
        return len(list(Path('/proc/self/fd').iterdir()))

    work()
    before = work()
    assert [work() for _ in range(3)] == [before] * 3


@BOTH
def test_max_jobs(redis: Redis, queue: Queue, cls: Any) -> None:
    made = [queue.enqueue(jobs.add) for _ in range(3)]
    cls([queue]).work(max_jobs=2)
    assert [job.get_status() for job in made] == ['finished', 'finished', 'queued'] and check(redis) == []


@BOTH
def test_max_idle_time(redis: Redis, queue: Queue, cls: Any) -> None:
    queue.enqueue(jobs.add)
    assert cls([queue]).work(max_idle_time=1) is True


@pytest.mark.parametrize(
    'strategy, order', [('default', 'a1 a2 b1 b2'), (DequeueStrategy.ROUND_ROBIN, 'a1 b1 a2 b2'), ('random', None)]
)
def test_order_of_queues(redis: Redis, strategy: Any, order: str | None) -> None:
    queues = [Queue(name, connection=redis) for name in 'ab']
    for queue in queues:
        for number in (1, 2):
            queue.enqueue(jobs.note, f'{queue.name}{number}')
    SimpleWorker(queues, connection=redis).work(burst=True, dequeue_strategy=strategy)
    assert sorted(marks(redis)) == ['a1', 'a2', 'b1', 'b2'] and (order is None or ' '.join(marks(redis)) == order)
    with pytest.raises(ValueError):
        Worker(queues).work(burst=True, dequeue_strategy='sideways')  # type: ignore[arg-type]


def test_constructor(redis: Redis, queue: Queue) -> None:
    worker = Worker('a', connection=redis)
    assert worker.queue_names() == ['a'] and len(worker.name) == 32 and worker.queues[0].connection is redis
    assert Worker([queue, 'b']).queue_keys() == ['rq:queue:default', 'rq:queue:b']
    assert (worker.key, worker.hostname is not None, worker.pid) == (f'rq:worker:{worker.name}', True, os.getpid())
    assert (worker.default_result_ttl, worker.worker_ttl, worker.job_monitoring_interval) == (500, 420, 30)
    bare = Worker([queue], prepare_for_work=False)
    assert (bare.hostname, bare.pid) == (None, None)
    assert worker == Worker('x', name=worker.name, connection=redis)
    with pytest.raises(TypeError):
        assert worker == 5
    with pytest.raises(TypeError):
        Worker([5], connection=redis)
    with pytest.warns(DeprecationWarning):
        assert Worker([queue], default_worker_ttl=50).worker_ttl == 50


def test_the_books(redis: Redis, queue: Queue, launch: Launch) -> None:
    queue.enqueue(jobs.gate)
    worker = launch('default', 'other', name='bookish')
    marked(redis, 'at gate')
    (read,) = Worker.all(redis)
    raw: Any = redis.hgetall('rq:worker:bookish')
    assert set(raw) >= {
        b'birth',
        b'last_heartbeat',
        b'queues',
        b'pid',
        b'hostname',
        b'ip_address',
        b'version',
        b'state',
    }
    assert (read.name, read.pid, read.queue_names(), read.get_state()) == (
        'bookish',
        worker.pid,
        ['default', 'other'],
        'busy',
    )
    assert Worker.all(queue=Queue('other', connection=redis)) == [read] and Worker.count(redis) == 1
    assert Worker.find_by_key('rq:worker:bookish', redis) == read and read.get_current_job_id() is not None
    assert Worker.find_by_key('rq:worker:gone', redis) is None and 0 < redis.ttl('rq:worker:bookish') <= 480
    with pytest.raises(ValueError):
        Worker.find_by_key('rq:queue:x', redis)
    with pytest.raises(ValueError, match='There exists an active worker named'):
        Worker([queue], name='bookish').work(burst=True)
    redis.delete('rq:worker:bookish')
    wait_until(lambda: redis.exists('rq:worker:bookish'), 15, 'the books are written again')
    redis.rpush('test:gate', 1)
    worker.signal(15)
    assert worker.wait() == 0
    assert redis.hget('rq:worker:bookish', 'death') and redis.smembers('rq:workers:default') == set()
    assert 0 < redis.ttl('rq:worker:bookish') <= 60 and Worker.all(redis) == []


def test_a_dead_namesake_is_replaced(redis: Redis, queue: Queue) -> None:
    dead = subprocess.Popen(['true'])
    dead.wait()
    worker = Worker([queue], name='mine')
    worker.pid = dead.pid
    worker.register_birth()
    queue.enqueue(jobs.add)
    assert Worker([queue], name='mine').work(burst=True) is True


def test_log_lines(redis: Redis, queue: Queue, caplog: Any) -> None:
    job = queue.enqueue(jobs.add, description='adds')
    killed = queue.enqueue(jobs.leaves, 3)
    with caplog.at_level(logging.INFO, 'rq.worker'):
        burst(redis, queue, name='w')
    lines = [record.getMessage() for record in caplog.records if record.name == 'rq.worker']
    for words in (
        f'Worker w: started with PID {os.getpid()}, version 3.', '*** Listening on default...',
        f'default: adds ({job.id})',
        f'Worker w: default: Job OK ({job.id})', f'Worker w: job {job.id} result is kept for 500 seconds',
        'Successfully completed adds job in ', f'Work horse killed for job {killed.id}: retpid=',
        'Worker w: done, quitting',
    ):  # fmt: skip
        assert [line for line in lines if words in line], f'{words!r} in {lines}'


def test_due_retries_are_promoted_by_an_idle_worker(redis: Redis, queue: Queue, launch: Launch) -> None:
    worker = launch('default').ready()
    job = queue.enqueue(jobs.fails_until, 1, retry=Retry(max=1, interval=1))
    wait_until(lambda: job.is_finished, 8, 'the retry runs')
    worker.signal(15)
    assert worker.wait() == 0


def test_a_foreign_scheduler_lock_is_respected(redis: Redis, queue: Queue) -> None:
    from datetime import timedelta

    job = queue.enqueue_in(timedelta(seconds=-1), jobs.add)
    redis.set('rq:scheduler-lock:default', 'somebody', ex=60)
    burst(redis, queue)
    assert job.is_scheduled
    redis.delete('rq:scheduler-lock:default')
    burst(redis, queue)
    assert job.is_finished


SPEAKING = """
import logging
def speak():
    logging.getLogger('rq.worker').info('said')
    raise KeyError('broken')
"""
PROGRAM = """
import sys
from redis import Redis
from rq import Queue, Worker
queue = Queue(connection=Redis.from_url(sys.argv[1]))
queue.enqueue('speaking.speak')
Worker([queue]).work(burst=True)
"""


def test_the_log_of_a_job(redis_url: str, tmp_path: Path) -> None:
    """A program that configures nothing sees what its jobs write to our logger, and their errors, as our own lines."""
    (tmp_path / 'speaking.py').write_text(SPEAKING)
    program = [sys.executable, '-c', PROGRAM, redis_url]
    said = subprocess.run(program, cwd=tmp_path, capture_output=True, text=True, timeout=30)
    assert re.search(r'^\d\d:\d\d:\d\d said$', said.stdout, re.M)
    assert re.match(r'\d\d:\d\d:\d\d Worker .*: exception raised while executing \(speaking.speak\)', said.stderr)
