"""Batches in the worker's own process: what has ended is stored, what has not begun goes back, whatever happens."""

import inspect
import os
import signal
import tempfile
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from rq import Queue
from rq.command import send_stop_job_command
from rq.worker.loop import Loop
from tests import jobs
from tests.conftest import PrivateServer
from tests.invariants import check
from tests.launch import Launch, Launched, burst, cold, marked, marks
from tests.waiting import wait_until

LONG = 400  # milliseconds of a batch: more than what comes before its gate takes


BOTH = pytest.mark.parametrize('word', ['inline', 'prefork'])


def batch(redis: Redis, queue: Queue, launch: Launch, word: str = 'inline', **words: Any) -> Launched:
    """A worker that has learned to take many at once, and waits at the gate of `learned`."""
    constants = {'rq.rules.batching.PLANNED': 1000.0, **words.pop('constants', {})}
    for _ in range(20):
        queue.enqueue(jobs.nothing)
    queue.enqueue(jobs.gate, 'learned')
    words = {'cls': 'SimpleWorker' if word == 'inline' else 'Worker', 'executor': word, 'batch_ms': LONG, **words}
    worker = launch('default', constants=constants, **words).ready()
    marked(redis, 'at learned')
    return worker


def abandon(redis: Redis) -> None:
    """Let the leases of whoever is lost run out; as one who leaves does it, for which no server is too young."""
    for member in redis.zrange('rq:wip:default', 0, -1):
        redis.zadd('rq:leases:default', {member: 0})


@BOTH
def test_a_long_job_delays_nobody(redis: Redis, queue: Queue, launch: Launch, word: str) -> None:
    """What has ended is stored, also what goes by itself; what has not begun goes back to where it stood."""
    worker = batch(redis, queue, launch, word)
    parents = [queue.enqueue(jobs.add) for _ in range(2)]
    children = [queue.enqueue(jobs.add, depends_on=parent) for parent in parents]
    failing = queue.enqueue(jobs.fail)
    long = queue.enqueue(jobs.gate, 'long')
    behind = [queue.enqueue(jobs.add) for _ in range(3)]
    redis.rpush('test:learned', 1)
    marked(redis, 'at long')
    wait_until(lambda: all(job.is_finished for job in parents) and failing.is_failed, 10, 'what has ended is stored')
    wait_until(lambda: all(job.is_queued for job in behind), 10, 'what has not begun went back')
    assert queue.job_ids[:3] == [job.id for job in behind] and check(redis) == []
    burst(redis, queue)
    assert all(job.is_finished for job in (*children, *behind)) and long.is_started
    redis.rpush('test:long', 1)
    wait_until(lambda: long.is_finished, 10, 'the long one ends')
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 0 and check(redis) == []


@BOTH
def test_a_long_job_that_is_lost_is_not_begun_again(redis: Redis, queue: Queue, launch: Launch, word: str) -> None:
    """As soon as it is known as one that is not short, its loss is a loss."""
    worker = batch(redis, queue, launch, word)
    behind = [queue.enqueue(jobs.gate, 'long'), queue.enqueue(jobs.add)]
    redis.rpush('test:learned', 1)
    marked(redis, 'at long')
    wait_until(lambda: behind[1].is_queued, 10, 'the batch is broken up')
    worker.signal(signal.SIGKILL)
    worker.wait()
    abandon(redis)
    burst(redis, queue)
    assert behind[0].is_failed and behind[1].is_finished and check(redis) == []
    assert [mark for mark in marks(redis) if mark.startswith('at long')] == marks(redis)[-1:]


@BOTH
@pytest.mark.parametrize('grace', [None, 0.2])
def test_a_warm_shutdown_in_the_middle(
    redis: Redis, queue: Queue, launch: Launch, grace: float | None, word: str
) -> None:
    name = 'rq.SimpleWorker' if word == 'inline' else 'rq.Worker'
    worker = batch(redis, queue, launch, word, constants={f'{name}.shutdown_grace': grace} if grace else {})
    first, long = queue.enqueue(jobs.add), queue.enqueue(jobs.gate, 'long')
    behind = [queue.enqueue(jobs.add) for _ in range(3)]
    redis.rpush('test:learned', 1)
    marked(redis, 'at long')
    worker.signal(signal.SIGTERM)
    if word == 'prefork':  # a horse goes on by itself until it is told
        wait_until(lambda: all(job.is_queued for job in behind), 10, 'what has not begun goes back at once')
    if not grace:
        redis.rpush('test:long', 1)
    assert worker.wait() == 0
    assert first.is_finished and all(job.is_queued for job in behind)
    assert [[long, *behind].index(queue.fetch_job(one)) for one in queue.job_ids] == [0, 1, 2, 3][not grace :]
    assert long.is_queued is bool(grace) and check(redis) == []


