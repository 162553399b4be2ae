"""Group C, the server itself: it refuses writes, loses records, forgets scripts or everything. Workers live on."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from redis import Redis

from rq import Queue, Retry
from rq.exceptions import StorageFullError
from rq.job import Job
from rq.store import keys
from tests.crash import jobs, jobs_c
from tests.crash.driver import Crew, Fleet, Witness
from tests.crash.servers import Mortal
from tests.crash.sizes import WORKER, sized
from tests.waiting import wait_until

pytestmark = pytest.mark.crash

RESUMED = 5.0
OUTAGE = sized(3, 20)

Weather = Callable[[Mortal], Any]


def in_time(condition: Callable[[], Any], bound: float, what: str) -> None:
    """It becomes true within the bound, which is asserted on the time observed."""
    began = time.monotonic()
    wait_until(condition, bound + 1, what)
    assert time.monotonic() - began < bound, what


def finished(*some: Job) -> Callable[[], bool]:
    """Whether all of them are."""
    return lambda: all(one.get_status() == 'finished' for one in some)


# --- C8, C9: it refuses -------------------------------------------------------------------------------------------


@contextmanager
def full(mortal: Mortal) -> Iterator[None]:
    """No memory left."""
    mortal.configure(maxmemory_policy='noeviction', maxmemory=1000)
    yield
    mortal.configure(maxmemory=0)


@contextmanager
def without_replicas(mortal: Mortal) -> Iterator[None]:
    """NOREPLICAS."""
    mortal.configure(min_replicas_to_write=1)
    yield
    mortal.configure(min_replicas_to_write=0)


@contextmanager
def unsaved(mortal: Mortal) -> Iterator[None]:
    """MISCONF: its snapshots fail."""
    obstacle = mortal.directory / 'dump.rdb'
    obstacle.mkdir()
    mortal.configure(save='3600 1')
    with mortal.client() as client:
        client.bgsave()

        def status() -> Any:
            found: Any = client.info('persistence')
            return found['rdb_last_bgsave_status']

        wait_until(lambda: status() == 'err', 5, 'the snapshot has failed')
        yield
        obstacle.rmdir()
        client.bgsave()
        wait_until(lambda: status() == 'ok', 5, 'the snapshot succeeds')
        client.config_set('save', '')


@contextmanager
def as_replica(mortal: Mortal) -> Iterator[None]:
    """READONLY: the replica of nobody."""
    with mortal.client() as client:
        client.execute_command('REPLICAOF', '127.0.0.1', '1')
        yield
        client.execute_command('REPLICAOF', 'NO', 'ONE')


REFUSALS = [full, without_replicas, unsaved, as_replica]


def test_c8_full_around_the_end_of_a_job(mortal: Mortal, far_fleet: Fleet, witness: Witness) -> None:
    """Its success, its result and its callback are there soon; who enqueues is told what is wrong, and the way out."""
    queue = Queue('q', connection=mortal.start().client())
    crew = far_fleet.start(worker=WORKER)
    job = queue.enqueue(jobs.long, 3, on_success=jobs_c.succeeded)
    witness.wait('begin', job.id)
    with full(mortal):
        with pytest.raises(StorageFullError, match=r'(?i)memory.*maxmemory'):
            queue.enqueue(jobs_c.quick)
        assert queue.count == 0
        time.sleep(sized(5, 7))
    in_time(finished(job), RESUMED, 'the success is stored')
    assert job.return_value() == 'done' and len(job.results()) == 1
    more = queue.enqueue(jobs_c.quick)
    in_time(finished(more), RESUMED, 'it goes on')
    assert witness.counts('begin') == {job.id: 1, more.id: 1} and witness.count('told success') == 1
    assert far_fleet.innocent_deaths() == [] and 'Traceback' not in crew.text()


@pytest.mark.parametrize('refusal', REFUSALS)
def test_c9_refused_idle_and_mid_job(mortal: Mortal, far_fleet: Fleet, witness: Witness, refusal: Any) -> None:
    """Jobs of every phase: one ends in it, one runs through it, some wait. Each runs once."""
    queue = Queue('q', connection=mortal.start().client())
    idle = far_fleet.start(worker=WORKER, queues=['idle'], wait=False)
    crews = far_fleet.start_some(3, worker=WORKER)
    far_fleet.wait_for(idle)
    ending = queue.enqueue(jobs.long, 1.5, on_success=jobs_c.succeeded)
    failing = queue.enqueue(jobs_c.fails_after, 1.5, retry=Retry(max=1), on_failure=jobs_c.failed)
    lasting = queue.enqueue(jobs.long, OUTAGE + 3)
    witness.wait('begin', times=3)
    waiting = [queue.enqueue(jobs_c.quick) for _ in range(10)]
    with refusal(mortal):
        time.sleep(OUTAGE)
    begins = Queue('idle', connection=mortal.client()).enqueue(jobs_c.quick)
    in_time(finished(ending, failing, begins, *waiting), RESUMED, 'all that waited is done')
    wait_until(finished(lasting), 10)
    counts = witness.counts('begin')
    assert counts.pop(failing.id) == 2 and set(counts.values()) == {1}
    assert witness.count('told success') == witness.count('told failure') == 1
    assert far_fleet.innocent_deaths() == []
    for crew in (*crews, idle):  # but for the traceback of the job that fails
        assert 'nobody expected' not in crew.text() and 'vanished' not in crew.text()


@pytest.mark.parametrize('refusal', REFUSALS)
def test_c9_enqueue_refused(mortal: Mortal, refusal: Any) -> None:
    """Every way of entering is refused whole: an error, and not a trace of the job."""
    client = mortal.start().client()
    queue = Queue('q', connection=client)
    with client:
        parent = queue.enqueue(jobs_c.quick)
        before = _keys(client)
        with refusal(mortal):
            error = StorageFullError if refusal is full else Exception
            for number, enter in enumerate(_ways_of_entering(queue, parent)):
                with pytest.raises(error):
                    enter(f'refused-{number}')
        assert _keys(client) == before


def _keys(client: Redis) -> list[bytes]:
    return sorted(client.keys('*'))


def _ways_of_entering(queue: Queue, parent: Job) -> list[Callable[[str], Any]]:
    from_now = timedelta(seconds=60)
    return [
        lambda job_id: queue.enqueue(jobs_c.quick, job_id=job_id),
        lambda job_id: queue.enqueue(jobs_c.quick, job_id=job_id, at_front=True),
        lambda job_id: queue.enqueue(jobs_c.quick, job_id=job_id, depends_on=parent),
        lambda job_id: queue.enqueue_in(from_now, jobs_c.quick, job_id=job_id),
        lambda job_id: queue.enqueue_many([Queue.prepare_data(jobs_c.quick, job_id=job_id)]),
    ]


# --- C15, C16: it forgets -----------------------------------------------------------------------------------------


def test_c15_record_gone_while_listed(beside: Crew, fleet: Fleet, queue: Queue, redis: Redis, witness: Witness) -> None:
    """Evicted or expired: dropped from the list at once, said, counted; the others run."""
    gone = [queue.enqueue(jobs_c.quick) for _ in range(5)]
    other = queue.enqueue(jobs_c.quick)
    redis.delete(*(keys.job(job.id) for job in gone))
    crew = fleet.start(worker=WORKER)
    in_time(lambda: other.get_status() == 'finished', RESUMED, 'it goes on')
    in_time(lambda: all(job.id in crew.text() for job in gone), RESUMED, 'each is named')
    assert not redis.llen(keys.queue('q'))
    assert int(redis.hget(keys.missing('q'), 'count') or 0) == 5
    assert 'had no record' in _shown(redis)


def test_c15_record_gone_while_running(
    beside: Crew, fleet: Fleet, queue: Queue, redis: Redis, witness: Witness
) -> None:
    """Evicted under a running job, its worker killed: the lease does not stay for ever, and the next job runs."""
    victim = fleet.start(worker=WORKER)
    job = queue.enqueue(jobs.long, 60)
    witness.wait('begin', job.id)
    redis.delete(keys.job(job.id))
    victim.kill()
    fleet.start(worker=WORKER)
    in_time(lambda: not redis.zcard(keys.wip('q')), sized(8, 45), 'the lease is cleared')
    more = queue.enqueue(jobs_c.quick)
    in_time(lambda: more.get_status() == 'finished', RESUMED, 'it goes on')
    assert not redis.exists(keys.job(job.id))


def _shown(redis: Redis) -> str:
    path = redis.connection_pool.connection_kwargs['path']
    command = [sys.executable, '-m', 'rq.cli', 'info', '--url', f'unix://{path}']
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout.lower()


def test_c16_scripts_forgotten(beside: Crew, fleet: Fleet, queue: Queue, redis: Redis, witness: Witness) -> None:
    """SCRIPT FLUSH again and again while jobs run."""
    fleet.start()
    many = [queue.enqueue(jobs.work, n) for n in range(9) for _ in range(int(sized(10, 100)))]
    while any(job.get_status() in ('queued', 'started') for job in many):
        redis.script_flush()
        time.sleep(0.02)
    assert [job.id for job in many if job.get_status() != 'finished'] == []
    assert set(witness.counts('begin').values()) == {1}
    assert not redis.zcard(keys.wip('q'))


def test_c16_everything_forgotten(fleet: Fleet, queue: Queue, redis: Redis, witness: Witness) -> None:
    """FLUSHALL while a job runs: the worker lives, warns, enters the books again, and works on."""
    crew, other = fleet.start_some(2)
    job = queue.enqueue(jobs.long, 2)
    witness.wait('begin', job.id)
    redis.flushall()
    wait_until(lambda: fleet.is_up(crew) and fleet.is_up(other), 8, 'both are in the books again')
    in_time(lambda: any(job.id in one.text() and 'deleted' in one.text() for one in (crew, other)), 8, 'it is told')
    more = queue.enqueue(jobs.work, 1)
    in_time(lambda: more.get_status() == 'finished', RESUMED, 'it goes on')
    assert not job.exists(job.id, connection=redis)
    assert fleet.innocent_deaths() == [] and 'Traceback' not in crew.text() + other.text()
