"""Group D of the faults, D10 and C15: corrupt records among what runs, broken books, records that are gone."""

import time
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from rq import Callback, Queue, Retry
from rq.exceptions import NoSuchJobError
from rq.job import Job
from rq.store import keys
from tests.crash import jobs_d
from tests.crash.driver import Fleet, Witness, alive
from tests.crash.sizes import LEASE, WORKER
from tests.crash.spoilt import another_type, document, dump, finish, in_time, info, is_finished
from tests.waiting import wait_until

pytestmark = [pytest.mark.crash, pytest.mark.usefixtures('beside')]

TOLD = ('--exception-handler', 'tests.crash.jobs_d.told')


# --- D10 ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('broken', ['type', 'status', 'name', 'executions'])
def test_d10_corrupt_record_in_the_running_set(
    fleet: Fleet, queue: Queue, redis: Redis, witness: Witness, broken: str
) -> None:
    """Its worker is lost: the recovery sees to the others, and the corrupt one is aside with its raw record."""
    lost = fleet.start_some(3, worker=WORKER)
    running = [queue.enqueue(jobs_d.long_at_first, job_id=f'j{n}', retry=Retry(max=1)) for n in range(3)]
    for job in running:
        witness.wait('begin', job.id)
    bad, good = running[0], running[1:]
    for crew in lost:
        crew.kill()
    if broken == 'type':
        raw = another_type(redis, bad.key)
    elif broken == 'status':
        redis.hset(bad.key, 'status', 'new_state')
        raw = dump(redis, bad.key)
    elif broken == 'name':
        good, raw = running, b''
        redis.zadd(keys.wip('q'), {b'\xff\xfe:\x00': 1})
        redis.zadd(keys.leases('q'), {b'\xff\xfe:\x00': 1})
    else:
        raw = b''
        another_type(redis, keys.executions(bad.id))
    fleet.start(*TOLD, worker=WORKER)
    in_time(lambda: all(is_finished(job) for job in good), min(45, LEASE + 15), 'the others are recovered')
    wait_until(lambda: len(queue.aside) == 1, 10, 'the corrupt one is aside')
    assert list(queue.aside) == ['\\xff\\xfe' if broken == 'name' else bad.id]
    if raw:
        assert dump(redis, bad.key) == raw
    assert witness.counts('told AbandonedJobError') == {job.id: 1 for job in good}
    assert fleet.innocent_deaths(*lost) == []
    assert redis.zcard(keys.wip('q')) == redis.zcard(keys.leases('q')) == 0
    if broken == 'executions':
        redis.delete(keys.executions(bad.id))  # what a test has written never expires


def test_d10_of_a_living_worker(fleet: Fleet, queue: Queue, redis: Redis, witness: Witness, tmp_path: Path) -> None:
    """Its own record is corrupt while it runs, and so are its worker's books: leases are renewed, nobody dies."""
    crew = fleet.start(worker=WORKER)
    gate = tmp_path / 'gate'
    job = queue.enqueue(jobs_d.wait_for, str(gate))
    witness.wait('begin', job.id)
    of_worker = (keys.worker(crew.name), keys.worker_executions(crew.name))
    for key in (*of_worker, keys.executions(job.id), keys.results(job.id)):
        another_type(redis, key)
    wait_until(lambda: redis.type(keys.worker(crew.name)) == b'hash', LEASE + 5, 'it writes its record again')
    gate.touch()
    wait_until(lambda: is_finished(job), 10)
    good = queue.enqueue(jobs_d.ok)
    wait_until(lambda: is_finished(good))
    assert fleet.innocent_deaths() == [] and witness.count('begin', job.id) == 1
    redis.delete(keys.worker_executions(crew.name), keys.executions(job.id))


KINDS = ('wip', 'leases', 'scheduled', 'wake', 'queue', 'missing', 'sweep', 'suspects', 'turns', 'aside')


def test_d10_keys_of_a_queue(fleet: Fleet, queue: Queue, redis: Redis) -> None:
    """A key of the whole queue holds another type: the worker lives, its other queue flows, then all goes on."""
    crew = fleet.start(queues=['q', 'r'])
    other = Queue('r', connection=redis)
    for kind in KINDS:
        key = keys.place(kind, 'q')
        another_type(redis, key)
        waiting = [queue.enqueue(jobs_d.ok) for _ in range(3)] if kind in ('wip', 'leases') else []
        good = [other.enqueue(jobs_d.ok) for _ in range(3)]
        finish(*good)
        if kind in ('wip', 'leases', 'scheduled', 'queue'):
            in_time(lambda key=key: key in queue.aside, 5, f'{kind} is shown')
        redis.delete(key)
        waiting.append(queue.enqueue(jobs_d.ok))
        finish(*waiting)
        assert queue.return_aside(key) is False and queue.aside == {}
    assert 'Traceback' not in crew.text() and fleet.innocent_deaths() == []


