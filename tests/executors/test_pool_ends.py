"""The ends of rides through the pool: each is told once, and no slot stays taken by one that is over."""

import os
from types import SimpleNamespace
from typing import Any

import pytest
from redis import Redis

from rq import Queue, Worker
from rq.executors.base import Running
from rq.executors.chime import Chime
from rq.executors.pool import Craft, Pool
from rq.executors.slots import Slot
from rq.rules.lease import Lease
from rq.rules.watch import Why
from rq.timers import Later
from rq.worker import parts
from tests.waiting import wait_until


def make_slot() -> Slot:
    hooks = SimpleNamespace(executions={}, leases={}, connection=None)
    return Slot(hooks, SimpleNamespace(ride=None))  # type: ignore[arg-type]


def nothing(*_: Any) -> None:
    """What is done for a job here."""


@pytest.fixture
def pool() -> Any:
    made = Pool(2, Craft(make_slot, lambda running: False, nothing, nothing, nothing, lambda: None))
    try:
        yield made
    finally:
        made.close()


@pytest.mark.parametrize('why', [Why.OVERDUE, Why.STOPPED])
def test_who_ended_just_before_it_was_given_up_has_ended_once(pool: Pool, why: Why, monkeypatch: Any) -> None:
    monkeypatch.setitem(Pool.kill.__globals__['_PATIENCE'], Why.STOPPED, 0.0)
    running = Running(SimpleNamespace(), None, None, Lease('j', 'e', 'q', 'w'), {})
    pool.start(running)
    wait_until(lambda: pool._over, 10, 'it has ended, and nobody has looked')
    running.watch.killed_for = why
    pool.kill(running)
    (ended,) = pool.poll()
    assert ended.running is running and pool.poll() == []
    assert pool.stuck == 0 and pool.rescues_while_busy


def test_a_chime_that_was_closed_writes_nowhere() -> None:
    chime = Chime()
    chime.close()
    ours, theirs = os.pipe()
    os.set_blocking(ours, False)
    chime.ring()
    with pytest.raises(BlockingIOError):
        os.read(ours, 1)
    os.close(ours)
    os.close(theirs)


def test_an_alarm_that_raises_stops_no_other() -> None:
    rung: list[int] = []
    Later(0, lambda: 1 / 0)
    Later(0.001, lambda: rung.append(1))
    wait_until(lambda: rung, 10, 'the other comes')


@pytest.mark.parametrize('word', ['thread', 'async'])
def test_how_many_when_nobody_says(redis: Redis, queue: Queue, word: str) -> None:
    worker = Worker([queue], connection=redis, executor=word)
    loop: Any = None
    with_loop: Any = parts.make(worker, loop)
    assert with_loop.capacity == {'thread': 8, 'async': 100}[word] and with_loop.lease_seconds == 0
    with_loop.close()
