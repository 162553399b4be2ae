"""Scheduled jobs: by one side, seen by both, queued and run by the other; and whose lock a queue is under."""

import pytest
from redis import Redis

from tests.interop.sides import Refused, Side, due, jobs_in, runs
from tests.waiting import wait_until

SCHEDULED = """
    registry = q.scheduled_job_registry
    job = Job.fetch('a', connection=redis)
    [job.get_status(), 'a' in registry, registry.count, registry.get_job_ids(), str(registry.get_scheduled_time('a'))]
"""


@pytest.mark.parametrize('how', ['enqueue_at', 'enqueue_in', 'schedule_job', 'naive'])
def test_scheduled(how: str, producer: Side, worker: Side, redis: Redis) -> None:
    producer.run(
        {
            'enqueue_at': "q.enqueue_at(datetime(2030, 1, 2, 3, 4, 5, 999, timezone.utc), jobs.add, 1, 2, job_id='a')",
            'enqueue_in': "q.enqueue_in(timedelta(days=9), jobs.add, 1, 2, job_id='a', meta={'k': 1})",
            'schedule_job': "q.schedule_job(q.create_job(jobs.add, (1, 2), job_id='a'), datetime(2030, 1, 1))",
            'naive': "q.enqueue_at(datetime(2030, 1, 2, 3, 4, 5), jobs.add, 1, 2, job_id='a')",
        }[how]
    )
    seen = producer.run(SCHEDULED)
    assert seen[:4] == ['scheduled', True, 1, ['a']]
    assert worker.run(SCHEDULED) == seen
    assert producer.picture('a') == worker.picture('a')
    worker.burst(work={'with_scheduler': True})
    assert runs(redis) == {}
    due(redis)
    worker.burst(work={'with_scheduler': True})
    assert producer.picture('a')['value'] == '3'
    assert producer.run('q.scheduled_job_registry.count, Queue.all(redis)') == [0, ['q']]
    assert runs(redis) == {'a': 1}


def test_in_front(producer: Side, worker: Side, redis: Redis) -> None:
    producer.run("""
        q.enqueue(jobs.add, job_id='b')
        q.enqueue_in(timedelta(60), jobs.add, job_id='a', at_front=True)
        q.enqueue_in(timedelta(60), jobs.add, job_id='c')
    """)
    due(redis)
    worker.run("""
        scheduler = RQScheduler([q], connection=redis)
        scheduler.acquire_locks()
        scheduler.prepare_registries()
        scheduler.enqueue_scheduled_jobs()
        scheduler.release_locks()
    """)
    assert producer.run('q.job_ids') == ['a', 'b', 'c']
    assert jobs_in(redis, 'scheduled') == []


@pytest.mark.parametrize('how', ['cancel', 'delete', 'remove', 'enqueue'])
def test_called_off(how: str, producer: Side, worker: Side, redis: Redis) -> None:
    """Scheduled by one side, called off (or begun at once) by the other."""
    producer.run("q.enqueue_in(timedelta(60), jobs.add, job_id='a')")
    worker.run({
        'cancel': "Job.fetch('a', connection=redis).cancel()",
        'delete': "Job.fetch('a', connection=redis).delete()",
        'remove': "q.scheduled_job_registry.remove('a', delete_job=True)",
        'enqueue': "q.scheduled_job_registry.requeue('a')",
    }[how])  # fmt: skip
    assert jobs_in(redis, 'scheduled') == []
    assert producer.run('q.scheduled_job_registry.count') == 0
    due(redis)
    worker.burst(work={'with_scheduler': True})
    assert runs(redis) == ({'a': 1} if how == 'enqueue' else {})


def test_unique(producer: Side, worker: Side) -> None:
    text = "q.enqueue_in(timedelta(60), jobs.add, job_id='a', unique=True)"
    producer.run(text)
    with pytest.raises(Refused, match='DuplicateJobError'):
        worker.run(text)


def test_locks(producer: Side, worker: Side, redis: Redis) -> None:
    """A scheduler of one side holds the queue; one of the other does not serve it until the lock is free."""
    have = 's = RQScheduler([q], connection=redis, name=name); s.register_birth(); s.acquire_locks()'
    assert producer.run(have, name='one') == ['q']
    assert worker.run(have, name='two') == []
    assert worker.run('q.scheduler_pid') == producer.run('q.scheduler_pid') == producer.agent.process.pid
    seen = "s = RQScheduler.fetch('one', redis); s.name, s.hostname, s.pid, s.created_at, s.last_heartbeat"
    assert worker.run(seen) == producer.run(seen)
    again = (
        "s = RQScheduler([q], connection=redis, name='one'); s.acquire_locks(), s.release_locks(), s.register_death()"
    )
    producer.run(again)
    assert worker.run(have, name='two') == ['q']


def test_worker_under_a_foreign_lock(producer: Side, worker: Side, redis: Redis) -> None:
    """What is due waits while the other side's scheduler has the queue, and is run once it has let go."""
    producer.run("""
        s = RQScheduler([q], connection=redis, name='one')
        s.acquire_locks()
        q.enqueue_in(timedelta(60), jobs.add, job_id='a')
    """)
    due(redis)
    worker.burst(work={'with_scheduler': True})
    assert (runs(redis), jobs_in(redis, 'scheduled')) == ({}, ['a'])
    producer.run("s = RQScheduler([q], connection=redis, name='one'); s.acquire_locks(); s.release_locks()")
    worker.burst(work={'with_scheduler': True})
    assert runs(redis) == {'a': 1}


def test_schedulers_of_both(producer: Side, worker: Side, redis: Redis) -> None:
    """Workers of both sides with schedulers: each due job is run once."""
    for number, side in enumerate((producer, worker)):
        side.run("for n in range(20): q.enqueue_in(timedelta(0), jobs.add, job_id=f'{me}-{n}')", me=number)
    for side in (producer, worker):
        side.start(work={'with_scheduler': True})
    wait_until(lambda: len(runs(redis)) == 40, 20, 'all of them have run')
    wait_until(lambda: redis.zcard('rq:finished:q') == 40, 10, 'all of them are finished')
    assert set(runs(redis).values()) == {1}
    assert jobs_in(redis, 'scheduled') == []
