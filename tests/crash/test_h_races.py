"""Group H of the faults, races: many at the same thing at once. After each round every job is in its one place."""

import multiprocessing
import random
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from redis import Redis

from rq import Queue, Retry
from rq.command import send_stop_job_command
from rq.exceptions import InvalidJobOperation, NoSuchJobError
from rq.job import Job
from rq.store import claim, keys
from rq.store.call import run
from tests.conftest import PrivateServer
from tests.crash import jobs_h
from tests.crash.driver import ROOT, Fleet, Witness
from tests.crash.sizes import WORKER, sized
from tests.crash.spoilt import finish
from tests.invariants import check
from tests.waiting import wait_until

pytestmark = [pytest.mark.crash, pytest.mark.usefixtures('beside')]

TOLD = ('--exception-handler', 'tests.crash.jobs_h.told')
ROUNDS = int(sized(40, 300))
SPAWN = multiprocessing.get_context('spawn')

RECOVER = """
import sys
from redis import Redis
from rq import Queue
from tests.crash.jobs_h import told

url, rounds = sys.argv[1], int(sys.argv[2])
redis = Redis.from_url(url)
queue = Queue('races', connection=redis)
for number in range(rounds):
    redis.incr(f'at-{number}')
    while int(redis.get(f'go-{number}') or 0) == 0:
        pass
    queue.started_job_registry.cleanup(exception_handlers=[told])
"""


def settled(redis: Redis, *queues: str) -> bool:
    """Nothing is listed, claimed, or leased."""
    return not any(redis.llen(keys.queue(q)) or redis.zcard(keys.wip(q)) or redis.zcard(keys.leases(q)) for q in queues)


# --- H7 -----------------------------------------------------------------------------------------------------------


def test_h7_two_recoverers(fleet: Fleet, server: PrivateServer, redis: Redis, witness: Witness) -> None:
    """Two processes at a barrier see the same expired lease, again and again: one retry, one handler call."""
    queue = Queue('races', connection=redis)
    command = [sys.executable, '-c', RECOVER, server.url, str(ROUNDS)]
    environment = {'PYTHONPATH': str(ROOT), 'RQ_WITNESS': str(witness.path), 'PATH': ''}
    both = [subprocess.Popen(command, cwd=ROOT, env=environment) for _ in range(2)]
    try:
        for number in range(ROUNDS):
            ids = [f'r{number}-{n}' for n in range(3)]
            for job_id in ids:
                queue.enqueue(jobs_h.ok, job_id=job_id, retry=Retry(max=1))
            run(redis, claim.claim('dead', ['races'], [uuid4().hex for _ in ids], begun=True))
            for place in ('wip', 'leases'):
                for member in redis.zrange(keys.place(place, 'races'), 0, -1):
                    redis.zadd(keys.place(place, 'races'), {member: 1})
            wait_until(lambda number=number: int(redis.get(f'at-{number}') or 0) == 2, 20, 'both stand at the barrier')
            redis.set(f'go-{number}', 1)
            wait_until(lambda number=number: int(redis.get(f'at-{number + 1}') or 0) == 2 or number + 1 == ROUNDS, 20)
            wait_until(lambda: not redis.zcard(keys.wip('races')), 10, 'all are recovered')
            assert sorted(queue.job_ids) == ids, 'each is queued once'
            assert {Job.fetch(job_id, redis).retries_left for job_id in ids} == {0}
            queue.empty()
        assert [one.wait(20) for one in both] == [0, 0]
    finally:
        for one in both:
            one.kill()
            one.wait()
    counts = witness.counts('told AbandonedJobError')
    assert len(counts) == 3 * ROUNDS and set(counts.values()) == {1}
    for key in redis.scan_iter('at-*'):
        redis.delete(key)


def test_h7_many_workers_see_the_same(fleet: Fleet, queue: Queue, redis: Redis, witness: Witness) -> None:
    """Four workers and fifty expired leases: each is seen to once."""
    crews = fleet.start_some(3, *TOLD, worker=WORKER)
    ids = [f'j{n}' for n in range(50)]
    queue_of_dead = Queue('q', connection=redis)
    with redis.pipeline() as pipeline:  # claimed before a worker can
        for job_id in ids:
            job = Job.create(jobs_h.ok, id=job_id, connection=redis, origin='q', retry=Retry(max=1))
            job.save(pipeline)
            pipeline.hset(job.key, mapping={'status': 'started', 'execution': 'e', 'worker_name': 'dead'})
            pipeline.hset(keys.execution(job_id, 'e'), mapping={'id': 'e', 'begun': 1, 'worker_name': 'dead'})
            pipeline.expire(keys.execution(job_id, 'e'), 600)
            pipeline.zadd(keys.wip('q'), {f'{job_id}:e': time.time() + 90})
            pipeline.zadd(keys.leases('q'), {f'{job_id}:e': 1})
        pipeline.sadd(keys.QUEUES, queue_of_dead.key)
        pipeline.execute()
    wait_until(lambda: queue.finished_job_registry.count == 50, 40, 'all are tried again')
    assert witness.counts('ran') == witness.counts('told AbandonedJobError') == dict.fromkeys(ids, 1)
    assert fleet.innocent_deaths() == [] and len(crews) == 3


