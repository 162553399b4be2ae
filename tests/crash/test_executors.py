"""Every executor under load: its processes killed, told to leave and frozen. Nothing is lost, and little runs twice."""

import os
import signal
import time
from collections.abc import Callable

import pytest
from redis import Redis

from rq import Queue, Retry
from rq.job import Job
from tests.crash import jobs, jobs_x
from tests.crash.crowd import EACH, IN_BATCHES, Crowd, ended, function_for, held_by, run_out, told
from tests.crash.driver import Crew, Fleet, Witness, alive, signal_all, tree_of
from tests.waiting import wait_until

pytestmark = pytest.mark.crash

BATCHED = pytest.mark.parametrize('executor', IN_BATCHES)
LOAD = 300


# --- one process of it is killed ------------------------------------------------------------------------------------


@pytest.mark.parametrize('executor', ['prefork', 'batches'])
def test_a_horse_is_killed(
    fleet: Fleet, crowd: Crowd, witness: Witness, start: Callable[..., Crew], executor: str
) -> None:
    """Its job fails, or is tried again; the others go on, and are not charged."""
    crew = start(executor)
    crowd.load(executor, 60, 0.002)
    [fails] = crowd.queue.enqueue_many([Queue.prepare_data(jobs.long, (60,))])
    [again] = crowd.add(1, jobs_x.slow_at_first, 60, retry=Retry(max=1))
    crowd.load(executor, 60, 0.002)
    for job in (fails, again):
        os.kill(witness.wait('begin', job.id).pid, signal.SIGKILL)
        wait_until(lambda job=job: told(witness, job), 5, 'the handler has heard')
    crowd.finishes()
    assert 'Work-horse terminated' in ended(fails, 'failed')
    assert told(witness, fails) == told(witness, again) == ['told HorseKilledError']
    assert witness.count('begin', fails.id) == 1 and crowd.extra() == {again.id: 1}
    assert not [job for job in crowd.jobs if job is not again and Job.fetch(job.id, crowd.redis).attempts]
    assert fleet.innocent_deaths() == [] and crew.process.poll() is None


def test_a_job_of_a_batch_kills_its_horse(crowd: Crowd, witness: Witness, start: Callable[..., Crew]) -> None:
    """Those before it have ended, those behind it have not begun: each runs once."""
    start('batches')
    crowd.load('batches', 50, 0.001)
    killers = crowd.queue.enqueue_many([Queue.prepare_data(jobs_x.kills_its_process) for _ in range(3)])
    crowd.load('batches', 50, 0.001)
    crowd.finishes()
    for job in killers:
        assert 'SIGKILL' in ended(job, 'failed')
        assert witness.count('begin', job.id) == 1 and told(witness, job) == ['told HorseKilledError']
    assert crowd.extra() == {}


# --- the whole worker is killed -------------------------------------------------------------------------------------


