"""A worker that is frozen past its lease, then thawed."""

import signal
import time

import pytest
from redis import Redis

from rq import Queue, Retry
from rq.store import keys
from tests.crash import jobs
from tests.crash.driver import Fleet, Witness, alive, tree_of
from tests.waiting import wait_until

pytestmark = pytest.mark.crash


def test_late_outcome_is_not_written(fleet: Fleet, queue: Queue, witness: Witness) -> None:
    """The worker alone freezes; its job goes to another; what it says afterwards counts for nothing."""
    frozen = fleet.start()
    job = queue.enqueue(jobs.long, 8, retry=Retry(max=1))
    first = witness.wait('begin', job.id)
    other = fleet.start()
    frozen.signal(signal.SIGSTOP)
    witness.wait('begin', job.id, times=2)
    wait_until(lambda: not alive(first.pid), 5, 'the horse of the frozen worker has ended')
    frozen.signal(signal.SIGCONT)
    wait_until(lambda: job.get_status() == 'finished', 15)
    assert [result.worker_name for result in job.results()] == [other.name]
    assert witness.count('end', job.id) == 1
    other.signal(signal.SIGTERM)
    assert other.wait() == 0
    again = queue.enqueue(jobs.work, 1)
    wait_until(lambda: again.get_status() == 'finished', 10, 'the thawed worker lives on')


def test_whole_tree_frozen(fleet: Fleet, queue: Queue, redis: Redis, witness: Witness) -> None:
    """Worker and horse freeze together (a suspended machine); the job is done by another meanwhile."""
    frozen = fleet.start()
    job = queue.enqueue(jobs.long, 3, retry=Retry(max=1))
    horse = witness.wait('begin', job.id)
    other = fleet.start()
    tree = [*tree_of(frozen.pid), frozen.pid]
    for pid in reversed(tree):
        frozen.signal_one(pid, signal.SIGSTOP)
    wait_until(lambda: job.get_status() == 'finished', 15)
    for pid in tree:
        frozen.signal_one(pid, signal.SIGCONT)
    wait_until(lambda: not alive(horse.pid), 5)
    wait_until(lambda: 'no longer ours' in frozen.text(), 5, 'the thawed worker notices')
    assert [result.worker_name for result in job.results()] == [other.name]
    assert fleet.innocent_deaths() == []
    assert redis.hget(keys.worker(frozen.name), 'pid') == str(frozen.pid).encode()
    began = time.monotonic()
    more = [queue.enqueue(jobs.work, 1) for _ in range(20)]
    wait_until(lambda: all(one.get_status() == 'finished' for one in more), 5)
    assert time.monotonic() - began < 5
