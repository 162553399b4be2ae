"""An idle worker has its next claim waiting at the server: who enqueues a job hands it over. Nothing is lost by it."""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from redis import Redis

from rq import Queue, SimpleWorker, Worker
from rq.job import Job
from rq.store import claim as store
from rq.store import keys
from rq.store.call import run
from rq.worker import claiming, riding
from rq.worker.claiming import Conversation
from tests import jobs
from tests.invariants import check
from tests.launch import Launch, burst, marked, marks
from tests.waiting import wait_until

BOTH = pytest.mark.parametrize('cls', [Worker, SimpleWorker])
LONG = 60.0  # seconds; here nobody waits for the end of a wait


def blocked(redis: Redis) -> int:
    known: Any = redis.info('clients')
    return int(known['blocked_clients'])


@pytest.fixture
def talk(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> Iterator[Conversation]:
    """That of a worker whose claim waits."""
    monkeypatch.setattr(claiming, 'IDLE_SECONDS', LONG)
    talk = Conversation(SimpleWorker([queue], name='w'))
    talk.wait_descriptor(['default'], (['default'], 0))
    wait_until(lambda: blocked(queue.connection) == 1)
    yield talk
    talk.close()


def modules() -> list[str]:
    return sorted(sys.modules)


def handed_over(queue: Queue) -> Job:
    job = queue.enqueue(jobs.add)
    wait_until(lambda: job.get_status() == 'started')
    return job


def claim(talk: Conversation) -> Any:
    return talk.next([], ['default'], 0, 1, True)


@BOTH
def test_a_job_that_is_handed_over_has_begun(redis: Redis, queue: Queue, launch: Launch, cls: Any) -> None:
    """As any other: marked, and with the lease of its executor."""
    worker = launch('default', cls=cls.__name__).ready()
    wait_until(lambda: blocked(redis) == 1)
    job = queue.enqueue(jobs.gate)
    marked(redis, 'at gate')
    (execution,) = job.get_executions()
    assert redis.hget(keys.execution(job.id, execution.id), 'begun') == b'1'
    ends: Any = redis.zscore(keys.leases('default'), f'{job.id}:{execution.id}')
    now: Any = redis.time()
    left = ends / 1000 - now[0]
    assert (left > 200) is (cls is SimpleWorker) and check(redis) == []
    redis.rpush('test:gate', 1)
    wait_until(lambda: job.is_finished)
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 0


@BOTH
def test_told_to_leave(redis: Redis, queue: Queue, monkeypatch: pytest.MonkeyPatch, cls: Any) -> None:
    """What its claim takes in that moment goes back, uncharged, to the front."""
    monkeypatch.setattr(claiming, 'IDLE_SECONDS', LONG)
    first, second = queue.enqueue(jobs.add), queue.enqueue(jobs.add)
    redis.delete(queue.key, keys.wake('default'))

    def leaves() -> None:
        wait_until(lambda: blocked(redis) == 1)
        redis.rpush(queue.key, first.id, second.id)  # as RQ 3.0: nobody is woken
        os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=leaves)
    thread.start()
    cls([queue], connection=redis).work()
    thread.join()
    assert queue.job_ids == [first.id, second.id] and check(redis) == []
    assert [job.get_status() for job in (first, second)] == ['queued', 'queued']
    burst(redis, queue, cls=cls)
    assert [len(job.results()) for job in (first, second)] == [1, 1]


def test_a_reply_that_was_lost(queue: Queue, talk: Conversation) -> None:
    """It is asked for once more; nothing of it has begun."""
    job = handed_over(queue)
    talk.waiter.drop()
    claims = claim(talk)
    assert [one.job_id for one in claims.taken] == [job.id] and claims.ahead
    assert not claim(talk).ahead


def test_while_it_waits(queue: Queue, talk: Conversation) -> None:
    """Nothing else is claimed."""
    assert claim(talk).taken == []
    job = handed_over(queue)
    assert claim(talk).taken == []  # not read yet
    talk.waited(True)
    claims = claim(talk)
    assert [one.job_id for one in claims.taken] == [job.id] and claims.ahead


def test_a_silent_server(queue: Queue, talk: Conversation) -> None:
    """The wait is given up; what it may have taken is asked for."""
    job = handed_over(queue)
    talk.waited(False)
    assert [one.job_id for one in claim(talk).taken] == [job.id]


@pytest.mark.parametrize('read', [False, True])
def test_the_worker_ends_in_the_middle(redis: Redis, queue: Queue, talk: Conversation, read: bool) -> None:
    """Whoever looks next takes it, and it was not its fault."""
    job = handed_over(queue)
    if read:
        talk.waited(True)
    talk.close()
    assert redis.zrange(keys.leases('default'), 0, -1, withscores=True)[0][1] == 0
    burst(redis, queue)
    assert job.is_finished and len(job.results()) == 1 and not redis.hexists(job.key, 'lost') and check(redis) == []


def test_the_worker_is_gone(redis: Redis, queue: Queue, talk: Conversation) -> None:
    """Its machine died, and the server did not know: the job did not begin, so nobody charges it for that."""
    job = handed_over(queue)
    talk.waiter.drop()
    rescued = run(redis, store.rescue('default', 'other', ['e' * 32], now=time.time() + 3600))
    assert (rescued.released, rescued.orphans) == (1, [])
    burst(redis, queue)
    assert job.is_finished and len(job.results()) == 1 and not redis.hexists(job.key, 'lost') and check(redis) == []


def test_horses_practise_while_there_is_time(redis: Redis, queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once, and only when no job is in sight."""

    def practise(worker: Any) -> None:
        redis.rpush('test:marks', os.getpid())

    monkeypatch.setattr(riding, 'practise', practise)
    hurried = queue.enqueue(os.getpid)
    burst(redis, queue)
    assert str(hurried.return_value()) not in marks(redis)
    before = len(set(marks(redis)))
    redis.delete('test:marks')
    calm: list[Job] = []

    def leaves() -> None:
        wait_until(lambda: len(set(marks(redis))) > before)
        calm.append(queue.enqueue(os.getpid))
        wait_until(lambda: calm[0].is_finished)
        os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=leaves)
    thread.start()
    Worker([queue], connection=redis).work()
    thread.join()
    assert marks(redis).count(str(calm[0].return_value())) == 1


def test_practice_leaves_nothing_behind(redis: Redis, queue: Queue, launch: Launch) -> None:
    launch('default').ready()
    job = queue.enqueue(modules)
    wait_until(lambda: job.is_finished)
    assert 'rq.worker.riding' in job.return_value() and 'rq.worker.rehearsed' not in job.return_value()
