"""Five hundred jobs whose workers died together: seen to soon, and without a storm of handlers."""

import time
from uuid import uuid4

import pytest
from redis import Redis

from rq import Queue
from rq.store import claim, keys
from rq.store.call import run
from tests.crash import jobs
from tests.crash.driver import Fleet, Witness, tree_of
from tests.waiting import wait_until

pytestmark = pytest.mark.crash

JOBS = 500
AT_ONCE = 60  # processes of a worker: twice twenty orphans, those just leaving, its own job, spares


def test_all_die_with_five_hundred_jobs(fleet: Fleet, queue: Queue, redis: Redis, witness: Witness) -> None:
    queue.enqueue_many([queue.prepare_data(jobs.work, (1,), job_id=f'j{n}') for n in range(JOBS)])
    for _ in range(JOBS // 100):
        ids = [uuid4().hex for _ in range(100)]
        run(redis, claim.claim('dead', ['q'], ids, lease_seconds=0.5, begun=True))
    assert redis.zcard(keys.leases('q')) == JOBS
    others = Queue('other', connection=redis)
    fresh = [others.enqueue(jobs.work, 1) for _ in range(20)]
    crews = [fleet.start('--exception-handler', 'tests.crash.jobs.patient', queues=['q', 'other']) for _ in range(2)]
    began = time.monotonic()
    wait_until(lambda: all(job.get_status() == 'finished' for job in fresh), 5, 'unrelated jobs flow')
    most = 0

    def seen_to() -> bool:
        nonlocal most
        most = max(most, *(len(tree_of(crew.pid)) for crew in crews))
        return bool(redis.zcard(keys.place('failed', 'q')) == JOBS)

    wait_until(seen_to, 30, 'all of them are failed')
    print(f'mass: {JOBS} orphans in {time.monotonic() - began:.1f} s, at most {most} processes of a worker')
    assert set(witness.counts('told AbandonedJobError').values()) == {1}
    assert witness.count('told AbandonedJobError') == JOBS
    assert most <= AT_ONCE
