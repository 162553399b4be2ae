"""Group B, the worker: killed alone, told to leave, lost with a job again and again, replaced under its name."""

import os
import signal
import time

import pytest
from redis import Redis

from rq import Queue, Retry
from rq.job import Job
from rq.store import claim, keys
from rq.store.call import run
from tests.crash import jobs, jobs_b
from tests.crash.driver import Fleet, Witness, alive, signal_all, tree_of
from tests.crash.sizes import LEASE, WORKER, sized
from tests.waiting import wait_until

pytestmark = [pytest.mark.crash, pytest.mark.usefixtures('beside')]

TOLD = ('--exception-handler', 'tests.crash.jobs.told')
NOTICED = LEASE + sized(5, 15)  # 45 s with the defaults


def failed(job: Job, limit: float) -> str:
    """Wait for the failure; its text, and there is one outcome."""
    wait_until(lambda: job.get_status() == 'failed', limit, f'job {job.id} is failed')
    result = job.latest_result()
    assert result is not None and len(job.results()) == 1
    return result.exc_string or ''


def lose(fleet: Fleet, witness: Witness, job: Job) -> float:
    """Kill the only worker of `q` with its tree, while it runs a job; when that was."""
    lost = fleet.start(*TOLD, worker=WORKER)
    witness.wait('begin', job.id)
    lost.kill()
    return time.monotonic()


def test_b2_only_the_worker_killed(fleet: Fleet, queue: Queue, redis: Redis, witness: Witness) -> None:
    """Its horse ends, the job is recovered, and never do two run at once for long."""
    lost = fleet.start(*TOLD, worker=WORKER)
    job = queue.enqueue(jobs.long_at_first, retry=Retry(max=1))
    horse = witness.wait('begin', job.id)
    assert horse.pid in tree_of(lost.pid)
    lost.signal(signal.SIGKILL)
    killed_at = time.monotonic()
    lost.wait()
    wait_until(lambda: not alive(horse.pid), 10, 'the horse ends itself')
    wait_until(lambda: tree_of(lost.pid) == [], 10, 'the spare horse goes, too')
    fleet.start(*TOLD, worker=WORKER)
    wait_until(lambda: job.get_status() == 'finished', NOTICED)
    assert time.monotonic() - killed_at < NOTICED
    assert witness.count('begin', job.id) == 2 and witness.count('told AbandonedJobError', job.id) == 1
    assert len(job.results()) == 1 and redis.zcard(keys.wip('q')) == 0


def test_b4_frozen_horse(fleet: Fleet, queue: Queue, witness: Witness) -> None:
    """It does not react to its timeout: its parent ends it."""
    fleet.start(*TOLD, worker='Told')
    job = queue.enqueue(jobs.freeze, job_timeout=sized(1, 5))
    frozen = witness.wait('begin', job.id)
    text = failed(job, 20)
    assert time.time() - frozen.at < sized(1, 5) + 5 + 1.5
    assert 'exceeded maximum timeout value' in text
    assert witness.count('told JobTimeoutException', job.id) == 1
    assert not alive(frozen.pid)


@pytest.mark.parametrize('signum', [signal.SIGINT, signal.SIGTERM], ids=lambda s: s.name)
def test_b5_to_every_process_at_once(
    fleet: Fleet, queue: Queue, redis: Redis, witness: Witness, signum: signal.Signals
) -> None:
    """As a terminal, systemd or compose does it: the job finishes, nothing new is begun, exit code 0."""
    crew = fleet.start()
    job = queue.enqueue(jobs.long, 2)
    later = queue.enqueue(jobs.work, 1)
    witness.wait('begin', job.id)
    signal_all([crew.pid, *tree_of(crew.pid)], signum)
    assert crew.wait() == 0
    assert job.get_status() == 'finished' and later.get_status() == 'queued'
    assert witness.count('end') == 1
    assert keys.worker(crew.name).encode() not in redis.smembers(keys.WORKERS)
    assert 'Traceback' not in crew.text()