# --- C15 ----------------------------------------------------------------------------------------------------------

PLACES = ('scheduled', 'deferred', 'ready', 'failed', 'finished', 'canceled')


def test_c15_record_is_gone(fleet: Fleet, queue: Queue, redis: Redis) -> None:
    """Evicted, expired or deleted by hand: the worker goes on, ids leave their lists within 5 s, and it is shown."""
    crew = fleet.start()
    finish(queue.enqueue(jobs_d.ok))  # by then its maintenance is over, which cleans a part of this, too
    redis.rpush(queue.key, 'gone-queue')
    redis.zadd(keys.wip('q'), {'gone-wip:e': time.time() + 1000})
    redis.zadd(keys.leases('q'), {'gone-wip:e': (time.time() + 1000) * 1000})
    for place in PLACES:
        redis.zadd(keys.place(place, 'q'), {f'gone-{place}': time.time() + 1000})
    everywhere = [keys.place(place, 'q') for place in (*PLACES, 'wip', 'leases')]
    in_time(
        lambda: not any(one.startswith(b'gone') for key in everywhere for one in redis.zrange(key, 0, -1)), 5, 'clean'
    )
    assert queue.count == 0
    good = queue.enqueue(jobs_d.ok)
    wait_until(lambda: is_finished(good))
    found = document(fleet)['missing']
    assert found['count'] == 8 and found['latest'].startswith('gone-')
    assert f'8 ids had no record (expired, evicted or deleted), the latest {found["latest"]}' in info(fleet)
    ttl: Any = redis.ttl(keys.missing('q'))
    assert 0 < ttl <= 604800
    wait_until(lambda: all(f'gone-{place}' in crew.text() for place in (*PLACES, 'queue', 'wip')), 5, 'the log says so')
    assert fleet.innocent_deaths() == [] and queue.aside == {}


def test_c15_behind_a_busy_worker(fleet: Fleet, queue: Queue, redis: Redis, witness: Witness, tmp_path: Path) -> None:
    """Nobody comes to the list, and still it is clean within 5 s."""
    fleet.start()
    gate = tmp_path / 'gate'
    busy = queue.enqueue(jobs_d.wait_for, str(gate))
    witness.wait('begin', busy.id)
    others = [queue.enqueue(jobs_d.ok) for _ in range(3)]
    gone = [queue.enqueue(jobs_d.ok) for _ in range(50)]
    redis.delete(*(job.key for job in gone))
    in_time(lambda: queue.count == 3, 5, 'the list is clean')
    gate.touch()
    wait_until(lambda: all(is_finished(job) for job in others), 10)


def test_c15_readers(redis: Redis, queue: Queue) -> None:
    """Whoever lists or requeues meets a clear word, and the others are there."""
    jobs_there = [queue.enqueue(jobs_d.ok, job_id=f'there{n}') for n in range(2)]
    redis.zadd(keys.place('failed', 'q'), {'gone': -1, 'there0': -1})
    redis.rpush(queue.key, 'gone')
    assert queue.jobs == jobs_there
    registry = queue.failed_job_registry
    assert set(registry.get_job_ids()) == {'gone', 'there0'} and registry.count == 2
    assert Job.fetch_many(['gone', 'there0'], redis) == [None, jobs_there[0]]
    with pytest.raises(NoSuchJobError, match='expired or was deleted'):
        registry.requeue('gone')
    assert registry.get_job_ids() == ['there0']
    queue.compact()
    assert queue.job_ids == ['there0', 'there1']
    registry.remove('there0')


def test_c15_of_a_running_job(fleet: Fleet, queue: Queue, redis: Redis, witness: Witness, tmp_path: Path) -> None:
    """The record of a running job goes: it is ended, nothing comes back as a ghost, the worker works on."""
    fleet.start(worker=WORKER)
    job = queue.enqueue(jobs_d.wait_for, str(tmp_path / 'never'), on_success=Callback(jobs_d.ok))
    begun = witness.wait('begin', job.id)
    redis.delete(job.key)
    in_time(lambda: not alive(begun.pid), 5 + LEASE / 3, 'the run is ended')
    good = queue.enqueue(jobs_d.ok)
    wait_until(lambda: is_finished(good))
    assert not redis.exists(job.key) and redis.zcard(keys.wip('q')) == 0
