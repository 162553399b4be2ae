"""Maintenance of one side passes over the living jobs of the other without harm, and takes care of its dead ones."""

import pytest
from redis import Redis

from tests.interop.sides import Forked, Side, jobs_in, lines, overdue, runs
from tests.waiting import wait_until

#: All that looks for jobs to move, called by name. A minute from now no claim of a living worker may be overdue.
PASSES = """
    import time
    from rq.worker_registration import clean_worker_registry
    redis.delete('rq:clean_registries:q', 'rq:clean_groups')
    clean_registries(q)
    q.started_job_registry.cleanup()
    q.started_job_registry.cleanup(timestamp=int(time.time()) + 60)
    for registry in (q.finished_job_registry, q.failed_job_registry, q.scheduled_job_registry, q.started_job_registry):
        registry.count, registry.get_job_ids()
    clean_worker_registry(q)
    scheduler = RQScheduler([q], connection=redis)
    scheduler.acquire_locks()
    scheduler.prepare_registries()
    scheduler.enqueue_scheduled_jobs()
    scheduler.release_locks()
    w = Worker(['q'], connection=redis)
    w.clean_registries()
    w.run_maintenance_tasks()
    Worker.all(connection=redis), Worker.all(queue=q), Job.fetch('a', connection=redis).get_executions()
    True
"""
FAST = {'attributes': {'rescue_interval': 0.3, 'maintenance_interval': 1}}


def running(producer: Side, worker: Side, redis: Redis, cls: str = 'Worker', **words: str) -> Forked:
    """A worker in the middle of the job `a`."""
    producer.run(f"q.enqueue(jobs.gate, job_id='a', {', '.join(f'{k}={v}' for k, v in words.items())})")
    process = worker.start(cls=cls)
    wait_until(lambda: runs(redis)['a'] == 1, 15, 'the job runs')
    return process


@pytest.mark.parametrize(
    ('cls', 'timeout'),
    [('Worker', 180), ('Worker', -1), ('SimpleWorker', 180), ('SimpleWorker', -1), ('SpawnWorker', 180)],
)
def test_living_jobs(cls: str, timeout: int, producer: Side, worker: Side, redis: Redis) -> None:
    """A long job of the one while everything that the other has to maintain runs over it."""
    process = running(producer, worker, redis, cls, job_timeout=str(timeout))
    (claim,) = jobs_in(redis, 'wip')
    assert producer.run(PASSES) is True
    other = producer.start(worker_ttl=16, **FAST)  # its own maintenance, at its start and each time it looks
    producer.cli('info')
    producer.run("q.enqueue(jobs.add, job_id='b')")
    wait_until(lambda: producer.status('b') == 'finished', 15, 'the other one works beside it')
    redis.delete('rq:clean_registries:q')
    producer.burst()
    assert (jobs_in(redis, 'wip'), producer.status('a'), worker.status('a')) == ([claim], 'started', 'started')
    assert redis.sismember('rq:workers', f'rq:worker:{process.name}')
    assert redis.sismember('rq:workers:q', f'rq:worker:{other.name}')
    redis.rpush('test:gate', 'open')
    wait_until(lambda: producer.status('a') == 'finished', 15, 'the first one ends it')
    assert runs(redis) == {'a': 1, 'b': 1}
    assert producer.picture('a')['value'] == "'passed'"
    assert (process.poll(), other.poll()) == (None, None)


