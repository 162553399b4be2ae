"""Group H of the faults, commands: each has one answer, and the final state and the sets agree with it."""

import random
import signal
import threading
import time
from pathlib import Path

import pytest
from redis import Redis

from rq import Callback, Queue, Retry
from rq.command import send_command, send_stop_job_command
from rq.exceptions import DuplicateJobError, InvalidJobOperation
from rq.job import Job
from rq.store import keys
from rq.suspension import resume, suspend
from tests.crash import jobs_d, jobs_h
from tests.crash.driver import Fleet, Witness, alive
from tests.crash.sizes import LEASE, WORKER, sized
from tests.crash.spoilt import fails, finish, in_time
from tests.invariants import check
from tests.waiting import wait_until

pytestmark = [pytest.mark.crash, pytest.mark.usefixtures('beside')]

TOLD = ('--exception-handler', 'tests.crash.jobs_h.told')


def running(queue: Queue, witness: Witness, gate: Path, **words: object) -> Job:
    """A job that runs until the gate is there."""
    job = queue.enqueue(jobs_d.wait_for, str(gate), **words)
    witness.wait('begin', job.id)
    return job


def told_of(witness: Witness, job: Job) -> list[str]:
    """What handlers were told."""
    return [line.event for line in witness.lines(who=job.id) if line.event.startswith('told')]


# --- H1 -----------------------------------------------------------------------------------------------------------


def test_h1_same_id_while_it_is_queued(fleet: Fleet, queue: Queue, witness: Witness) -> None:
    """The payload is replaced in place, listed once, runs once."""
    first = queue.enqueue(jobs_h.ok, 'old', job_id='twice')
    queue.enqueue(jobs_h.ok, job_id='behind')
    queue.enqueue(jobs_h.ok, 'new', job_id='twice')
    assert queue.job_ids == ['twice', 'behind']
    with pytest.raises(DuplicateJobError):
        queue.enqueue(jobs_h.ok, 'third', job_id='twice', unique=True)
    fleet.start()
    finish(first)
    assert first.return_value(refresh=True) == 'new' and witness.counts('ran')['twice'] == 1
    assert len(first.results()) == 1


def test_h1_same_id_while_it_runs(fleet: Fleet, queue: Queue, witness: Witness, tmp_path: Path) -> None:
    """It is not run beside itself: the second one is queued once, after the outcome of the first."""
    fleet.start_some(2)
    gate = tmp_path / 'gate'
    job = running(queue, witness, gate, job_id='twice')
    for value in ('a', 'b'):
        queue.enqueue(jobs_h.ok, value, job_id='twice')
    with pytest.raises(DuplicateJobError):
        queue.enqueue(jobs_h.ok, 'third', job_id='twice', unique=True)
    assert queue.count == 0 and job.get_status() == 'started'
    gate.touch()
    wait_until(lambda: witness.count('ran', 'twice') == 1 and job.get_status() == 'finished', 10)
    assert [result.return_value for result in job.results()] == ['b', 'done']
    assert witness.lines('ran')[-1].at > witness.lines('end', 'twice')[0].at
    assert witness.count('begin', 'twice') == 1


def test_h1_same_id_after_its_end(fleet: Fleet, queue: Queue, witness: Witness) -> None:
    fleet.start()
    job = queue.enqueue(jobs_h.ok, 1, job_id='twice')
    finish(job)
    with pytest.raises(DuplicateJobError):
        queue.enqueue(jobs_h.ok, 2, job_id='twice', unique=True)
    queue.enqueue(jobs_h.ok, 2, job_id='twice')
    wait_until(lambda: witness.count('ran', 'twice') == 2 and job.get_status() == 'finished', 10)
    assert job.return_value(refresh=True) == 2
    assert queue.finished_job_registry.get_job_ids() == ['twice']


# --- H2 -----------------------------------------------------------------------------------------------------------


def test_h2_cancel_while_it_runs(fleet: Fleet, queue: Queue, redis: Redis, witness: Witness, tmp_path: Path) -> None:
    """Canceled wins: state and sets agree, nobody hears of another outcome."""
    crew = fleet.start(*TOLD, worker=WORKER)
    gate = tmp_path / 'gate'
    job = running(queue, witness, gate, retry=Retry(max=2))
    job.cancel()
    with pytest.raises(InvalidJobOperation):
        job.cancel()
    good = queue.enqueue(jobs_h.ok)
    time.sleep(1.5)  # three renewals: its lease is gone, and the worker knows it
    gate.touch()
    finish(good, within=LEASE + 5)
    wait_until(lambda: 'no longer ours' in crew.text(), 10, 'the log says so')
    assert witness.count('end', job.id) == 1 and 'ending it' not in crew.text()  # canceled is not stopped
    assert job.get_status() == 'canceled' and queue.canceled_job_registry.get_job_ids() == [job.id]
    assert job.id not in queue.finished_job_registry and job.results() == []
    assert witness.count('begin', job.id) == 1 and not [
        e for e in witness.lines(who=job.id) if e.event.startswith('told')
    ]
    assert redis.zcard(keys.wip('q')) == 0