@pytest.mark.parametrize('worker', ['Quick', 'QuickSimple', 'QuickSpawn'])
def test_b6_out_of_grace(fleet: Fleet, queue: Queue, witness: Witness, worker: str) -> None:
    """SIGTERM, and SIGKILL ten seconds later: the job is handed back before, uncharged, and nobody is told."""
    grace = sized(2, 8)
    crew = fleet.start(*TOLD, '--shutdown-grace', str(grace), worker=worker)
    job = queue.enqueue(jobs.long_at_first, retry=Retry(max=1))
    witness.wait('begin', job.id)
    crew.signal(signal.SIGTERM)
    told_at = time.monotonic()
    assert crew.wait(grace + 2) == 0
    assert job.get_status() == 'queued' and queue.job_ids == [job.id]
    assert tree_of(crew.pid) == [] and 'Traceback' not in crew.text()
    fleet.start(*TOLD, worker=WORKER)
    witness.wait('begin', job.id, times=2, timeout=15)
    assert time.monotonic() - told_at < grace + 15
    wait_until(lambda: job.get_status() == 'finished', 10)
    job.refresh()
    assert job.retries_left == 1 and job.attempts == []
    assert not [line for line in witness.lines(who=job.id) if line.event.startswith('told')]


def test_b6_pool_out_of_grace(fleet: Fleet, queue: Queue, redis: Redis, witness: Witness) -> None:
    """A pool hands the grace on to its workers."""
    crew = fleet.start_pool('--num-workers', '2', '--shutdown-grace', '2')
    both = [queue.enqueue(jobs.long, 60) for _ in range(2)]
    witness.wait('begin', times=2)
    crew.signal(signal.SIGTERM)
    assert crew.wait(10) == 0
    assert sorted(queue.job_ids) == sorted(job.id for job in both)
    assert redis.zcard(keys.wip('q')) == 0


def test_b6_grace_ends_among_handlers(fleet: Fleet, queue: Queue, witness: Witness) -> None:
    """A failure at hand is the outcome, told to the end or not."""
    crew = fleet.start('--exception-handler', 'tests.crash.jobs_b.slow_handler', '--shutdown-grace', '1')
    job = queue.enqueue(jobs.raises)
    witness.wait('told ValueError', job.id)
    crew.signal(signal.SIGTERM)
    assert crew.wait(8) == 0
    assert 'on purpose' in failed(job, 1)
    assert witness.count('begin', job.id) == 1


def test_b7_poison(fleet: Fleet, queue: Queue, witness: Witness) -> None:
    """A job that takes its worker with it each time: given up after the third, and the others flow."""
    poison = queue.enqueue(jobs.kill_worker, retry=Retry(max=10))
    others = [queue.enqueue(jobs.work, 1) for _ in range(50)]
    crews = [fleet.start(*TOLD, worker=WORKER, wait=False) for _ in range(2)]

    def given_up() -> bool:
        for crew in [one for one in crews if one.process.poll() is not None]:
            crews.remove(crew)
            crews.append(fleet.start(*TOLD, worker=WORKER, wait=False))
        return poison.get_status(refresh=True) == 'failed'

    wait_until(given_up, 3 * NOTICED + 10, 'the poison is given up')
    text = poison.latest_result().exc_string
    assert 'PoisonJobError' in text and '3 workers' in text
    begins = [line.at for line in witness.lines('begin', poison.id)]
    assert len(begins) == 3 and begins[2] - begins[1] > 4, (
        'the second recovery takes its time'
    )  # 5, from a whole second
    assert witness.count('told PoisonJobError', poison.id) == 1
    assert witness.count('told AbandonedJobError', poison.id) == 2
    assert [one.is_final for one in poison.attempts] == [False, False, True]
    wait_until(lambda: all(job.get_status() == 'finished' for job in others), 5)
    assert max(witness.counts('begin').values()) == 3


def test_b8_lost_without_retry(fleet: Fleet, queue: Queue, witness: Witness) -> None:
    """One execution, failed as abandoned."""
    job = queue.enqueue(jobs.long, 300)
    killed_at = lose(fleet, witness, job)
    fleet.start(*TOLD, worker=WORKER)
    assert 'AbandonedJobError' in failed(job, NOTICED)
    assert time.monotonic() - killed_at < NOTICED
    assert witness.count('begin', job.id) == witness.count('told AbandonedJobError', job.id) == 1


