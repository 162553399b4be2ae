"""A work horse that dies, freezes, or loses its parent."""

import os
import signal
import time

import pytest
from redis import Redis

from rq import Queue, Retry
from rq.job import Job
from rq.store import keys
from tests.crash import jobs
from tests.crash.driver import Fleet, Witness, alive, tree_of
from tests.waiting import wait_until

pytestmark = pytest.mark.crash

TOLD = ('--exception-handler', 'tests.crash.jobs.told')


def outcome(job: Job, timeout: float = 15, status: str = 'failed') -> str:
    """Wait for the outcome; its text."""
    wait_until(lambda: job.get_status() == status, timeout, f'job {job.id} is {status}')
    result = job.latest_result()
    assert result is not None and len(job.results()) == 1
    return result.exc_string or ''


def told(witness: Witness, job: Job) -> list[str]:
    """What handlers were told of a job."""
    return [line.event for line in witness.lines(who=job.id) if line.event.startswith('told')]


@pytest.mark.parametrize('signum', [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT], ids=lambda s: s.name)
def test_killed(fleet: Fleet, queue: Queue, witness: Witness, signum: signal.Signals) -> None:
    fleet.start(*TOLD, worker='Told')
    job = queue.enqueue(jobs.kill_myself, int(signum))
    died = witness.wait('begin', job.id)
    text = outcome(job)
    assert time.time() - died.at < 2
    assert signum.name in text and 'peak memory' in text
    assert witness.count('told HorseKilledError', job.id) == 1
    assert witness.count(f'horse killed {int(signum)} with peak', job.id) == 1
    assert queue.failed_job_registry.get_job_ids() == [job.id]
    assert witness.count('begin') == 1
    good = queue.enqueue(jobs.work, 1)
    wait_until(lambda: good.get_status() == 'finished', 5)
    assert fleet.innocent_deaths() == []


@pytest.mark.parametrize('code', [0, 3])
def test_left_without_a_word(fleet: Fleet, queue: Queue, witness: Witness, code: int) -> None:
    fleet.start(*TOLD, worker='Told')
    job = queue.enqueue(jobs.leave, code)
    left = witness.wait('begin', job.id)
    text = outcome(job)
    assert time.time() - left.at < 2
    assert f'code {code}' in text
    assert witness.count('told HorseKilledError', job.id) == 1
    assert witness.count('begin') == 1


def test_killed_with_retry(fleet: Fleet, queue: Queue, witness: Witness) -> None:
    """Each attempt is told once; the last one is the outcome."""
    fleet.start(*TOLD, worker='Told')
    job = queue.enqueue(jobs.kill_myself, retry=Retry(max=2))
    assert 'SIGKILL' in outcome(job)
    assert witness.count('begin') == witness.count('told HorseKilledError') == 3


def test_frozen_horse(fleet: Fleet, queue: Queue, witness: Witness) -> None:
    """It does not react to its timeout: its parent ends it."""
    fleet.start(*TOLD, worker='Told')
    job = queue.enqueue(jobs.freeze, job_timeout=1)
    frozen = witness.wait('begin', job.id)
    text = outcome(job, 20)
    assert time.time() - frozen.at < 1 + 5 + 1.5
    assert 'exceeded maximum timeout value (1 seconds)' in text
    assert witness.count('told JobTimeoutException', job.id) == 1
    assert not alive(frozen.pid)


def test_parent_killed(fleet: Fleet, queue: Queue, redis: Redis, witness: Witness) -> None:
    """Only the worker is killed: its horse ends, the job is recovered, and never do two run at once."""
    lost = fleet.start()
    job = queue.enqueue(jobs.long, 30, retry=Retry(max=1))
    horse = witness.wait('begin', job.id)
    assert horse.pid in tree_of(lost.pid)
    lost.signal(signal.SIGKILL)
    killed_at = time.monotonic()
    lost.wait()
    wait_until(lambda: not alive(horse.pid), 10, 'the horse ends itself')
    assert time.monotonic() - killed_at < 10
    wait_until(lambda: tree_of(lost.pid) == [], 10, 'the spare horse goes, too')
    other = fleet.start()
    witness.wait('begin', job.id, times=2)
    other.kill()
    assert witness.count('end') == 0
    fleet.start()
    assert 'AbandonedJobError' in outcome(job)
    assert redis.zcard(keys.wip('q')) == 0


@pytest.mark.parametrize('function', [jobs.raises, jobs.kill_myself])
def test_handler_kills_its_process(fleet: Fleet, queue: Queue, witness: Witness, function: object) -> None:
    """The failure at hand stays the recorded one; the chain is begun twice at most."""
    fleet.start('--exception-handler', 'tests.crash.jobs.dying_handler', worker='Told')
    job = queue.enqueue(function)
    text = outcome(job)
    name = 'ValueError' if function is jobs.raises else 'HorseKilledError'
    assert name in text or 'SIGKILL' in text
    assert witness.count('begin') == 1
    assert len(told(witness, job)) == 2
    assert fleet.innocent_deaths() == []


def test_worker_killed_inside_a_handler(fleet: Fleet, queue: Queue, witness: Witness) -> None:
    """The whole tree dies while a handler runs: another worker goes on from the note, and tells once more."""
    lost = fleet.start('--exception-handler', 'tests.crash.jobs.slow_handler')
    job = queue.enqueue(jobs.raises)
    witness.wait('told ValueError', job.id)
    lost.kill()
    fleet.start(*TOLD)
    text = outcome(job)
    assert 'on purpose' in text and 'AbandonedJobError' not in text
    assert witness.count('begin') == 1
    assert len(told(witness, job)) == 2


def test_descendants_die_with_a_killed_horse(fleet: Fleet, queue: Queue, witness: Witness) -> None:
    fleet.start()
    job = queue.enqueue(jobs.leaves_children_and_dies)
    pids = [int(line.who) for line in (witness.wait('child', times=2), *witness.lines('child'))]
    outcome(job)
    wait_until(lambda: not any(alive(pid) for pid in pids), 5, 'the children of the horse are gone')
    assert os.getpid() not in pids
