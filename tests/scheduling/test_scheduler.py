"""RQScheduler: locks, books, passes, and its process."""

import os
import signal
import subprocess
import sys
import tempfile
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from redis import Redis

from rq import Queue, SimpleWorker
from rq.exceptions import SchedulerNotFound
from rq.registry import ScheduledJobRegistry
from rq.scheduler import SCHEDULER_KEY_TEMPLATE, SCHEDULER_LOCKING_KEY_TEMPLATE, RQScheduler, SchedulerStatus
from rq.utils import now
from tests.conftest import PrivateServer
from tests.jobs import add
from tests.launch import ROOT, lives
from tests.waiting import wait_until


@pytest.fixture
def make(redis):
    """make('a', 'b'): a scheduler; its process, if there is one, ends with the test."""
    made = []

    def make(*queues, **words):
        made.append(RQScheduler(queues or ['a', 'b'], redis, **words))
        return made[-1]

    yield make
    for one in made:
        if one._process is not None and one._process.is_alive():
            one._process.kill()
            one._process.join()


def due(redis, name='a', **words):
    return Queue(name, connection=redis).enqueue_at(now() - timedelta(seconds=1), add, **words)


def test_what_it_is(redis, make):
    one = make('a', Queue('b', connection=redis), name='me', interval=5)
    assert (one.name, one.key, one._queue_names, one.interval) == ('me', 'rq:scheduler:me', {'a', 'b'}, 5)
    assert (one.status, one.acquired_locks, one.pid, one.last_heartbeat) == (SchedulerStatus.STOPPED, set(), 0, None)
    assert (one.lock_acquisition_time, one._scheduled_job_registries, one._stop_requested) == (None, [], False)
    assert (RQScheduler.Status, RQScheduler.get_locking_key('q')) == (SchedulerStatus, 'rq:scheduler-lock:q')
    assert (SCHEDULER_KEY_TEMPLATE, SCHEDULER_LOCKING_KEY_TEMPLATE) == ('rq:scheduler:%s', 'rq:scheduler-lock:%s')
    assert one.connection is one.connection is not redis
    assert len({make().name, make().name}) == 2


def test_acquire(redis, make):
    one, other = make('a', 'b', interval=3), make('b', 'c')
    assert one.acquire_locks() == {'a', 'b'} == one.acquired_locks
    assert (redis.get('rq:scheduler-lock:a'), redis.ttl('rq:scheduler-lock:a')) == (one.name.encode(), 63)
    assert other.acquire_locks() == {'c'}
    redis.expire('rq:scheduler-lock:a', 5)
    assert one.acquire_locks() == {'a', 'b'}
    assert redis.ttl('rq:scheduler-lock:a') == 63
    assert isinstance(one.lock_acquisition_time, datetime)
    assert one.lock_acquisition_time.tzinfo is None


def test_when_to_try_again(redis, make):
    one, other = make('a'), make('a')
    assert one.should_reacquire_locks
    one.acquire_locks()
    assert not one.should_reacquire_locks
    other.acquire_locks()
    assert not other.should_reacquire_locks
    other.lock_acquisition_time = datetime.now() - timedelta(seconds=121)
    assert other.should_reacquire_locks


def test_release(redis, make):
    one = make('a', 'b')
    one.acquire_locks()
    redis.set('rq:scheduler-lock:b', 'other')
    one.release_locks()
    assert one.acquired_locks == set()
    assert (redis.get('rq:scheduler-lock:a'), redis.get('rq:scheduler-lock:b')) == (None, b'other')


def test_books(redis, make):
    one = make('a')
    one.register_birth()
    assert redis.hgetall(one.key) == {name.encode(): str(value).encode() for name, value in one.to_dict().items()}
    assert (one.pid, redis.ttl(one.key)) == (os.getpid(), 61)
    read = RQScheduler.fetch(one.name, redis)
    assert (read.to_dict(), read.created_at, read.last_heartbeat) == (one.to_dict(), one.created_at, one.last_heartbeat)
    assert (one.register_death(), one.register_death()) == (True, False)
    with pytest.raises(SchedulerNotFound):
        RQScheduler.fetch(one.name, redis)