def test_b8_seen_to_by_a_busy_worker(fleet: Fleet, queue: Queue, witness: Witness) -> None:
    """Whoever is left may have its hands full."""
    job = queue.enqueue(jobs.long, 300)
    killed_at = lose(fleet, witness, job)
    other = queue.enqueue(jobs.long, NOTICED + 60, at_front=True)
    fleet.start(*TOLD, worker=WORKER)
    witness.wait('begin', other.id)
    assert 'AbandonedJobError' in failed(job, NOTICED)
    assert time.monotonic() - killed_at < NOTICED
    assert witness.count('told AbandonedJobError', job.id) == 1


def test_b10_claimed_but_not_begun(fleet: Fleet, queue: Queue, redis: Redis, witness: Witness) -> None:
    """Lost between the claim and the start: back to the front, uncharged, and nobody is told."""
    job = queue.enqueue(jobs.work, 1)
    run(redis, claim.claim('nobody', ['q'], ['0' * 32], lease_seconds=LEASE))
    assert job.get_status() == 'started'
    began = time.monotonic()
    fleet.start(*TOLD, worker=WORKER)
    wait_until(lambda: job.get_status() == 'finished', NOTICED)
    assert time.monotonic() - began < NOTICED
    assert witness.count('begin') == 1
    assert not [line for line in witness.lines() if line.event.startswith('told')]


def test_b10_killed_as_it_starts(fleet: Fleet, queue: Queue, witness: Witness) -> None:
    """At many moments between waking and working: nothing is lost, nothing runs twice that was not begun."""
    many = []
    for number in range(int(sized(4, 20))):
        crew = fleet.start(worker=WORKER)
        many.append(queue.enqueue(jobs.work, 1, retry=Retry(max=1)))
        time.sleep(0.002 * number)
        crew.kill()
    fleet.start(worker=WORKER)
    wait_until(lambda: all(job.get_status() == 'finished' for job in many), 2 * NOTICED)
    assert all(1 <= witness.count('begin', job.id) <= 2 for job in many)


def test_b11_lost_after_the_work(fleet: Fleet, queue: Queue, witness: Witness) -> None:
    """Killed with its whole tree at the end of the function: once more at most, and the history shows both."""
    lost = fleet.start(*TOLD, worker=WORKER)
    job = queue.enqueue(jobs_b.end_with_everybody, retry=Retry(max=2))
    lost.process.wait(15)
    fleet.start(*TOLD, worker=WORKER)
    wait_until(lambda: job.get_status() == 'finished', NOTICED + 5)
    assert witness.count('begin', job.id) == 2
    assert [(one.number, one.kind, one.worker_name) for one in job.attempts] == [
        (1, 'abandoned', job.attempts[0].worker_name)
    ]
    assert 'AbandonedJobError' in job.attempts[0].exc_string and len(job.results()) == 1


def test_b12_same_name_at_once(fleet: Fleet, queue: Queue, redis: Redis, witness: Witness) -> None:
    """A container restarts: the name is taken over, the old claim is not kept alive by it."""
    old = fleet.start(name='container', worker=WORKER)
    job = queue.enqueue(jobs.long, 60)
    witness.wait('begin', job.id)
    killed_at = time.monotonic()
    signal_all([old.pid, *tree_of(old.pid)], signal.SIGKILL)  # nobody has reaped it yet
    fleet.start(name='container', worker=WORKER)
    assert time.monotonic() - killed_at < 5
    assert 'AbandonedJobError' in failed(job, NOTICED)
    assert time.monotonic() - killed_at < NOTICED
    assert redis.hget(keys.worker('container'), 'death') is None


def test_b12_same_name_while_it_lives(fleet: Fleet) -> None:
    """A second one under a living name is refused, and does the first no harm."""
    fleet.start(name='container')
    second = fleet.start(name='container', wait=False)
    assert second.wait() == 1
    assert 'container' in second.text() and 'Traceback' not in second.text()
    assert fleet.innocent_deaths(second) == []
    assert os.getpid() not in tree_of(second.pid)