def test_everything_at_rest(producer: Side, worker: Side, redis: Redis) -> None:
    """Jobs in every place: maintenance of the other side leaves each where it is, as it is."""
    producer.run("""
        q.enqueue(jobs.add, job_id='finished', result_ttl=-1)
        q.enqueue(jobs.fail, job_id='failed', failure_ttl=-1)
        q.enqueue(jobs.fail, job_id='retried', retry=Retry(max=2, interval=60))
        q.enqueue(jobs.add, job_id='repeated', repeat=Repeat(times=2, interval=60))
        q.enqueue_in(timedelta(60), jobs.add, job_id='scheduled')
    """)
    worker.burst()
    running(producer, worker, redis)
    producer.run("""
        Group.create(connection=redis, name='g').enqueue_many(q, [q.prepare_data(jobs.add, job_id='queued')])
        q.enqueue(jobs.add, job_id='deferred', depends_on='a', ttl=500)
        q.enqueue(jobs.add, job_id='canceled').cancel()
        for job_id in ('allowed', 'limited'):
            q.enqueue(jobs.add, job_id=job_id, rate_limit=RateLimit('k', 1))
    """)
    ids = [key.split(b':')[2].decode() for key in redis.keys('rq:job:*') if key.count(b':') == 2]
    assert len(ids) == 11
    before = {job_id: worker.picture(job_id) for job_id in ids}
    members = {key: redis.zrange(key, 0, -1) for key in redis.scan_iter('rq:*', _type='zset')}
    assert producer.run(PASSES) is True
    for side in (producer, worker):
        assert {job_id: side.picture(job_id) for job_id in ids} == before
    assert {key: redis.zrange(key, 0, -1) for key in redis.scan_iter('rq:*', _type='zset')} == members
    redis.rpush('test:gate', 'open')
    wait_until(lambda: producer.status('limited') == 'finished', 15, 'the rest goes its way')
    wait_until(lambda: producer.status('deferred') == 'finished', 15, 'the dependent, too')
    assert set(runs(redis).values()) == {1}


@pytest.mark.parametrize('kind', ['Worker', 'SimpleWorker'])
def test_dead_worker(kind: str, producer: Side, worker: Side, redis: Redis) -> None:
    """The worker of one side vanished: the other records its job as failed, and tells the callback."""
    running(producer, worker, redis, kind, on_failure='Callback(jobs.on_failure)').kill()
    overdue(redis)
    producer.start(exception_handlers='handler', **FAST)
    wait_until(lambda: producer.status('a') == 'failed', 15, 'the other one sees to it')
    wait_until(lambda: len(lines(redis, 'told')) == 2, 5, 'everybody was told')
    assert [line.split()[:3] for line in lines(redis, 'told')] == [
        ['failure', 'a', 'AbandonedJobError'],
        ['handler', 'a', 'AbandonedJobError'],
    ]
    seen = worker.picture('a')
    assert producer.picture('a') == seen
    assert (seen['registries'], [result[0] for result in seen['results']]) == (['failed'], ['FAILED'])
    assert 'AbandonedJobError' in seen['results'][0][3]
    assert jobs_in(redis, 'wip') == []
    assert runs(redis) == {'a': 1}


def test_dead_worker_of_a_job_with_retries(producer: Side, worker: Side, redis: Redis) -> None:
    running(producer, worker, redis, retry='Retry(max=1)').kill()
    overdue(redis)
    redis.rpush('test:gate', 'open')
    producer.start(**FAST)
    wait_until(lambda: producer.status('a') == 'finished', 15, 'the other one runs it')
    assert runs(redis) == {'a': 2}
    assert producer.picture('a') == worker.picture('a')


def test_one_takes_care(producer: Side, worker: Side, redis: Redis) -> None:
    """While a worker of one side sees to an abandoned job, one of the other leaves it alone."""
    running(producer, worker, redis, on_failure='Callback(jobs.slow_on_failure)', retry='Retry(max=1)').kill()
    overdue(redis)
    redis.rpush('test:gate', 'open', 'open')
    producer.start(**FAST)
    wait_until(lambda: lines(redis, 'told'), 15, 'the first one sees to it')
    last = worker.start(**FAST)
    worker.run("q.enqueue(jobs.waits, 0.7, job_id='b')")
    wait_until(lambda: redis.hget(f'rq:worker:{last.name}', 'successful_job_count'), 15, 'the second one works')
    redis.rpush('test:slow', *'xxxx')
    wait_until(lambda: producer.status('a') == 'finished', 15, 'it is run again')
    wait_until(lambda: redis.zcard('rq:finished:q') == 2, 15, 'all is done')
    assert len(lines(redis, 'told')) == 1
    assert runs(redis) == {'a': 2, 'b': 1}
    assert [result[0] for result in producer.picture('a')['results']] == ['SUCCESSFUL']


