"""The whole process tree of a worker is killed: what becomes of its job, and who sees to it."""

import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from redis import Redis

from rq import Queue, Retry
from rq.job import Job
from rq.store import claim, keys
from rq.store.call import run
from tests.crash import jobs
from tests.crash.driver import Fleet, Witness, signal_all, tree_of
from tests.waiting import wait_until

pytestmark = pytest.mark.crash

TOLD = ('--exception-handler', 'tests.crash.jobs.told')


def lose(fleet: Fleet, witness: Witness, worker: str, queue: str, *of: Job) -> float:
    """Kill the only worker of a queue while it runs a job; when that was."""
    lost = fleet.start(*TOLD, worker=worker, queues=[queue])
    for job in of:
        witness.wait('begin', job.id)
    lost.kill()
    return time.monotonic()


def lost_job_is_seen_to(
    fleet: Fleet, redis: Redis, witness: Witness, worker: str, queue: str, busy: bool, limit: float
) -> float:
    """One job fails, by a worker that is idle or busy; the seconds it took."""
    there = Queue(queue, connection=redis)
    job = there.enqueue(jobs.long, 300)
    killed_at = lose(fleet, witness, worker, queue, job)
    if busy:
        other = there.enqueue(jobs.long, limit + 60, at_front=True)
        fleet.start(*TOLD, worker=worker, queues=[queue])
        witness.wait('begin', other.id)
    else:
        fleet.start(*TOLD, worker=worker, queues=[queue])
    wait_until(lambda: job.get_status() == 'failed', limit, f'the job of {queue} is failed')
    took = time.monotonic() - killed_at
    result = job.latest_result()
    assert result is not None and 'AbandonedJobError' in (result.exc_string or '')
    assert witness.count('begin', job.id) == 1
    assert witness.count('told AbandonedJobError', job.id) == 1
    return took


@pytest.mark.parametrize('busy', [False, True], ids=['idle', 'busy'])
def test_failed(fleet: Fleet, redis: Redis, witness: Witness, busy: bool) -> None:
    took = lost_job_is_seen_to(fleet, redis, witness, 'Quick', 'q', busy, 8)
    assert took < 8
    print(f'{took:.1f} s')


def test_retried(fleet: Fleet, queue: Queue, witness: Witness) -> None:
    """With a retry left the job runs again."""
    job = queue.enqueue(jobs.long_at_first, retry=Retry(max=1))
    killed_at = lose(fleet, witness, 'Quick', 'q', job)
    fleet.start(*TOLD)
    wait_until(lambda: job.get_status() == 'finished', 10)
    assert time.monotonic() - killed_at < 10
    assert witness.count('begin', job.id) == 2
    assert witness.count('told AbandonedJobError', job.id) == 1
    assert len(job.results()) == 1


@pytest.mark.slow
def test_by_the_defaults(fleet: Fleet, redis: Redis, witness: Witness) -> None:
    """The real leases: lost workers' jobs are failed within 45 s, by a worker that is idle and by one that is busy."""
    with ThreadPoolExecutor() as pool:
        asked = {
            busy: pool.submit(lost_job_is_seen_to, fleet, redis, witness, 'Default', f'q-{busy}', busy, 45)
            for busy in (False, True)
        }
    took = {busy: answer.result() for busy, answer in asked.items()}
    print(f'by the defaults: idle {took[False]:.1f} s, busy {took[True]:.1f} s')
    assert max(took.values()) < 45


def test_claimed_but_not_begun(fleet: Fleet, queue: Queue, redis: Redis, witness: Witness) -> None:
    """Lost between the claim and the start: back to the front, uncharged, and nobody is told."""
    job = queue.enqueue(jobs.work, 1)
    run(redis, claim.claim('nobody', ['q'], ['0' * 32], lease_seconds=1))
    assert job.get_status() == 'started'
    fleet.start(*TOLD)
    wait_until(lambda: job.get_status() == 'finished', 8)
    assert witness.count('begin') == 1
    assert not [line for line in witness.lines() if line.event.startswith('told')]


def test_same_name_at_once(fleet: Fleet, queue: Queue, redis: Redis, witness: Witness) -> None:
    """A container restarts: the name is taken over, the old claim is not kept alive by it."""
    old = fleet.start(name='container')
    job = queue.enqueue(jobs.long, 60)
    witness.wait('begin', job.id)
    killed_at = time.monotonic()
    signal_all([old.pid, *tree_of(old.pid)], signal.SIGKILL)  # nobody has reaped it yet
    fleet.start(name='container')
    assert time.monotonic() - killed_at < 5
    wait_until(lambda: job.get_status() == 'failed', 8)
    assert 'AbandonedJobError' in job.latest_result().exc_string
    assert redis.hget(keys.worker('container'), 'death') is None


def test_same_name_while_it_lives(fleet: Fleet) -> None:
    """A second one under a living name is refused, and does the first no harm."""
    fleet.start(name='container')
    second = fleet.start(name='container', wait=False)
    assert second.wait() == 1
    assert 'container' in second.text() and 'Traceback' not in second.text()
    assert fleet.innocent_deaths(second) == []


def test_poison(fleet: Fleet, queue: Queue, witness: Witness) -> None:
    """A job that takes its worker with it each time: given up after the third, and the others flow."""
    poison = queue.enqueue(jobs.kill_worker, retry=Retry(max=10))
    others = [queue.enqueue(jobs.work, 1) for _ in range(50)]
    crews = [fleet.start(*TOLD, wait=False) for _ in range(2)]

    def given_up() -> bool:
        for crew in [one for one in crews if one.process.poll() is not None]:
            crews.remove(crew)
            crews.append(fleet.start(*TOLD, wait=False))
        return poison.get_status(refresh=True) == 'failed'

    wait_until(given_up, 45, 'the poison is given up')
    text = poison.latest_result().exc_string
    assert 'PoisonJobError' in text and '3 workers' in text
    assert witness.count('begin', poison.id) == 3
    assert witness.count('told PoisonJobError', poison.id) == 1
    assert witness.count('told AbandonedJobError', poison.id) == 2
    wait_until(lambda: all(job.get_status() == 'finished' for job in others), 5)
    assert max(witness.counts('begin').values()) == 3
