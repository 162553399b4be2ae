"""Group B, workers that are told to leave, or frozen: what they had in hand, and what they say when they are back."""

import os
import signal
import time

import pytest
from redis import Redis

from rq import Queue, Retry
from rq.store import claim, keys
from rq.store.call import run
from rq.store.scripts import load
from tests.crash import jobs
from tests.crash.driver import Fleet, Witness, alive, tree_of
from tests.crash.proxy import Proxy
from tests.crash.servers import Mortal
from tests.crash.sizes import LEASE, WORKER, sized
from tests.waiting import wait_until

pytestmark = pytest.mark.crash

TOLD = ('--exception-handler', 'tests.crash.jobs.told')
ORPHANS = 5


@pytest.mark.usefixtures('beside')
def test_b2_frozen_worker_says_nothing_late(fleet: Fleet, queue: Queue, witness: Witness) -> None:
    """The worker alone freezes; its job goes to another; what it says afterwards counts for nothing."""
    crews = fleet.start_some(2)
    job = queue.enqueue(jobs.long, 7, retry=Retry(max=1))
    first = witness.wait('begin', job.id)
    frozen, other = sorted(crews, key=lambda crew: first.pid not in tree_of(crew.pid))
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


@pytest.mark.usefixtures('beside')
def test_b2_whole_tree_frozen(fleet: Fleet, queue: Queue, redis: Redis, witness: Witness) -> None:
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


@pytest.mark.usefixtures('beside')
def test_b5_to_the_group_while_idle(fleet: Fleet) -> None:
    """Ctrl-C on an idle worker: it leaves at once."""
    crew = fleet.start()
    wait_until(lambda: 'Listening' in crew.text(), 5)
    began = time.monotonic()
    os.killpg(crew.pid, signal.SIGINT)
    assert crew.wait() == 0
    assert time.monotonic() - began < 3
    assert 'Traceback' not in crew.text()


@pytest.mark.usefixtures('beside')
def test_b5_twice(fleet: Fleet, queue: Queue, witness: Witness) -> None:
    """The second Ctrl-C, later, kills the job too; another worker sees to it at once."""
    crew = fleet.start()
    job = queue.enqueue(jobs.long, 60)
    witness.wait('begin', job.id)
    os.killpg(crew.pid, signal.SIGINT)
    wait_until(lambda: 'warm shut down' in crew.text(), 5)
    time.sleep(1.2)  # before that it would be an echo of the first
    os.killpg(crew.pid, signal.SIGINT)
    crew.wait(10)
    assert tree_of(crew.pid) == [] and 'Traceback' not in crew.text()
    fleet.start()
    wait_until(lambda: job.get_status() == 'failed', 3)
    assert witness.count('end') == 0


@pytest.mark.usefixtures('beside')
def test_b5_echo_is_no_second_signal(fleet: Fleet, queue: Queue, witness: Witness) -> None:
    """A terminal and a supervisor both pass it on: that is one request."""
    crew = fleet.start()
    job = queue.enqueue(jobs.long, 2)
    witness.wait('begin', job.id)
    for _ in range(3):
        os.kill(crew.pid, signal.SIGTERM)
    assert crew.wait() == 0
    assert job.get_status() == 'finished'


@pytest.mark.usefixtures('beside')
def test_b6_with_orphans_in_hand(fleet: Fleet, queue: Queue, redis: Redis, witness: Witness) -> None:
    """Jobs of a lost worker, whose handlers run just then, do not keep it; each of them still gets its one outcome."""
    orphans = [queue.enqueue(jobs.long, 60) for _ in range(ORPHANS)]
    run(redis, claim.claim('dead', ['q'], [f'{n:032x}' for n in range(ORPHANS)], lease_seconds=0.5, begun=True))
    grace = sized(2, 8)
    crew = fleet.start(
        '--exception-handler', 'tests.crash.jobs_b.slow_handler', '--shutdown-grace', str(grace), worker=WORKER
    )
    witness.wait('told AbandonedJobError', times=ORPHANS, timeout=LEASE + 20)
    job = queue.enqueue(jobs.long_at_first)
    witness.wait('begin', job.id)
    crew.signal(signal.SIGTERM)
    assert crew.wait(10) == 0
    assert queue.job_ids == [job.id] and tree_of(crew.pid) == []
    fleet.start(*TOLD, worker=WORKER)
    wait_until(lambda: all(one.get_status() == 'failed' for one in orphans), LEASE + 20)
    wait_until(lambda: job.get_status() == 'finished', 15)
    assert all(len(one.results()) == 1 and witness.count('told AbandonedJobError', one.id) <= 2 for one in orphans)