def test_heartbeat(redis, make):
    one = make('a', 'b', 'c')
    one.register_birth()
    born = one.last_heartbeat
    one.acquire_locks()
    one.prepare_registries()
    redis.expire('rq:scheduler-lock:c', 5)
    redis.expire(one.key, 5)
    redis.delete('rq:scheduler-lock:a')  # expired and free: taken again
    redis.set('rq:scheduler-lock:b', 'other')  # taken over: given up
    one.heartbeat()
    assert one.acquired_locks == {'a', 'c'}
    assert (redis.get('rq:scheduler-lock:a'), redis.get('rq:scheduler-lock:b')) == (one.name.encode(), b'other')
    assert (redis.ttl('rq:scheduler-lock:c'), redis.ttl(one.key)) == (61, 61)
    assert RQScheduler.fetch(one.name, redis).last_heartbeat > born
    job = due(redis, 'b')
    one.enqueue_scheduled_jobs()
    assert job.get_status() == 'scheduled'


def test_a_pass(redis, make):
    one = make('a', 'b')
    jobs = [due(redis, 'a'), due(redis, 'b', at_front=True)]
    later = Queue('a', connection=redis).enqueue_in(timedelta(hours=1), add)
    foreign = due(redis, 'c')
    redis.zadd('rq:scheduled:a', {'ghost': 1})
    one.acquire_locks()
    one.enqueue_scheduled_jobs()
    assert [job.get_status().value for job in jobs] == ['queued', 'queued']
    assert [job.get_status().value for job in (later, foreign)] == ['scheduled', 'scheduled']
    assert ScheduledJobRegistry('a', connection=redis).get_job_ids() == [later.id]
    assert (one.status, {each.name for each in one._scheduled_job_registries}) == (SchedulerStatus.STARTED, {'a', 'b'})


def test_registries_by_name(redis, make):
    one, job = make('a'), due(redis, 'x')
    one.enqueue_scheduled_jobs()
    assert job.get_status() == 'scheduled'
    one.prepare_registries(['x'])
    one.enqueue_scheduled_jobs()
    assert job.get_status() == 'queued'


def test_it_does_not_push_what_another_serves(redis, make):
    one, job = make('a'), due(redis)
    one.acquire_locks()
    redis.set('rq:scheduler-lock:a', 'of-rq-3')  # a moment ago
    one.enqueue_scheduled_jobs()
    assert job.get_status() == 'scheduled'


def test_workers_of_ours_promote_beside_it(redis, make):
    make('a').acquire_locks()
    job = due(redis)
    worker = SimpleWorker(['a'], connection=redis)
    worker.work(burst=True)
    assert job.get_status(refresh=True) == 'finished'


def test_stop(redis, make):
    one = make('a')
    one.acquire_locks()
    one.register_birth()
    one.stop()
    assert (one.status, one.acquired_locks) == (SchedulerStatus.STOPPED, set())
    assert (redis.exists(one.key), redis.exists('rq:scheduler-lock:a')) == (0, 0)


@pytest.mark.parametrize('signum', [signal.SIGTERM, signal.SIGINT])
def test_process(redis, make, signum):
    one, job = make('a'), due(redis)
    assert one.acquire_locks(auto_start=True) == {'a'}
    process = one._process
    assert (process.name, one.status) == ('Scheduler', SchedulerStatus.STARTED)
    wait_until(lambda: job.get_status() == 'queued', what='the process promotes')
    assert RQScheduler.fetch(one.name, redis).pid == process.pid == Queue('a', connection=redis).scheduler_pid
    one.acquire_locks(auto_start=True)
    assert one._process is process
    os.kill(process.pid, signum)
    process.join(10)
    assert (process.exitcode, redis.exists(one.key), redis.exists('rq:scheduler-lock:a')) == (0, 0, 0)


