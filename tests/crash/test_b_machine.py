"""Group B, the machine: all workers die at once, clocks lie; and the defaults as they are."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from redis import Redis

from rq import Queue, Repeat, Retry
from rq.rules.timing import utcformat
from rq.store import claim, keys
from rq.store.call import run
from rq.utils import now
from tests.crash import jobs, jobs_b
from tests.crash.driver import Fleet, Witness, tree_of
from tests.crash.faketime import Clock
from tests.crash.sizes import FULL, LEASE, WORKER
from tests.waiting import wait_until

pytestmark = [pytest.mark.crash, pytest.mark.usefixtures('beside')]

TOLD = ('--exception-handler', 'tests.crash.jobs.told')
JOBS = 500
AT_ONCE = 60  # processes of a worker: twice twenty orphans, those just leaving, its own job, spares


def test_b13_all_die_with_five_hundred_jobs(fleet: Fleet, queue: Queue, redis: Redis, witness: Witness) -> None:
    """Their jobs are seen to soon, and without a storm of handlers; new ones flow meanwhile."""
    queue.enqueue_many([queue.prepare_data(jobs.work, (1,), job_id=f'j{n}') for n in range(JOBS)])
    for _ in range(JOBS // 100):
        ids = [uuid4().hex for _ in range(100)]
        run(redis, claim.claim('dead', ['q'], ids, lease_seconds=0.5, begun=True))
    assert redis.zcard(keys.leases('q')) == JOBS
    others = Queue('other', connection=redis)
    fresh = [others.enqueue(jobs.work, 1) for _ in range(20)]
    options = ('--exception-handler', 'tests.crash.jobs.patient')
    crews = fleet.start_some(2, *options, worker=WORKER, queues=['q', 'other'])
    began = time.monotonic()
    wait_until(lambda: all(job.get_status() == 'finished' for job in fresh), 5, 'unrelated jobs flow')
    most = 0

    def seen_to() -> bool:
        nonlocal most
        most = max(most, *(len(tree_of(crew.pid)) for crew in crews))
        return bool(redis.zcard(keys.place('failed', 'q')) == JOBS)

    wait_until(seen_to, 30, 'all of them are failed')
    print(f'mass: {JOBS} orphans in {time.monotonic() - began:.1f} s, at most {most} processes of a worker')
    assert set(witness.counts('told AbandonedJobError').values()) == {1}
    assert witness.count('told AbandonedJobError') == JOBS
    assert most <= AT_ONCE


@pytest.mark.parametrize('offset', ['+120', '-120', 'jumping'])
def test_b14_a_clock_that_lies(
    fleet: Fleet, queue: Queue, redis: Redis, witness: Witness, tmp_path: Path, offset: str
) -> None:
    """One host's clock is wrong, or jumps while it works: no living job is taken, no lease lost, delays are true."""
    clock = Clock(tmp_path, '+0' if offset == 'jumping' else offset)
    fleet.environment = clock.environment
    liar = fleet.start(worker=WORKER, wait=False)
    fleet.environment = {}
    honest = fleet.start(worker=WORKER)
    fleet.wait_for(liar)
    both = [queue.enqueue(jobs_b.waits, LEASE + 3) for _ in range(2)]
    witness.wait('begin', times=2)
    again = queue.enqueue(jobs.raises, retry=Retry(max=1, interval=2))
    later = queue.enqueue_in(timedelta(seconds=2), jobs.work, 1)
    repeated = queue.enqueue(jobs.work, 2, repeat=Repeat(times=1, interval=2))
    until = time.monotonic() + LEASE
    while offset == 'jumping' and time.monotonic() < until:
        for jump in ('+3600', '-3600', '+0'):
            clock.set(jump)
            time.sleep(LEASE / 6)
    wait_until(lambda: all(job.get_status() == 'finished' for job in both), LEASE + 15)
    wait_until(lambda: redis.zscore(keys.place('scheduled', 'q'), again.id) or again.get_status() == 'failed', 10)
    due = redis.zscore(keys.place('scheduled', 'q'), again.id)
    assert due is None or 0 <= due - redis.time()[0] <= 3, "the pause of a retry is from the server's now"
    wait_until(lambda: again.get_status() == 'failed' and later.get_status() == 'finished', 10)
    wait_until(lambda: witness.count('end', repeated.id) == 2, 10)
    assert all(witness.count('begin', job.id) == 1 for job in both)
    results = [result for job in both for result in job.results()]
    assert {result.worker_name for result in results} == {liar.name, honest.name}
    assert 'no longer ours' not in liar.text() + honest.text()
    for result in results:
        lasted = (result.execution_ended_at - result.execution_started_at).total_seconds()
        assert LEASE + 2.9 < lasted < LEASE + 6
    for job in (*both, again, later):
        job.refresh()
        assert job.started_at <= job.ended_at <= now() + timedelta(seconds=1)


