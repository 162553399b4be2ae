"""Dependencies: made by one side, met by the end of a job at the other, across queues."""

import pytest
from redis import Redis

from tests.interop.sides import Side, due, jobs_in, lines, overdue, runs
from tests.waiting import wait_until

CHAIN = """
    a = q.enqueue({}, job_id='a')
    b = q.enqueue(jobs.add, 1, 2, job_id='b', depends_on=a)
    c = q.enqueue(jobs.add, job_id='c', depends_on=['a', b], meta={{'k': 1}})
    Queue('other', connection=redis).enqueue(jobs.add, job_id='d', depends_on=Dependency(jobs=[a], allow_failure=True))
"""
SEEN = """
    job = Job.fetch(job_id, connection=redis)
    [
        job.get_status(), job.dependency_ids, sorted(job.dependent_ids), sorted(j.id for j in job.fetch_dependencies()),
        job.dependency and job.dependency.id, job.allow_dependency_failures, job.enqueue_at_front,
        job.dependencies_are_met(), job_id in q.deferred_job_registry,
    ]
"""


def seen(side: Side, job_id: str) -> list[object]:
    """What a side reads about the dependencies of a job."""
    row = side.run(SEEN, job_id=job_id)
    row[1] = sorted(row[1])
    return row


def test_chain(producer: Side, worker: Side, redis: Redis) -> None:
    producer.run(CHAIN.format('jobs.add'))
    for job_id in 'abcd':
        assert seen(producer, job_id) == seen(worker, job_id)
        assert producer.picture(job_id) == worker.picture(job_id)
    assert seen(worker, 'c')[:4] == ['deferred', ['a', 'b'], [], ['a', 'b']]
    assert producer.run('q.deferred_job_registry.get_job_ids(), q.job_ids') == [['b', 'c'], ['a']]
    worker.burst(work={'max_jobs': 1})
    assert producer.run('q.job_ids, Queue("other", connection=redis).job_ids') == [['b'], ['d']]
    producer.burst(work={'max_jobs': 1})
    assert worker.run('q.job_ids, q.deferred_job_registry.count') == [['c'], 0]
    worker.burst('q', 'other')
    assert [producer.status(job_id) for job_id in 'abcd'] == ['finished'] * 4
    assert runs(redis) == {'a': 1, 'b': 1, 'c': 1, 'd': 1}
    assert jobs_in(redis, 'ready') == []


@pytest.mark.parametrize('end', ['fails', 'dies', 'stops', 'is canceled'])
def test_failed_dependency(end: str, producer: Side, worker: Side, redis: Redis) -> None:
    """Only the dependent that allows failures goes on; and none after a stop or a cancel."""
    producer.run(CHAIN.format('jobs.fail' if end == 'fails' else 'jobs.gate'))
    if end == 'fails':
        worker.burst()
    elif end == 'is canceled':
        worker.run("Job.fetch('a', connection=redis).cancel()")
    else:
        process = worker.start()
        wait_until(lambda: runs(redis)['a'] == 1, 15, 'the job runs')
        if end == 'dies':
            process.kill()
            overdue(redis)
            producer.start(attributes={'rescue_interval': 0.3})
        else:
            producer.run("send_stop_job_command(redis, 'a')")
    wanted = {'fails': 'failed', 'dies': 'failed', 'stops': 'stopped', 'is canceled': 'canceled'}[end]
    wait_until(lambda: producer.status('a') == wanted, 15, f'it {end}')
    free = end in ('fails', 'dies')
    wait_until(lambda: jobs_in(redis, 'deferred', 'other') == ([] if free else ['d']), 5, 'the dependent is moved')
    wait_until(lambda: worker.status('d') == ('queued' if free else 'deferred'), 5, 'it is queued')
    producer.burst('q', 'other')
    assert runs(redis)['d'] == free
    assert [producer.status(i) for i in 'bc'] == ['deferred'] * 2
    if end != 'is canceled':
        redis.rpush('test:gate', 'open', 'open')
        producer.run("Job.fetch('a', connection=redis).requeue()")
        if end == 'fails':
            return
        worker.burst()
        wait_until(lambda: worker.status('c') == 'finished', 15, 'after a better try the others go on')


