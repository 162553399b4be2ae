"""Group 1 of the faults, A15: what the descendants of a job become, however they try to get away."""

import time
from itertools import product

import pytest

from rq import Queue
from rq.command import send_stop_job_command
from rq.job import Job
from tests.crash import jobs, jobs_family
from tests.crash.driver import Fleet, Witness, alive, signal_all
from tests.crash.sizes import FULL
from tests.crash.verdicts import FORK, SPAWN, TOLD
from tests.waiting import wait_until

pytestmark = [pytest.mark.crash, pytest.mark.usefixtures('beside')]

EVERY = pytest.mark.parametrize('worker', [FORK, SPAWN] if FULL else [FORK])
ENDS = ('dies', 'waits', 'blind', 'deaf', 'stopped')


def members(witness: Witness) -> list[int]:
    """The descendants the job has told of."""
    witness.wait('child', times=jobs_family.MEMBERS)
    return [int(line.who) for line in witness.lines('child')]


def ended(job: Job, within: float, status: str = 'failed') -> float:
    """Wait for the outcome; when that was."""
    wait_until(lambda: job.get_status() == status, within, f'the job is {status}')
    return time.monotonic()


@pytest.mark.parametrize(
    'worker, how', [*product([FORK], ENDS), *product([SPAWN], ENDS if FULL else ['dies', 'stopped'])]
)
def test_a15_descendants_go_with_their_job(fleet: Fleet, queue: Queue, witness: Witness, worker: str, how: str) -> None:
    """Killed, timed out (where it hears of that, cannot look around, or is deaf), stopped: all are gone in 5 s."""
    fleet.start(*TOLD, worker=worker)
    timeout = 60 if how == 'stopped' else 1
    job = queue.enqueue(jobs_family.leaves_family, 'waits' if how == 'stopped' else how, job_timeout=timeout)
    pids = members(witness)
    if how == 'stopped':
        assert all(map(alive, pids))
        send_stop_job_command(queue.connection, job.id)
    at = ended(job, 8, 'stopped' if how == 'stopped' else 'failed')
    wait_until(lambda: not any(map(alive, pids)), 5, 'all descendants are gone')
    assert time.monotonic() - at < 5
    good = queue.enqueue(jobs.quiet, 1)
    ended(good, 5, 'finished')
    assert fleet.innocent_deaths() == []


@EVERY
@pytest.mark.parametrize('how', ['dies', 'waits'])
def test_a15_descendants_that_fork_again_and_again(
    fleet: Fleet, queue: Queue, witness: Witness, worker: str, how: str
) -> None:
    """One that is another process at every look."""
    fleet.start(*TOLD, worker=worker)
    job = queue.enqueue(jobs_family.leaves_growing_family, how, job_timeout=1)
    at = ended(job, 8)

    def still() -> bool:
        pids = [line.pid for line in witness.lines('grown')]
        return not any(map(alive, pids)) and len(witness.lines('grown')) == len(pids)

    wait_until(still, 5, 'nobody grows any more')
    assert time.monotonic() - at < 5


@EVERY
def test_a15_daemons_of_a_finished_job_live(fleet: Fleet, queue: Queue, witness: Witness, worker: str) -> None:
    """Also when the next one is killed, or has the same name."""
    fleet.start(*TOLD, worker=worker)
    first = queue.enqueue(jobs_family.leaves_family, 'returns', job_id='same')
    pids = members(witness)
    try:
        ended(first, 5, 'finished')
        ended(queue.enqueue(jobs_family.leaves_family, 'dies', job_id='same'), 5)
        ended(queue.enqueue(jobs_family.leaves_family, 'waits', job_timeout=1), 5)
        others = [int(line.who) for line in witness.lines('child') if int(line.who) not in pids]
        assert len(others) == 2 * jobs_family.MEMBERS
        wait_until(lambda: not any(map(alive, others)), 5, 'those of the others are gone')
        assert all(map(alive, pids))
    finally:
        signal_all(pids, 9)
