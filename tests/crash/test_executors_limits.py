"""Every executor and one job: its timeout, a stop command, a long one in the midst of short ones; and all of them."""

import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from redis import Redis

from rq import Callback
from rq.command import send_stop_job_command
from tests.crash import jobs_x
from tests.crash.crowd import EACH, EXECUTORS, IN_BATCHES, Crowd, ended, function_for, told
from tests.crash.driver import Crew, Fleet, Witness
from tests.interop.environment import rq3_python
from tests.waiting import wait_until

pytestmark = pytest.mark.crash

ROOT = Path(__file__).parents[2]


# --- a job that is to be ended --------------------------------------------------------------------------------------


@EACH
def test_timeouts(crowd: Crowd, witness: Witness, start: Callable[..., Crew], executor: str) -> None:
    """Asleep, busy with Python, busy in C: timed out once, and told so once."""
    start(executor)
    names = ('sleeps', 'spins') if executor == 'async' else ('sleeps', 'spins', 'hashes')
    made = []
    for name in names:
        made += crowd.add(1, function_for(executor, name), 3, timeout=1, retry=None)
        witness.wait('begin', made[-1].id)  # one that is held up by another runs out of time before it begins
    for job in made:
        assert 'exceeded maximum timeout value (1 seconds)' in ended(job, 'failed')
        assert told(witness, job) == ['told JobTimeoutException']
    more = crowd.load(executor, 5)
    wait_until(lambda: crowd.all_are('finished', more), 10, 'others go on')
    assert crowd.extra() == {}
    assert [job.get_status() for job in made] == ['failed'] * len(made)
    assert [len(job.results()) for job in made] == [1] * len(made)


@pytest.mark.parametrize('executor', [one for one in EXECUTORS if one != 'inline'])
def test_stop_commands(crowd: Crowd, redis: Redis, witness: Witness, start: Callable[..., Crew], executor: str) -> None:
    """Asleep or busy: stopped, once, and its on_stopped is told once; who is beside it or behind it is not met."""
    start(executor)
    stays = function_for(executor, 'slow_at_first')
    names = ('sleeps',) if executor == 'batches' else ('sleeps', 'spins')
    made = [
        crowd.add(1, function_for(executor, name), 6, retry=None, on_stopped=Callback(jobs_x.was_stopped))[0]
        for name in names
    ]
    others = crowd.add(2, stays, 0.5) + crowd.load(executor, 20)
    for job in made:
        witness.wait('begin', job.id)
        send_stop_job_command(redis, job.id)
    for job in made:
        ended(job, 'stopped')
        assert witness.count('stopped', job.id) == 1 and told(witness, job) == []
    wait_until(lambda: crowd.all_are('finished', others), 15, 'the others finish')
    assert crowd.extra() == {} and [len(job.results()) for job in made] == [1] * len(made)


# --- batches --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('executor', IN_BATCHES)
def test_a_long_job_among_short_ones(crowd: Crowd, witness: Witness, start: Callable[..., Crew], executor: str) -> None:
    """What has ended before it is settled, what is behind it goes to somebody else; all of that while it runs."""
    start(executor)
    heir = start('prefork')
    heir.signal(signal.SIGSTOP)
    before = crowd.add(40, jobs_x.beside)
    [long] = crowd.add(1, jobs_x.sleeps, 3)
    behind = crowd.add(40, jobs_x.beside)
    witness.wait('begin', long.id)
    heir.signal(signal.SIGCONT)
    wait_until(lambda: crowd.all_are('finished', before + behind), 2, 'they finish while it runs')
    assert long.get_status() == 'started' and witness.count('end', long.id) == 0
    together = [int(line.event[7:]) for line in witness.lines() if line.event.startswith('one of ')]
    assert max(together[: len(before)]) > 5
    crowd.finishes()
    assert crowd.extra() == {}


@pytest.mark.parametrize('executor', IN_BATCHES)
def test_a_warm_stop_within_a_batch(crowd: Crowd, witness: Witness, start: Callable[..., Crew], executor: str) -> None:
    """Those behind the job at hand do not wait for it."""
    crew = start(executor)
    crowd.add(40, jobs_x.beside)
    [long] = crowd.add(1, jobs_x.sleeps, 2)
    behind = crowd.add(20, jobs_x.beside)
    witness.wait('begin', long.id)
    crew.signal(signal.SIGTERM)
    wait_until(lambda: crowd.all_are('queued', behind), 1.5, 'they are handed back')
    assert crew.wait() == 0 and long.get_status() == 'finished'
    assert crowd.queue.job_ids == [job.id for job in behind]
    start(executor)
    crowd.finishes()
    assert crowd.extra() == {}


# --- horses that retire ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize('executor', ['prefork', 'batches'])
def test_horses_retire_under_load(crowd: Crowd, witness: Witness, start: Callable[..., Crew], executor: str) -> None:
    """After five jobs each: nobody notices."""
    crew = start(executor, '--horse-max-jobs', '5')
    crowd.load(executor, 200, 0.001)
    crowd.finishes()
    assert crowd.extra() == {} and crew.process.poll() is None
    pids = [line.pid for line in witness.lines('begin')]
    assert len(set(pids)) >= (200 / 5 if executor == 'prefork' else 5)  # a batch is not cut for that
    assert executor == 'batches' or max(pids.count(pid) for pid in set(pids)) <= 5


# --- all of them ----------------------------------------------------------------------------------------------------


def test_a_mixed_fleet(fleet: Fleet, crowd: Crowd, redis: Redis, witness: Witness, start: Callable[..., Crew]) -> None:
    """Every executor, beside two workers of RQ 3.0, on one queue: each job once."""
    command = [str(rq3_python().parent / 'rq'), 'worker', '--url', fleet.url, 'q']
    environment = {'PYTHONPATH': str(ROOT), 'RQ_WITNESS': str(witness.path), 'PATH': '/usr/bin:/bin'}
    logs = [(fleet.directory / f'rq3-{number}.log') for number in range(2)]
    theirs = [
        subprocess.Popen(
            command, env=environment, cwd=fleet.directory, stdin=subprocess.DEVNULL, stdout=log.open('wb'),
            stderr=subprocess.STDOUT, start_new_session=True,
        )
        for log in logs
    ]  # fmt: skip
    try:
        ours = [start(executor, wait=False) for executor in [*EXECUTORS, 'prefork']]
        fleet.wait_for(*ours)
        wait_until(lambda: all('Listening on' in log.read_text() for log in logs), 20, 'RQ 3.0 is up')
        for name in ('short', 'short_async', 'beside') * 2:
            crowd.add(100, getattr(jobs_x, name))
        crowd.finishes(40)
        for one in theirs:
            one.send_signal(signal.SIGTERM)
        assert [one.wait(15) for one in theirs] == [0, 0]
    finally:
        for one in theirs:
            one.kill()
            one.wait()
    assert crowd.extra() == {}
    workers = [redis.hget(job.key, 'worker_name') for job in crowd.jobs]
    print({name: workers.count(name) for name in set(workers)})
    assert not fleet.innocent_deaths()