@EACH
def test_a_worker_is_killed_under_load(
    crowd: Crowd, redis: Redis, witness: Witness, start: Callable[..., Crew], executor: str
) -> None:
    """Another one takes over. Only what the lost one had in hand may run once more."""
    lost, heir = start(executor), start(executor)
    crowd.load(executor, LOAD)
    witness.wait('end', times=LOAD // 3)
    lost.kill()
    in_hand = run_out(redis, lost)
    crowd.finishes()
    again = crowd.extra()
    assert set(again) <= in_hand and set(again.values()) <= {1}, (again, in_hand)
    assert heir.process.poll() is None


@BATCHED
def test_members_of_a_lost_batch_are_claimed_alone(
    crowd: Crowd, redis: Redis, witness: Witness, start: Callable[..., Crew], executor: str
) -> None:
    """Uncharged, because nobody knows which of them it was; at once after that others are claimed together again."""
    lost = start(executor)
    crowd.add(LOAD, jobs_x.beside)
    wait_until(lambda: any(line.event.removeprefix('one of ') > '1' for line in witness.lines() if 'of' in line.event))
    lost.kill()
    held = run_out(redis, lost)
    before = len(witness.lines())
    start(executor)
    crowd.finishes()
    after = [line for line in witness.lines()[before:] if line.event.startswith('one of ')]
    assert {line.event for line in after if line.who in held} <= {'one of 1'}
    assert set(crowd.extra()) <= held
    assert max(int(line.event[7:]) for line in witness.lines() if line.event.startswith('one of ')) > 1
    assert not [job for job in crowd.jobs if Job.fetch(job.id, redis).attempts]


@pytest.mark.parametrize('retries', [0, 10])
def test_a_job_kills_its_worker_each_time(
    crowd: Crowd, redis: Redis, witness: Witness, start: Callable[..., Crew], retries: int
) -> None:
    """Given up alone; everybody else finishes, and runs again at most once for each batch that was lost with it."""
    crowd.load('inline', 30, 0.001)
    [killer] = crowd.queue.enqueue_many(
        [Queue.prepare_data(jobs_x.kills_its_process, retry=Retry(max=retries) if retries else None)]
    )
    crowd.load('inline', 60, 0.001)
    crews = [start('inline')]
    deaths = 0
    until = time.monotonic() + 30

    def is_given_up() -> bool:
        nonlocal deaths
        if crews[-1].process.poll() is not None:
            deaths += 1
            run_out(redis, crews[-1])
            crews.append(start('inline'))
        return killer.get_status() == 'failed'

    wait_until(is_given_up, 40, 'the killer is given up')
    assert ('PoisonJobError' if retries else 'AbandonedJobError') in ended(killer, 'failed')
    assert deaths <= (4 if retries else 2)  # once with others, then by itself
    crowd.finishes()
    assert time.monotonic() < until
    assert witness.count('begin', killer.id) == deaths
    assert all(times <= 1 for times in crowd.extra().values())
    assert [told(witness, job) for job in crowd.jobs if told(witness, job)] == []


# --- it is told to leave --------------------------------------------------------------------------------------------


@EACH
def test_a_warm_stop_under_load(
    crowd: Crowd, redis: Redis, witness: Witness, start: Callable[..., Crew], executor: str
) -> None:
    """What it had in hand has ended or gone back; nothing of it is run again."""
    crew = start(executor)
    crowd.load(executor, LOAD)
    witness.wait('end', times=LOAD // 3)
    crew.signal(signal.SIGTERM)
    assert crew.wait() == 0 and 'Traceback' not in crew.text()
    assert held_by(redis, crew) == set() and set(crowd.statuses()) == {'finished', 'queued'}
    assert crowd.statuses()['finished'] == witness.count('begin') == witness.count('end')
    start(executor)
    crowd.finishes()
    assert crowd.extra() == {}


@EACH
def test_a_cold_stop_under_load(
    crowd: Crowd, redis: Redis, witness: Witness, start: Callable[..., Crew], executor: str
) -> None:
    """Told twice it does not wait: what was cut off is tried again, all else runs once."""
    crew = start(executor)
    crowd.load(executor, 40)
    slow = crowd.add(1 if executor in IN_BATCHES else 2, function_for(executor, 'slow_at_first'), 60)
    crowd.load(executor, 40)
    witness.wait('begin', slow[-1].id)
    crew.signal(signal.SIGTERM)
    time.sleep(1.1)  # a second signal that comes at once is the same one, as systemd and docker send it to everybody
    in_hand = held_by(redis, crew)
    crew.signal(signal.SIGTERM)
    crew.wait(10)
    assert tree_of(crew.pid) == []
    start(executor)
    crowd.finishes()
    assert {job.id for job in slow} <= set(crowd.extra()) <= in_hand


# --- it is frozen ---------------------------------------------------------------------------------------------------


@EACH
def test_late_outcomes_are_refused(
    fleet: Fleet, crowd: Crowd, redis: Redis, witness: Witness, start: Callable[..., Crew], executor: str
) -> None:
    """Stopped for longer than its leases, it goes on with jobs that others have finished meanwhile."""
    frozen = start(executor)
    crowd.load(executor, 40)
    crowd.add(2 if executor != 'inline' else 1, function_for(executor, 'slow_at_first'), 1.5)
    crowd.load(executor, 40)
    witness.wait('begin', crowd.jobs[40].id)
    tree = [frozen.pid, *tree_of(frozen.pid)]
    signal_all(tree, signal.SIGSTOP)
    in_hand = run_out(redis, frozen)
    start(executor)
    crowd.finishes()
    signal_all([pid for pid in tree if alive(pid)], signal.SIGCONT)
    more = crowd.load(executor, 10)
    crowd.finishes()
    wait_until(lambda: held_by(redis, frozen) == set(), 10, 'it has let go of what it held')
    crowd.finishes()
    assert crowd.jobs[40].id in crowd.extra() and set(crowd.extra()) <= in_hand
    assert not set(crowd.extra()) & {job.id for job in more}
    assert fleet.innocent_deaths() == []
