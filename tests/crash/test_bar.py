"""Many jobs, four workers, one of them killed with its whole tree every second and replaced at once."""

import os
import random
import time
from collections import Counter

import pytest
from redis import Redis

from rq import Queue
from rq.store import keys
from tests.crash import jobs
from tests.crash.driver import Fleet, Ticks, Witness
from tests.invariants import check
from tests.waiting import wait_until

pytestmark = pytest.mark.crash

FULL = bool(os.environ.get('RQ_CRASH_FULL'))
JOBS = 10_000 if FULL else 800
SECONDS = 0.005 if FULL else 0.02  # of each job, so that there is time to be killed in
CLASS = 'Default' if FULL else 'Quick'


def fill(queue: Queue, number: int) -> None:
    data = [queue.prepare_data(jobs.work, (n, SECONDS), job_id=f'j{n}', result_ttl=3600) for n in range(number)]
    queue.enqueue_many(data)


def statuses(redis: Redis, number: int) -> Counter[str]:
    pipeline = redis.pipeline(transaction=False)
    for n in range(number):
        pipeline.hget(keys.job(f'j{n}'), 'status')
    return Counter(str(raw, 'ascii') if raw else 'missing' for raw in pipeline.execute())


def is_settled(redis: Redis) -> bool:
    return not redis.llen(keys.queue('q')) and not redis.zcard(keys.wip('q')) and not redis.zcard(keys.leases('q'))


@pytest.mark.slow
def test_every_job_has_one_outcome(fleet: Fleet, queue: Queue, redis: Redis, witness: Witness) -> None:
    fill(queue, JOBS)
    chance = random.Random(7)
    began = time.monotonic()
    crews = [fleet.start(worker=CLASS, wait=False) for _ in range(4)]
    killed = []
    ticks = Ticks(1, 300)
    while redis.llen(keys.queue('q')) > 0:
        ticks.next()
        # Who is killed has begun to work, most of the time: a fleet of newcomers would prove nothing.
        victim = crews.pop(chance.randrange(3))
        victim.kill()
        killed.append(victim)
        crews.append(fleet.start(worker=CLASS, wait=False))
    worked = time.monotonic() - began
    wait_until(lambda: is_settled(redis), 60, 'every claim is settled or rescued')
    print(f'{JOBS} jobs, {len(killed)} workers killed, {worked:.1f} s; settled after {time.monotonic() - began:.1f} s')
    print(statuses(redis, JOBS))
    assert check(redis) == []
    assert fleet.innocent_deaths(*killed) == []
    assert len(killed) >= 3
    judge(redis, witness)


def judge(redis: Redis, witness: Witness) -> None:
    """One recorded outcome a job, and it is what really happened."""
    pipeline = redis.pipeline(transaction=False)
    for n in range(JOBS):
        pipeline.hget(keys.job(f'j{n}'), 'status')
        pipeline.xrevrange(keys.results(f'j{n}'))
    replies = iter(pipeline.execute())
    begins, ends = witness.counts('begin'), witness.counts('end')
    abandoned = 0
    for n in range(JOBS):
        status, results = next(replies), next(replies)
        begun, ended = begins[f'j{n}'], ends[f'j{n}']
        assert len(results) == 1, f'j{n} is {status} with {len(results)} outcomes'
        assert begun <= 1, f'j{n} was begun {begun} times, though it has no retries'
        if status == b'finished':
            assert n % 10 != 9 and ended == 1, f'j{n} is finished'
            continue
        assert status == b'failed', f'j{n} is {status}'
        text = Queue('q', connection=redis).fetch_job(f'j{n}').latest_result().exc_string
        if 'AbandonedJobError' in text:
            abandoned += 1
        else:
            assert n % 10 == 9 and 'ValueError' in text and begun == 1, f'j{n}: {text}'
    print(f'{abandoned} abandoned')