def test_b14_producers_clock(fleet: Fleet, queue: Queue, redis: Redis, witness: Witness, tmp_path: Path) -> None:
    """A delay is from the server's now, whatever the producer thinks it is."""
    fleet.start(worker=WORKER)
    for offset in ('+600', '-600'):
        clock = Clock(tmp_path, offset)
        script = (
            'import sys; from datetime import timedelta; from redis import Redis; from rq import Queue\n'
            'queue = Queue("q", connection=Redis(unix_socket_path=sys.argv[1]))\n'
            'print(queue.enqueue_in(timedelta(seconds=2), "tests.crash.jobs.work", 1).id)\n'
        )
        began = time.time()
        job_id = fleet.run_python(script, fleet.url.removeprefix('unix://'), environment=clock.environment)
        line = witness.wait('begin', job_id, timeout=8)
        assert 1.0 < line.at - began < 6


@pytest.mark.parametrize('offset', ['+120', '-120'])
def test_b14_killed_horse(fleet: Fleet, queue: Queue, tmp_path: Path, offset: str) -> None:
    """What the worker itself records of an attempt has no negative length either."""
    fleet.environment = Clock(tmp_path, offset).environment
    fleet.start(worker=WORKER)
    fleet.environment = {}
    job = queue.enqueue(jobs.kill_myself)
    wait_until(lambda: job.get_status() == 'failed', 10)
    job.refresh()
    assert timedelta(0) <= job.ended_at - job.started_at < timedelta(seconds=5)


@pytest.mark.parametrize('offset', ['+120', '-120'])
def test_b14_name_of_another_host(fleet: Fleet, redis: Redis, tmp_path: Path, offset: str) -> None:
    """Whether the namesake there lives is told by the age of its beat, and that is of the server's clock."""
    theirs = {'hostname': 'elsewhere', 'instance': 'theirs', 'pid': '7', 'birth': utcformat(now())}
    fleet.environment = Clock(tmp_path, offset).environment
    redis.hset(keys.worker('w'), mapping={**theirs, 'last_heartbeat': utcformat(now() - timedelta(seconds=60))})
    fleet.start(name='w').kill()
    redis.delete(keys.worker('w'))
    redis.hset(keys.worker('w'), mapping={**theirs, 'last_heartbeat': utcformat(now())})
    second = fleet.start(name='w', wait=False)
    assert second.wait() == 1 and 'active worker' in second.text()
    redis.delete(keys.worker('w'))


if FULL:  # forty seconds of waiting; with short leases the two tests of b8 in test_b_worker.py say the same

    @pytest.mark.slow
    def test_b8_by_the_defaults(fleet: Fleet, redis: Redis, witness: Witness) -> None:
        """The real leases: jobs of lost workers are failed within 45 s, by an idle worker and by a busy one."""

        def seen_to(busy: bool) -> float:
            name = f'q-{busy}'
            there = Queue(name, connection=redis)
            job = there.enqueue(jobs.long, 300)
            lost = fleet.start(*TOLD, worker='Default', queues=[name])
            witness.wait('begin', job.id)
            lost.kill()
            killed_at = time.monotonic()
            other = there.enqueue(jobs.long, 120, at_front=True) if busy else None
            fleet.start(*TOLD, worker='Default', queues=[name])
            if other is not None:
                witness.wait('begin', other.id)
            wait_until(lambda: job.get_status() == 'failed', 45, f'the job of {name} is failed')
            assert witness.count('begin', job.id) == witness.count('told AbandonedJobError', job.id) == 1
            return time.monotonic() - killed_at

        with ThreadPoolExecutor() as pool:
            asked = {busy: pool.submit(seen_to, busy) for busy in (False, True)}
        took = {busy: answer.result() for busy, answer in asked.items()}
        print(f'by the defaults: idle {took[False]:.1f} s, busy {took[True]:.1f} s')
        assert max(took.values()) < 45