def test_dead_worker_in_the_books(producer: Side, worker: Side, redis: Redis) -> None:
    """A record that has expired is dropped from both sets by the other side."""
    process = running(producer, worker, redis)
    process.kill()
    redis.delete(f'rq:worker:{process.name}')
    assert producer.run('Worker.all(connection=redis), Worker.count(queue=q)')[0] == []
    producer.run('from rq.worker_registration import clean_worker_registry; clean_worker_registry(q)')
    assert producer.run('Worker.count(connection=redis), Worker.count(queue=q)') == [0, 0]


def test_name_of_a_dead_worker(producer: Side, worker: Side, redis: Redis) -> None:
    """A name whose worker has said goodbye may be taken by the other side."""
    worker.burst(name='same')
    producer.run("q.enqueue(jobs.add, job_id='a')")
    producer.burst(name='same')
    assert runs(redis) == {'a': 1}


def test_name_of_a_living_worker(producer: Side, worker: Side, redis: Redis) -> None:
    worker.start(name='same')
    other = producer.start(name='same', ready=False)
    assert other.wait() == 1
    assert 'There exists an active worker named' in other.text


def test_intermediate_list(producer: Side, worker: Side, redis: Redis) -> None:
    """RQ 3.0 died between taking an id and beginning it: the job is not lost."""
    producer.run("q.enqueue(jobs.add, 1, 2, job_id='a', retry=Retry(max=1)); q.enqueue(jobs.add, job_id='gone')")
    for _ in range(2):
        redis.lmove('rq:queue:q', 'rq:queue:q:intermediate', 'LEFT', 'RIGHT')
    for job_id in ('a', 'gone'):
        redis.set(f'rq:queue:q:intermediate:first_seen:{job_id}', '1.5')
    redis.delete('rq:job:gone')
    worker.start(worker_ttl=16, **FAST)
    wait_until(lambda: producer.status('a') == 'finished', 15, 'somebody runs it')
    assert producer.picture('a')['value'] == '3'
    wait_until(lambda: not redis.exists('rq:queue:q:intermediate'), 5, 'the list is empty')
    assert runs(redis) == {'a': 1}


def test_ready_registry(producer: Side, worker: Side, redis: Redis) -> None:
    """Somebody died between making a dependent ready and queueing it: the other side's cleaning queues it."""
    producer.run("a = q.enqueue(jobs.add, job_id='a'); q.enqueue(jobs.add, job_id='b', depends_on=a, at_front=False)")
    redis.zrem('rq:deferred:q', 'b')
    redis.zadd('rq:ready:q', {'b': 1})
    redis.hset('rq:job:b', 'status', 'ready_to_enqueue')
    redis.delete('rq:job:a:dependents')
    for side in (producer, worker):
        assert side.run('q.ready_job_registry.get_job_ids(cleanup=False)') == ['b']
    worker.run('clean_registries(q)')
    assert producer.run("q.job_ids, Job.fetch('b', connection=redis).get_status()") == [['a', 'b'], 'queued']
    producer.burst()
    assert runs(redis) == {'a': 1, 'b': 1}


def test_maintenance_lock(producer: Side, worker: Side, redis: Redis) -> None:
    """While one side cleans a queue, the other does not."""
    assert producer.run('q.acquire_maintenance_lock()') is True
    assert worker.run('bool(q.acquire_maintenance_lock())') is False
    assert 890 < redis.ttl('rq:clean_registries:q') <= 899
    producer.run('q.release_maintenance_lock()')
    assert worker.run('q.acquire_maintenance_lock()') is True


def test_expired_entries(producer: Side, worker: Side, redis: Redis) -> None:
    """What has run out is dropped by either side's cleaning, and only that."""
    producer.run("q.enqueue(jobs.add, job_id='a'); q.enqueue(jobs.fail, job_id='b'); q.enqueue(jobs.add, job_id='c')")
    worker.burst()
    redis.zadd('rq:finished:q', {'a': 1})
    redis.zadd('rq:failed:q', {'b': 1})
    redis.delete('rq:job:a', 'rq:job:b', 'rq:clean_registries:q')
    producer.run('clean_registries(q)')
    assert (jobs_in(redis, 'finished'), jobs_in(redis, 'failed')) == (['c'], [])