def test_it_waits_for_its_server():
    with tempfile.TemporaryDirectory(prefix='rq-test-') as directory:
        server = PrivateServer(Path(directory))
        with Redis(unix_socket_path=str(server.socket)) as redis:
            wait_until(server.answers)
            one = RQScheduler(['a'], redis)
            one.acquire_locks(auto_start=True)
            try:
                for again in (True, False):
                    job = due(redis)
                    wait_until(lambda job=job: job.get_status() == 'queued', 20, 'it promotes')
                    wait_until(lambda: redis.exists(one.key), what='it is in the books')
                    server.kill()
                    if again:
                        server = PrivateServer(Path(directory))
                        wait_until(server.answers)
                one._process.terminate()
                one._process.join(20)
                assert one._process.exitcode == 0
            finally:
                server.kill()
                one._process.kill()


def test_without_a_lock_nothing_is_started(redis, make):
    make('a').acquire_locks()
    other = make('a')
    assert (other.acquire_locks(auto_start=True), other._process) == (set(), None)


def test_a_process_takes_locks_by_itself_and_works_in_place(redis, make, monkeypatch):
    one, job = make('a'), due(redis)
    passes = one.enqueue_scheduled_jobs

    def once():
        passes()
        assert (one.acquired_locks, redis.exists(one.key)) == ({'a'}, 1)
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(one, 'enqueue_scheduled_jobs', once)
    one.work()
    assert job.get_status() == 'queued'
    assert (one.status, redis.exists(one.key), redis.exists('rq:scheduler-lock:a')) == ('stopped', 0, 0)


PARENT = """
import os, sys
from redis import Redis
from rq.scheduler import RQScheduler
from tests.waiting import wait_until
redis = Redis(unix_socket_path=sys.argv[1])
one = RQScheduler(['a'], redis, logging_level='ERROR')
one.acquire_locks(auto_start=True)
wait_until(lambda: redis.exists(one.key))
print(one._process.pid, flush=True)
sys.stdin.read() if sys.argv[2] == 'killed' else None
"""


@pytest.mark.parametrize('end', ['killed', 'exits'])
def test_it_does_not_outlive_its_parent(redis, server, end):
    parent = subprocess.Popen(
        [sys.executable, '-c', PARENT, str(server.socket), end], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        text=True, cwd=ROOT, env={**os.environ, 'PYTHONPATH': str(ROOT)},
    )  # fmt: skip
    with parent:
        pid = int(parent.stdout.readline())
        if end == 'killed':
            parent.kill()
        wait_until(lambda: not lives(pid), what='the scheduler ends')
        assert redis.exists('rq:scheduler-lock:a') == 0


def test_a_round_does_not_wait_for_the_lock_of_a_dead_one(make, redis):
    """The script knows locks of ours: whoever holds them, it is safe to queue what is due."""
    make('a').acquire_locks()
    jobs = [Queue('a', connection=redis).enqueue_at(now() - timedelta(seconds=9), add, n, n) for n in range(3)]
    other = make('a')
    other._round()
    assert other.acquired_locks == set()
    assert set(Queue('a', connection=redis).job_ids) == {job.id for job in jobs}


def test_a_pass_takes_more_than_one_step(make, redis, monkeypatch):
    monkeypatch.setattr('rq.scheduler.PASS', 2)
    monkeypatch.setattr('rq.scheduler.PASSES', 5)
    queue = Queue('a', connection=redis)
    for n in range(12):
        queue.enqueue_at(now() - timedelta(seconds=9), add, n, n)
    one = make('a')
    one.acquire_locks()
    one.enqueue_scheduled_jobs()
    assert queue.count == 10  # five steps, then the locks are looked after
