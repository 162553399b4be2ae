"""A mixed fleet: producers and workers of both sides on the same queues, some killed. One outcome for each job."""

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from redis import Redis

from tests.interop.sides import Forked, Side, lines
from tests.waiting import wait_until

JOBS = 20  # of each producer and kind
QUEUES = ('q', 'other')
#: The kinds of work; each puts JOBS jobs on a queue.
PRODUCE = """
    import random
    other = Queue('other', connection=redis)
    for n in range(JOBS):
        q.enqueue(jobs.work, 0.005, n, job_id=f'{me}-plain-{n}')
        other.enqueue(jobs.work, 0.005, n, job_id=f'{me}-retry-{n}', retry=Retry(max=2, interval=random.choice([0, 1])))
        other.enqueue_in(timedelta(seconds=random.choice([0, 1])), jobs.work, 0, n, job_id=f'{me}-later-{n}')
        plain = Dependency(f'{me}-plain-{n}', allow_failure=True)
        q.enqueue(jobs.work, 0, n, job_id=f'{me}-after-{n}', depends_on=plain)
        other.enqueue(jobs.work, 0, n, job_id=f'{me}-limited-{n}', rate_limit=RateLimit('k', 2))
    q.enqueue_many([q.prepare_data(jobs.work, (0, n), job_id=f'{me}-many-{n}') for n in range(JOBS)])
"""
#: RQ 3.0 that dies between the commit of an outcome and what follows it leaves slots and dependents behind.
MAINTAIN = """
    for queue in [Queue(name, connection=redis) for name in queues]:
        clean_registries(queue)
        for job in Job.fetch_many(queue.deferred_job_registry.get_job_ids(), redis):
            if job.dependencies_are_met():
                queue.enqueue_dependents(job.dependency)
"""
KINDS = ('plain', 'retry', 'later', 'after', 'limited', 'many')
FAST = {'attributes': {'rescue_interval': 0.3}, 'worker_ttl': 16}


def bury(redis: Redis, worker: Forked, queues: Sequence[str]) -> None:
    """Kill a worker with its tree, in the middle of its work; let its claims run out, and who stood between two lists.

    That RQ 3.0 sees to it after a minute and more is no matter of this test.
    """
    worker.kill()
    wait_until(lambda: worker.name not in {c['name'] for c in redis.client_list()}, 10, 'the server has seen it')
    claims = redis.smembers(f'rq:worker:{worker.name}:executions')
    for queue in QUEUES:
        for member in claims:
            redis.zadd(f'rq:wip:{queue}', {member: 1}, xx=True)
            redis.zrem(f'rq:leases:{queue}', member)
        for job_id in redis.lrange(f'rq:queue:{queue}:intermediate', 0, -1):
            redis.set(b'rq:queue:%s:intermediate:first_seen:%s' % (queue.encode(), job_id), '1.5')
        if worker.agent.side == 'rq3' and queue in queues:
            redis.delete(f'rq:scheduler-lock:{queue}')  # of its scheduler, which has died with it


def outcomes(redis: Redis) -> Counter[str]:
    """How many jobs have which status."""
    keys = [f'rq:job:{job_id}' for job_id in ids()]
    pipeline = redis.pipeline(transaction=False)
    for key in keys:
        pipeline.hget(key, 'status')
    return Counter((status or b'missing').decode() for status in pipeline.execute())


class Berth:
    """The place of a worker in the fleet; who dies is replaced."""

    def __init__(self, side: Side, *queues: str) -> None:
        self.side, self.queues = side, queues
        self.worker = self.start()

    def start(self) -> Forked:
        """A worker with everything that looks after others sped up."""
        return self.side.start(*self.queues, work={'with_scheduler': True}, ready=False, **FAST)

    def replace(self, redis: Redis) -> None:
        """Kill it in the middle of its work, and start another one."""
        bury(redis, self.worker, self.queues)
        self.worker = self.start()