# --- commands against outcomes --------------------------------------------------------------------------------------


def cancel(job: Job) -> None:
    job.cancel()


def delete(job: Job) -> None:
    job.delete()


def requeue(job: Job) -> None:
    job.failed_job_registry.requeue(job.id)


def stop(job: Job) -> None:
    send_stop_job_command(job.connection, job.id)


def enqueue(job: Job) -> None:
    Queue('q', connection=job.connection).enqueue(jobs_h.brief, 0, job_id=job.id)


@pytest.mark.parametrize('verb', [cancel, delete, requeue, stop, enqueue], ids=lambda verb: verb.__name__)
def test_h2_commands_race_with_the_outcome(
    fleet: Fleet, queue: Queue, redis: Redis, witness: Witness, verb: Callable[[Job], Any]
) -> None:
    """At random microseconds around the end of a short job: one answer, one final place, no ghost."""
    fleet.start()
    chance = random.Random(11)
    for number in range(ROUNDS):
        fails = number % 3 == 0 or verb is requeue
        call = (jobs_h.raises,) if fails else (jobs_h.brief, 0)
        job = queue.enqueue(*call, job_id=f'r{number}', retry=Retry(max=1) if number % 2 else None)
        until = time.perf_counter() + chance.uniform(0, 0.012)
        while time.perf_counter() < until:
            pass
        try:
            verb(job)
        except (InvalidJobOperation, NoSuchJobError):
            continue
    wait_until(lambda: settled(redis, 'q'), 20, 'all is settled')
    assert check(redis) == []
    assert fleet.innocent_deaths() == []
    statuses = {redis.hget(keys.job(f'r{number}'), 'status') for number in range(ROUNDS)}
    assert statuses <= {b'finished', b'failed', b'stopped', b'canceled', None} and (None in statuses) <= (
        verb is delete
    )


def _enqueue_often(url: str, times: int, number: int) -> None:
    queue = Queue('q', connection=Redis.from_url(url))
    for turn in range(times):
        queue.enqueue(jobs_h.brief, 0, job_id=f'same{turn % 5}', description=f'{number}')


def _requeue_often(url: str, seconds: float) -> None:
    queue = Queue('q', connection=Redis.from_url(url))
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for job_id in queue.failed_job_registry.get_job_ids():
            try:
                queue.failed_job_registry.requeue(job_id)
            except (InvalidJobOperation, NoSuchJobError):
                continue


def test_h1_the_same_id_from_four_processes(
    fleet: Fleet, server: PrivateServer, redis: Redis, witness: Witness
) -> None:
    """While two workers run it: never beside itself, and in the end it is in one place."""
    fleet.start_some(2)
    every = [SPAWN.Process(target=_enqueue_often, args=(server.url, ROUNDS, number)) for number in range(4)]
    for one in every:
        one.start()
    for one in every:
        one.join(60)
    assert [one.exitcode for one in every] == [0] * 4
    wait_until(lambda: settled(redis, 'q'), 20, 'all is settled')
    assert check(redis) == []
    for number in range(5):
        moments = [line.event for line in witness.lines(who=f'same{number}')]
        assert moments == ['begin', 'end'] * (len(moments) // 2), 'never two at once'
    assert fleet.innocent_deaths() == []


def test_h5_requeueing_all_while_workers_run(fleet: Fleet, server: PrivateServer, queue: Queue, redis: Redis) -> None:
    """By two processes at once; every attempt is an outcome, and none is lost."""
    fleet.start_some(2)
    ids = [queue.enqueue(jobs_h.raises, job_id=f'f{n}').id for n in range(30)]
    both = [SPAWN.Process(target=_requeue_often, args=(server.url, sized(2, 20))) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join(60)
    wait_until(lambda: settled(redis, 'q'), 20, 'all is settled')
    assert sorted(queue.failed_job_registry.get_job_ids()) == sorted(ids)
    assert check(redis) == [] and fleet.innocent_deaths() == []


def test_h6_emptying_while_workers_claim(fleet: Fleet, queue: Queue, redis: Redis, witness: Witness) -> None:
    """What was claimed runs to its end, what was not is gone with its record."""
    fleet.start_some(2)
    removed = 0
    many = []
    for _ in range(int(sized(8, 50))):
        many += [queue.enqueue(jobs_h.brief, 0) for _ in range(20)]
        time.sleep(0.01)
        removed += queue.empty()
    last = queue.enqueue(jobs_h.ok)
    finish(last)
    wait_until(lambda: settled(redis, 'q'), 20, 'all is settled')
    left = [job for job in many if redis.exists(job.key)]
    assert len(left) + removed == len(many)
    assert {job.get_status() for job in left} <= {'finished'}
    assert witness.counts('end') == {job.id: 1 for job in left}
    assert check(redis) == []
