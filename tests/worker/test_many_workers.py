"""A large fleet, and much that is due: what any worker does for all is not done by each, and beats come in between."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from redis import Redis

from rq import Queue
from rq.connections import rebuild
from rq.defaults import SOCKET_TIMEOUT
from rq.rules.lease import Lease
from rq.store import aside, chores, claim, promote, read, workers
from rq.store.call import Call, run
from rq.supervision import clock as clocks
from rq.supervision.clock import Clock, Inbox
from tests import jobs
from tests.waiting import wait_until

QUEUES = ('q', 'r', 's')
FLEET = 20


class Counting(Clock):
    """A clock that remembers its calls."""

    def __init__(self, redis: Redis, name: str, queues: tuple[str, ...] = QUEUES, **words: Any) -> None:
        run(redis, workers.born(name, queues, 420, {'instance': name}))
        client = rebuild(redis, socket_timeout=SOCKET_TIMEOUT)
        super().__init__(client, name, name, queues, Inbox(lambda: None), list, lambda: True, 420, 30, **words)
        self.calls: list[Call[Any]] = []

    def _call(self, *calls: Call[Any]) -> list[Any]:
        self.calls += calls
        return super()._call(*calls)

    def names(self, *some: str) -> list[str]:
        """The scripts that were called, in turn: these, or all."""
        return [one.script.name for one in list(self.calls) if not some or one.script.name in some]


@pytest.fixture
def begin() -> Iterator[Any]:
    """Start a clock, to be stopped at the end."""
    begun: list[Clock] = []

    def start(clock: Clock) -> Clock:
        begun.append(clock)
        clock.start()
        return clock

    yield start
    stopping = [threading.Thread(target=clock.stop) for clock in begun]
    for thread in stopping:
        thread.start()
    for thread in stopping:
        thread.join()


def test_an_idle_fleet_does_once_what_one_worker_would_do(redis: Redis, begin: Any) -> None:
    redis.config_resetstat()
    began = read.server_time(redis)
    fleet = [begin(Counting(redis, f'w{number}', rescue_interval=1)) for number in range(FLEET)]
    wait_until(lambda: all(len(one.names('look')) >= 3 and one.names('turns') for one in fleet), 60, 'three looks each')
    called = [name for one in fleet for name in one.names()]
    seconds = read.server_time(redis) - began  # however many those were, so often may something be done
    assert not {'promote_due', 'promote_dependents', 'take_news'}.intersection(called)
    assert 0 < called.count('rescue') <= len(QUEUES) * (seconds / 0.2 + 1)
    assert called.count('beat') <= FLEET * (seconds / 4 + 1)
    assert called.count('look') <= FLEET * (seconds / 0.8 + 1)
    # two who look at the same moment may both call; the script lets the second one go at once
    sweeps = len(QUEUES) * (1 + seconds * 1000 / aside.PAUSE)
    scans = redis.info('commandstats')['cmdstat_zscan']['calls']
    assert 8 <= scans <= 8 * sweeps, 'eight sorted sets a sweep'


def test_a_turn_that_was_not_used_is_anothers(redis: Redis, begin: Any) -> None:
    """Who took it died before he did anything."""
    queue = due(redis, 3)
    assert run(redis, chores.look(['q'])).promote == ['q']
    begin(Counting(redis, 'w', ('q',)))
    wait_until(lambda: queue.count == 3)


def test_orphans_of_many_queues_and_more_than_one_can_have_in_hand(redis: Redis, begin: Any) -> None:
    """A full hand makes the turn anybody's at once."""
    queue = Queue('q', redis)
    for number in range(clocks.ADOPT_AT_ONCE + 1):
        queue.enqueue(jobs.add)
        (taken,) = run(redis, claim.claim('dead', ['q'], [f'e{number}'])).taken
        lease = Lease(taken.job_id, taken.execution, 'q', 'dead')
        run(redis, claim.begin(lease))
        run(redis, claim.renew('dead', [lease._replace(lease_ms=0)]))
    run(redis, chores.turns(['q'], 'rescue', 1000))
    assert run(redis, chores.turns(['q'], 'rescue', 60_000)) == []
    ids = [f'x{number}' for number in range(clocks.ADOPT_AT_ONCE)]
    assert len(run(redis, claim.rescue('q', 'w', ids)).orphans) == clocks.ADOPT_AT_ONCE
    assert run(redis, chores.turns(['q'], 'rescue', 60_000)) == ['q']
    assert len(run(redis, claim.rescue('q', 'v', ['y', 'z'])).orphans) == 1
    assert run(redis, chores.turns(['q'], 'rescue', 60_000)) == []


def due(redis: Redis, number: int) -> Queue:
    """A queue with so many jobs that are due."""
    queue = Queue('q', redis)
    for _ in range(number):
        queue.enqueue_at(datetime.now(UTC) - timedelta(seconds=9), jobs.add)
    return queue


def test_beats_come_between_the_batches_of_what_is_due(
    redis: Redis, begin: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(promote, 'BATCH', 10)
    queue = due(redis, 95)
    one = begin(Counting(redis, 'w', ('q',), renew_interval=0.001))
    wait_until(lambda: queue.count == 95 and not queue.scheduled_job_registry.count)
    names = ' '.join(one.names('promote_due', 'beat'))
    assert names.count('promote_due') >= 10 and 'promote_due promote_due' not in names
    assert {call.args[-1] for call in one.calls if call.script.name == 'promote_due'} == {10}