# --- H3, H4 -------------------------------------------------------------------------------------------------------

MOMENTS = int(sized(12, 25))


def test_h3_stop_at_every_moment(fleet: Fleet, queue: Queue, redis: Redis, witness: Witness) -> None:
    """Right after the start, and later: stopped within 2 s, not tried again, the callback once, the worker lives."""
    crew = fleet.start()
    chance = random.Random(4)
    for number in range(MOMENTS):
        callback = Callback(jobs_h.on_stopped)
        job = queue.enqueue(jobs_h.brief, 60, job_id=f's{number}', retry=Retry(max=3), on_stopped=callback)
        wait_until(lambda job=job: job.get_status() == 'started', 10)
        if number % 4:
            time.sleep(chance.uniform(0, 0.3))  # the moment is the point here
        send_stop_job_command(redis, job.id)
        in_time(lambda job=job: job.get_status() == 'stopped', 2, f'job {number} is stopped')
    ids = {f's{number}' for number in range(MOMENTS)}
    assert witness.counts('stopped') == dict.fromkeys(ids, 1)
    assert max(witness.counts('begin').values()) == 1 and witness.count('end') == 0
    assert set(queue.failed_job_registry.get_job_ids()) == ids
    assert queue.count == 0 and redis.zcard(keys.place('scheduled', 'q')) == 0
    good = queue.enqueue(jobs_h.ok)
    finish(good)
    assert fleet.innocent_deaths() == [] and 'Traceback' not in crew.text()


def test_h4_stop_in_the_instant_of_the_end(fleet: Fleet, queue: Queue, redis: Redis, witness: Witness) -> None:
    """One outcome, and the next run of the same id is not stopped by a mark that was left."""
    fleet.start()
    chance = random.Random(5)
    outcomes = set()
    for number in range(int(sized(25, 100))):
        job = queue.enqueue(jobs_h.brief, 0.02, job_id='again')
        witness.wait('begin', 'again', times=2 * number + 1)
        time.sleep(chance.uniform(0.0, 0.04))
        send_stop_job_command(redis, job.id)
        wait_until(lambda job=job: job.get_status() in ('stopped', 'finished'), 5)
        outcomes.add(job.get_status())
        queue.enqueue(jobs_h.brief, 0, job_id='again')
        finish(job)
        witness.wait('begin', 'again', times=2 * number + 2)
    assert 'finished' in outcomes
    assert fleet.innocent_deaths() == [] and check(redis) == []


def test_h4_a_late_command_is_for_the_run_it_was_sent_for(
    fleet: Fleet, queue: Queue, redis: Redis, witness: Witness, tmp_path: Path
) -> None:
    crew = fleet.start()
    job = queue.enqueue(jobs_h.ok, job_id='again')
    finish(job)
    earlier = {name: (redis.hget(job.key, name) or b'').decode() for name in ('execution', 'nonce')}
    gate = tmp_path / 'gate'
    job = running(queue, witness, gate, job_id='again')
    words = {'execution_id': earlier['execution'], 'nonce': earlier['nonce']}
    send_command(redis, crew.name, 'stop-job', job_id='again', **words)
    wait_until(lambda: 'to stop an earlier run of job again, ignored' in crew.text(), 5)
    gate.touch()
    finish(job)


# --- H5, H6 -------------------------------------------------------------------------------------------------------


def test_h5_enqueue_and_requeue_a_running_job(
    fleet: Fleet, queue: Queue, redis: Redis, witness: Witness, tmp_path: Path
) -> None:
    """Never beside itself: enqueued for after, requeueing is refused."""
    fleet.start_some(2)
    gate = tmp_path / 'gate'
    job = running(queue, witness, gate)
    with pytest.raises(InvalidJobOperation):
        job.requeue()
    redis.zadd(keys.place('failed', 'q'), {job.id: -1})  # even if a registry says it may
    with pytest.raises(InvalidJobOperation, match='is running; requeue it when it has ended'):
        job.requeue()
    redis.zrem(keys.place('failed', 'q'), job.id)
    for _ in range(3):
        queue.enqueue_job(Job.fetch(job.id, redis))
    time.sleep(0.5)
    assert witness.count('begin', job.id) == 1, 'not in parallel'
    gate.touch()
    wait_until(lambda: witness.count('end', job.id) == 2 and job.get_status() == 'finished', 10)
    assert witness.count('begin', job.id) == 2 and len(job.results()) == 2


