"""Horses that are used again: what is put right between two jobs, and when one is retired."""

import os
import signal
from typing import Any

import pytest
from redis import Redis

from rq import Queue, Worker
from tests import jobs
from tests.executors import hands
from tests.invariants import check
from tests.launch import Launch, burst, lives, marked
from tests.waiting import wait_until


class Prefork(Worker):
    executor = 'prefork'


def pids(made: list[Any]) -> list[int]:
    return [job.return_value() for job in made]


def test_a_horse_is_used_again(redis: Redis, queue: Queue) -> None:
    made = [queue.enqueue(hands.pid) for _ in range(5)]
    made.insert(3, queue.enqueue(hands.fails))
    burst(redis, queue, cls=Prefork)
    assert len({job.return_value() for job in made if job.is_finished}) == 1
    assert made[3].is_failed and check(redis) == []
    assert f'ValueError: {made[0].return_value()}' in made[3].latest_result().exc_string  # type: ignore[union-attr]


def test_so_many_jobs(redis: Redis, queue: Queue) -> None:
    made = [queue.enqueue(hands.pid) for _ in range(7)]

    class Short(Prefork):
        horse_max_jobs = 3

    burst(redis, queue, cls=Short)
    found = pids(made)
    assert [found.count(pid) for pid in dict.fromkeys(found)] == [3, 3, 1]


def test_so_old(redis: Redis, queue: Queue) -> None:
    made = [queue.enqueue(hands.pid) for _ in range(3)]

    class Old(Prefork):
        horse_max_age = 0.0

    burst(redis, queue, cls=Old)
    assert len(set(pids(made))) == 3


def test_so_much_memory(redis: Redis, queue: Queue) -> None:
    made = [queue.enqueue(hands.eats, size) for size in (1, 1, 300 << 20, 1, 1)]

    class Slim(Prefork):
        horse_max_memory = 290.0

    burst(redis, queue, cls=Slim)
    found = pids(made)
    assert found[0] == found[1] == found[2] != found[3] == found[4]


@pytest.mark.parametrize(
    ('func', 'args', 'same'),
    [
        (jobs.exits, (0,), False),
        (jobs.waits, (), False),
        (hands.leaves_a_thread, (False,), False),
        (hands.leaves_a_thread, (True,), True),
        (hands.fails, (), True),
    ],
)
def test_bad_ends(redis: Redis, queue: Queue, func: Any, args: Any, same: bool) -> None:
    before, _ = queue.enqueue(hands.pid), queue.enqueue(func, *args, job_timeout=1)
    made = [before, queue.enqueue(hands.pid), queue.enqueue(hands.pid)]
    burst(redis, queue, cls=Prefork)
    first, second, third = pids(made)
    assert (first == second) is same and second == third and check(redis) == []


def test_what_is_put_right(redis: Redis, queue: Queue) -> None:
    before, turned, after = (queue.enqueue(one) for one in (hands.state, hands.turns_everything_over, hands.state))
    burst(redis, queue, cls=Prefork)
    found: Any = before.return_value()
    assert found['pid'] == turned.return_value() and found == after.return_value()


def test_a_child_that_is_left(redis: Redis, queue: Queue) -> None:
    """It lives on, and its horse does nothing else: the end of another job must not be its end."""
    first, second = queue.enqueue(hands.leaves_a_child), queue.enqueue(hands.pid)
    burst(redis, queue, cls=Prefork)
    horse, child = first.return_value()  # type: ignore[misc]
    try:
        assert second.return_value() != horse and lives(child)
    finally:
        os.kill(child, signal.SIGKILL)


def test_a_daemon_outlives_the_next_job(redis: Redis, queue: Queue) -> None:
    """What a finished job has left does not end with the horse of another one."""
    first = queue.enqueue(hands.leaves_a_daemon)
    second = queue.enqueue(jobs.kills_itself, int(signal.SIGKILL))
    burst(redis, queue, cls=Prefork)
    horse, daemon = first.return_value()  # type: ignore[misc]
    try:
        assert second.is_failed and not lives(horse) and lives(daemon)
    finally:
        os.kill(daemon, signal.SIGKILL)


@pytest.mark.parametrize('words', [{}, {'horse_max_jobs': 1}])
def test_several_side_by_side(redis: Redis, queue: Queue, words: dict[str, Any]) -> None:
    made = [queue.enqueue(hands.meets, f'test:meet{number // 3}', 3, job_timeout=20) for number in range(9)]
    burst(redis, queue, cls=type('Several', (Prefork,), words), concurrency=3)
    found = pids(made)
    assert len(set(found)) == (9 if words else 3) and check(redis) == []


def test_the_first_job_of_a_worker_that_idled(redis: Redis, queue: Queue, launch: Launch) -> None:
    worker = launch('default', executor='prefork').ready()
    wait_until(lambda: any('b' in client['flags'] for client in redis.client_list()), 10, 'it waits for work')
    job = queue.enqueue(hands.pid)
    worker.said('Job OK')
    assert job.return_value() != worker.pid and job.attempts == []


def test_horses_leave_with_their_worker(redis: Redis, queue: Queue, launch: Launch) -> None:
    worker = launch('default', executor='prefork').ready()
    job = queue.enqueue(hands.pid)
    worker.said('Job OK')
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 0
    horse: Any = job.return_value()
    wait_until(lambda: not lives(horse), 5, 'the horse that waited is gone')


def test_horses_end_with_their_worker(redis: Redis, queue: Queue, launch: Launch) -> None:
    queue.enqueue(jobs.add)
    queue.enqueue(jobs.waits)
    worker = launch('default', executor='prefork')
    horse = int(marked(redis, 'waits'))
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()
    wait_until(lambda: not lives(horse), 10, 'the horse ends')