@BOTH
def test_a_cold_shutdown_in_the_middle(redis: Redis, queue: Queue, launch: Launch, word: str) -> None:
    """Also of a batch that nobody has broken up: nothing that has ended is done again."""
    worker = batch(redis, queue, launch, word)
    first, long = queue.enqueue(jobs.add), queue.enqueue(jobs.gate, 'long')
    behind = [queue.enqueue(jobs.add) for _ in range(3)]
    redis.rpush('test:learned', 1)
    marked(redis, 'at long')
    cold(worker)
    assert worker.wait() == 0
    assert first.is_finished and long.is_started and all(job.is_queued for job in behind)
    assert queue.job_ids == [job.id for job in behind]
    burst(redis, queue)
    assert long.is_failed and all(job.is_finished for job in behind) and check(redis) == []


def test_a_batch_that_killed_its_worker_goes_one_by_one(redis: Redis, queue: Queue, launch: Launch) -> None:
    worker = batch(redis, queue, launch)
    made = [queue.enqueue(jobs.leaves, 3), *(queue.enqueue(jobs.add) for _ in range(3))]
    redis.rpush('test:learned', 1)
    assert worker.wait() == 3
    abandon(redis)
    assert launch('default', cls='SimpleWorker', batch_ms=LONG, work={'burst': True}).wait() == 3
    assert made[0].is_started and not any(job.is_started for job in made[1:])
    abandon(redis)
    assert launch('default', cls='SimpleWorker', batch_ms=LONG, work={'burst': True}).wait() == 0
    assert made[0].is_failed and all(job.is_finished for job in made[1:])
    assert not any(redis.hexists(job.key, 'alone') for job in made) and check(redis) == []


def test_those_that_are_stopped_or_canceled_while_they_wait(redis: Redis, queue: Queue, launch: Launch) -> None:
    constants = {'rq.worker.parts.MOST_BATCH_MS': 60_000, 'rq.SimpleWorker.renew_interval': 0.1}
    worker = batch(redis, queue, launch, constants=constants, batch_ms=60_000)
    first = queue.enqueue(hears)
    words = ('stopped', 'canceled', 'deleted', 'last')
    stopped, canceled, deleted, last = (queue.enqueue(jobs.note, word) for word in words)
    redis.rpush('test:learned', 1)
    marked(redis, 'listens')
    assert all(job.is_started for job in (first, stopped, canceled, deleted, last))
    send_stop_job_command(redis, stopped.id)
    canceled.cancel()
    deleted.delete()
    wait_until(lambda: last.is_finished, 20, 'the last one ends')
    assert first.is_finished and stopped.is_stopped and canceled.is_canceled
    assert not {'stopped', 'canceled', 'deleted'}.intersection(marks(redis))
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 0 and check(redis) == []


@pytest.mark.slow
def test_the_server_does_not_say_whether_they_went_back(launch: Launch, tmp_path: Path) -> None:
    """Nobody runs twice, and nobody is forgotten."""
    with tempfile.TemporaryDirectory(prefix='rq-test-') as directory:
        server = PrivateServer(Path(directory))
        try:
            wait_until(server.answers, 10, 'the server answers')
            with Redis(unix_socket_path=str(server.socket)) as client:
                queue = Queue(connection=client)
                worker = batch(client, queue, launch, url=server.url)
                first, long = queue.enqueue(jobs.note, 'first'), queue.enqueue(doubts, str(tmp_path), server.pid)
                behind = [queue.enqueue(jobs.note, f'behind {number}') for number in range(3)]
                client.rpush('test:learned', 1)
                wait_until((tmp_path / 'doubted').exists, 20, 'they may have gone back, or not')
                server.process.send_signal(signal.SIGCONT)
                (tmp_path / 'go').touch()
                wait_until(lambda: all(job.is_finished for job in (first, long, *behind)), 20, 'all end')
                worker.signal(signal.SIGTERM)
                assert worker.wait() == 0
                assert sorted(mark for mark in marks(client) if not mark.startswith('at ')) == sorted(
                    ['first', 'behind 0', 'behind 1', 'behind 2']
                )
                assert all(len(job.results()) == 1 for job in (first, long, *behind)) and check(client) == []
        finally:
            server.kill()


def doubts(place: str, server: int) -> None:
    """In the process of the worker: freeze the server until those behind are in doubt."""
    os.kill(server, signal.SIGSTOP)
    rest = this_loop().batches._rest
    wait_until(lambda: rest and rest[0].is_doubtful, 20, 'they are in doubt')
    (Path(place) / 'doubted').touch()
    wait_until((Path(place) / 'go').exists, 20, 'the test goes on')


def this_loop() -> Any:
    return next(self for frame in inspect.stack() if isinstance(self := frame.frame.f_locals.get('self'), Loop))


def hears() -> None:
    """In the process of the worker: come back when it has been told to stop one, and that two are lost."""
    jobs.mark('listens')
    loop = this_loop()
    wait_until(lambda: loop.orders._waiting, 10, 'a command comes')
    wait_until(lambda: len(set(loop.inbox.lost)) >= 2, 10, 'two are lost')