@pytest.mark.parametrize('how', ['DEL', 'delete'])
@pytest.mark.parametrize('ends', [True, False], ids=['ends', 'lasts'])
def test_h6_delete_a_running_job(
    fleet: Fleet, queue: Queue, redis: Redis, witness: Witness, tmp_path: Path, how: str, ends: bool
) -> None:
    """Its outcome is dropped, or it is ended when the next renewal tells; no ghost of a record."""
    fleet.start(*TOLD, worker=WORKER)
    gate = tmp_path / 'gate'
    job = running(queue, witness, gate, retry=Retry(max=2), result_ttl=-1)
    pid = witness.lines('begin', job.id)[0].pid
    redis.delete(job.key) if how == 'DEL' else job.delete()
    if ends:
        gate.touch()
    wait_until(lambda: not alive(pid), LEASE + 5, 'the run is over')
    good = queue.enqueue(jobs_h.ok)
    finish(good)
    wait_until(lambda: not redis.zcard(keys.wip('q')), 5)
    assert not redis.exists(job.key, keys.results(job.id), keys.executions(job.id))
    assert job.id not in queue.finished_job_registry and job.id not in queue.failed_job_registry
    assert witness.count('begin', job.id) == 1 and not [
        e for e in witness.lines(who=job.id) if e.event.startswith('told')
    ]
    assert fleet.innocent_deaths() == []


# --- H9 -----------------------------------------------------------------------------------------------------------


def test_h9_suspended_killed_resumed(
    fleet: Fleet, queue: Queue, redis: Redis, witness: Witness, tmp_path: Path
) -> None:
    """Workers are suspended while one runs a job, and killed so; after the resume all is done, nothing is lost."""
    lost = [fleet.start(*TOLD, worker=WORKER)]
    gate = tmp_path / 'gate'
    job = running(queue, witness, gate, retry=Retry(max=1))
    lost += fleet.start_some(2, *TOLD, worker=WORKER)[:1]
    suspend(redis)
    waiting = [queue.enqueue(jobs_h.ok) for _ in range(5)]
    for crew in lost:
        crew.kill()
    wait_until(lambda: witness.count('told AbandonedJobError', job.id) == 1, LEASE + 15, 'it is recovered meanwhile')
    assert queue.count >= 5 and witness.count('ran') == 0, 'nothing new is taken'
    gate.touch()
    resume(redis)
    finish(job, *waiting, within=15)
    assert witness.count('begin', job.id) == 2 and set(witness.counts('ran').values()) == {1}


def test_h9_burst_meets_a_delayed_retry(fleet: Fleet, queue: Queue, witness: Witness) -> None:
    """It leaves it delayed, and says so."""
    job = queue.enqueue(jobs_h.raises, retry=Retry(max=1, interval=3600))
    crew = fleet.start('--burst', wait=False)
    assert crew.wait(15) == 0
    assert job.get_status() == 'scheduled' and queue.scheduled_job_registry.get_job_ids() == [job.id]
    assert '1 jobs are not due yet and stay scheduled' in crew.text()
    assert witness.count('begin', job.id) == 1


def test_h9_burst_that_is_suspended(fleet: Fleet, queue: Queue, redis: Redis) -> None:
    fleet.wait_for()  # who starts now would leave at once, too
    job = queue.enqueue(jobs_h.ok)
    suspend(redis)
    refused = fleet.start('--burst', wait=False)
    assert refused.wait(15) == 1 and 'rq resume' in refused.text()
    assert job.get_status() == 'queued' and queue.job_ids == [job.id]
    resume(redis)
    assert fleet.start('--burst', wait=False).wait(15) == 0
    finish(job)


def test_h3_stop_what_waits_or_is_over(fleet: Fleet, queue: Queue, redis: Redis) -> None:
    """A clear answer, and no harm to what comes later."""
    crew = fleet.start()
    failed = queue.enqueue(jobs_h.raises)
    fails(redis, failed.id, 5)
    send_stop_job_command(redis, failed.id)
    wait_until(lambda: 'is not running here, nothing is stopped' in crew.text(), 5)
    crew.signal(signal.SIGTERM)
    assert crew.wait() == 0
    waits = queue.enqueue(jobs_h.ok)
    with pytest.raises(InvalidJobOperation, match='not running'):
        send_stop_job_command(redis, waits.id)
    fleet.start()
    finish(waits)
    assert failed.get_status() == 'failed' and threading.active_count() < 20