@pytest.mark.parametrize('how', ['killed', 'frozen'])
def test_b6_server_away(far_fleet: Fleet, mortal: Mortal, witness: Witness, how: str) -> None:
    """It leaves in time all the same; what it could not hand back is recovered when its lease has run out."""
    mortal.start()
    queue = Queue('q', connection=mortal.client())
    crew = far_fleet.start('--shutdown-grace', '2', worker=WORKER)
    job = queue.enqueue(jobs.long_at_first, retry=Retry(max=1))
    witness.wait('begin', job.id)
    os.kill(mortal.pid, signal.SIGKILL if how == 'killed' else signal.SIGSTOP)
    if how == 'killed':
        mortal.process.wait()
    crew.signal(signal.SIGTERM)
    told_at = time.monotonic()
    crew.wait(30)
    # of a server that hangs it has to ask two or three times: nine seconds on an idle machine
    assert time.monotonic() - told_at < (10 if how == 'killed' else 12)
    assert tree_of(crew.pid) == [] and 'Traceback' not in crew.text()
    if how == 'killed':
        mortal.start()
    else:
        os.kill(mortal.pid, signal.SIGCONT)
    far_fleet.start(worker=WORKER)
    wait_until(lambda: job.get_status() == 'finished', 2 * LEASE + 20)
    assert witness.count('begin', job.id) == 2 and len(job.results()) == 1


def test_b10_killed_as_the_reply_is_lost(
    fleet: Fleet, proxied: Fleet, proxy: Proxy, queue: Queue, witness: Witness
) -> None:
    """The server has given a job away, the worker never hears of it and dies: back, uncharged, run once."""
    job = queue.enqueue(jobs.work, 1, retry=Retry(max=1))
    rule = proxy.drop_reply(load('claim').sha.encode(), 'hole')
    crew = proxied.start(*TOLD, worker=WORKER, wait=False)
    rule.wait()
    assert job.get_status() == 'started'
    crew.kill()
    began = time.monotonic()
    fleet.start(*TOLD, worker=WORKER)
    wait_until(lambda: job.get_status() == 'finished', 46)
    assert time.monotonic() - began < 45
    job.refresh()
    assert job.retries_left == 1 and job.attempts == []
    assert witness.count('begin', job.id) == 1
    assert not [line for line in witness.lines() if line.event.startswith('told')]


@pytest.mark.parametrize('burst', [False, True], ids=['for good', 'burst'])
def test_b13_everybody_dead_for_a_while(fleet: Fleet, queue: Queue, witness: Witness, burst: bool) -> None:
    """Nobody at all was heard of since: whoever comes gives owners a moment to be heard, then takes over."""
    job = queue.enqueue(jobs.long_at_first, retry=Retry(max=1))
    crew = fleet.start(worker=WORKER)
    witness.wait('begin', job.id)
    crew.kill()
    time.sleep(LEASE * 2)
    fleet.start(*TOLD, *(['--burst'] if burst else []), worker=WORKER, wait=False)
    began = time.monotonic()
    wait_until(lambda: job.get_status() == 'finished', 31)
    assert time.monotonic() - began < 30
    assert witness.count('begin', job.id) == 2 and witness.count('told AbandonedJobError', job.id) == 1