class Told:
    """What is waited for, told when it did not come: the jobs without an outcome, and where they stand."""

    def __init__(self, redis: Redis) -> None:
        self.redis = redis

    def __str__(self) -> str:
        left = {i: self.redis.hget(f'rq:job:{i}', 'status') for i in ids()}
        left = {i: status for i, status in left.items() if status not in (b'finished', b'failed')}
        places = {key: self.redis.type(key) for key in self.redis.scan_iter('rq:*') if b':job:' not in key}
        lists = {key: self.redis.lrange(key, 0, 5) for key, kind in places.items() if kind == b'list'}
        sets = {key: self.redis.zrange(key, 0, 5, withscores=True) for key, kind in places.items() if kind == b'zset'}
        shown = ('wip', 'leases', 'scheduled', 'deferred', 'ready', 'rl:k')
        sets = {key: value for key, value in sets.items() if key.decode().split(':', 1)[1].startswith(shown)}
        return f'every job has an outcome; these have none: {left}\n{lists}\n{sets}'


def ids() -> list[str]:
    """Every job of the test."""
    return [f'{me}-{kind}-{n}' for me in ('ours', 'rq3') for kind in KINDS for n in range(JOBS)]


@pytest.mark.parametrize('deaths', [0, 3])
def test_fleet(deaths: int, sides: dict[str, Side], redis: Redis) -> None:
    fleet = [Berth(sides['ours'], 'q', 'other'), Berth(sides['ours'], 'other', 'q')]
    # RQ 3.0 with one queue each: with several it takes ids by a bare pop, and a worker killed then loses them.
    fleet += [Berth(sides['rq3'], 'q'), Berth(sides['rq3'], 'other')]
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda side: side.run(PRODUCE, me=side.name, JOBS=JOBS), sides.values()))
    for number in range(deaths):
        ended = outcomes(redis)['finished']
        wait_until(lambda ended=ended: outcomes(redis)['finished'] >= ended + 30, 30, 'the work goes on')
        for berth in fleet[number % 2 :: 2]:
            berth.replace(redis)
    if deaths:
        wait_until(lambda: not set(outcomes(redis)) & {'queued', 'started', 'scheduled'}, 30, Told(redis))
        sides['ours'].run(MAINTAIN, queues=QUEUES)
    wait_until(lambda: set(outcomes(redis)) <= {'finished', 'failed'}, 30, Told(redis))
    judge(redis, deaths)


def judge(redis: Redis, deaths: int) -> None:
    """Nothing is lost, nothing has run twice, every job has exactly one outcome."""
    began, ended, found = Counter(lines(redis, 'began')), Counter(lines(redis, 'ended')), {}
    for job_id in ids():
        types = [int(fields[b'type']) for _, fields in redis.xrange(f'rq:results:{job_id}')]
        status = redis.hget(f'rq:job:{job_id}', 'status').decode()
        finals = [kind for kind in types if kind != 4]
        assert len(finals) == 1, f'{job_id} is {status} and has the results {types}'
        assert status == {1: 'finished', 2: 'failed'}[finals[0]], job_id
        found[job_id] = status
        to_fail = job_id.endswith('9')
        attempts = (3 if to_fail else 1) if '-retry-' in job_id else 1
        if deaths == 0:
            assert (status, began[job_id]) == ('failed' if to_fail else 'finished', attempts), job_id
        else:
            assert began[job_id] <= attempts + ('-retry-' in job_id) * deaths, f'{job_id} has run too often'
            assert to_fail or status == 'finished' or ended[job_id] <= began[job_id], job_id
        assert ended[job_id] <= began[job_id]
        assert '-retry-' in job_id or began[job_id] <= 1, f'{job_id} has run {began[job_id]} times'
        assert status != 'finished' or ended[job_id] >= 1, job_id
    unlucky = [job_id for job_id, status in found.items() if status == 'failed' and not job_id.endswith('9')]
    assert len(unlucky) <= 2 * deaths, f'each death may cost one job, not these: {unlucky}'
    assert not redis.exists('rq:rl:k:allowed', 'rq:rl:k:rate_limited')