@pytest.mark.parametrize('side', [0, 1], ids=['by the producer', 'by the worker'])
def test_canceled_with_its_dependents(side: int, producer: Side, worker: Side, redis: Redis) -> None:
    producer.run(CHAIN.format('jobs.add'))
    (producer, worker)[side].run("Job.fetch('a', connection=redis).cancel(enqueue_dependents=True)")
    assert worker.run('q.job_ids, Queue("other", connection=redis).job_ids') == [['b'], ['d']]
    worker.burst('q', 'other')
    assert [producer.status(i) for i in 'abcd'] == ['canceled', 'finished', 'deferred', 'finished']
    assert runs(redis) == {'b': 1, 'd': 1}  # c depends on the canceled one, too


def test_retried_dependency(producer: Side, worker: Side, redis: Redis) -> None:
    """Dependents wait until the retries of their dependency are over, at whichever side."""
    producer.run("""
        a = q.enqueue(jobs.fails_until, 1, job_id='a', retry=Retry(max=1, interval=60))
        q.enqueue(jobs.add, job_id='b', depends_on=Dependency(jobs='a', allow_failure=True))
    """)
    worker.burst()
    assert [producer.status(i) for i in 'ab'] == ['scheduled', 'deferred']
    due(redis)
    producer.burst(work={'with_scheduler': True})
    assert [worker.status(i) for i in 'ab'] == ['finished', 'finished']
    assert runs(redis) == {'a': 2, 'b': 1}


def test_met_already(producer: Side, worker: Side, redis: Redis) -> None:
    producer.run("q.enqueue(jobs.add, job_id='a')")
    worker.burst()
    producer.run(
        "q.enqueue(jobs.add, job_id='b', depends_on='a'); q.enqueue(jobs.add, job_id='c', depends_on='missing')"
    )
    assert worker.run('q.job_ids') == ['b', 'c']
    worker.burst()
    assert runs(redis) == {'a': 1, 'b': 1, 'c': 1}


def test_in_front(producer: Side, worker: Side, redis: Redis) -> None:
    producer.run("""
        a = q.enqueue(jobs.add, job_id='a')
        q.enqueue(jobs.add, job_id='b', depends_on=Dependency(jobs=a, enqueue_at_front=True))
        q.enqueue(jobs.add, job_id='d', depends_on=a)
        q.enqueue(jobs.add, job_id='e')
    """)
    worker.burst()
    order = [line.split()[0] for line in lines(redis, 'ran')]
    assert (order[:3], set(order[3:])) == (['a', 'b', 'e'], {'d'})


def test_many(producer: Side, worker: Side, redis: Redis) -> None:
    """enqueue_many with dependencies, and a fan-in of forty jobs."""
    producer.run("""
        q.enqueue_many([Queue.prepare_data(jobs.add, (n,), job_id=f'j{n}') for n in range(40)])
        q.enqueue_many([Queue.prepare_data(jobs.add, job_id='end', depends_on=[f'j{n}' for n in range(40)])])
        Queue('other', connection=redis).enqueue(jobs.add, job_id='after', depends_on='end')
    """)
    assert seen(producer, 'end') == seen(worker, 'end')
    helper = producer.start('q')
    worker.start('q', 'other')
    wait_until(lambda: worker.status('after') == 'finished', 30, 'the last one is finished')
    assert len(runs(redis)) == 42
    assert set(runs(redis).values()) == {1}
    assert helper.poll() is None


def test_deleted_dependency(producer: Side, worker: Side, redis: Redis) -> None:
    producer.run(CHAIN.format('jobs.add'))
    worker.run("Job.fetch('a', connection=redis).delete(delete_dependents=True)")
    assert producer.run("[Job.exists(i, redis) for i in 'abcd'], q.deferred_job_registry.get_job_ids()") == [
        [False] * 4, [],
    ]  # fmt: skip
    producer.burst('q', 'other')
    assert runs(redis) == {}


def test_canceled_dependent(producer: Side, worker: Side, redis: Redis) -> None:
    producer.run(CHAIN.format('jobs.add'))
    worker.run("Job.fetch('b', connection=redis).cancel()")
    assert producer.run('q.deferred_job_registry.get_job_ids(), q.canceled_job_registry.get_job_ids()') == [
        ['c'],
        ['b'],
    ]
    producer.burst('q', 'other')
    assert [worker.status(i) for i in 'abcd'] == ['finished', 'canceled', 'deferred', 'finished']
