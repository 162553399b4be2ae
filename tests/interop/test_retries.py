"""Retries: each attempt by another side, at once or when its time has come."""

import pytest
from redis import Redis

from tests.interop.sides import Side, due, jobs_in, runs

ONE = {'max_jobs': 1}
PROMOTING = {'with_scheduler': True}


def attempts(redis: Redis, *sides: Side) -> None:
    """One attempt by each."""
    for side in sides:
        due(redis)
        side.burst(work=PROMOTING | ONE)


def test_at_once(producer: Side, worker: Side, redis: Redis) -> None:
    producer.run("q.enqueue(jobs.fails_until, 2, job_id='a', retry=Retry(max=3))")
    worker.burst()
    seen = producer.picture('a')
    assert seen == worker.picture('a')
    assert (seen['status'], seen['retry'], seen['value']) == ('finished', [1, [0], None, False], '3')
    assert [result[0] for result in seen['results']] == ['SUCCESSFUL']
    assert runs(redis) == {'a': 3}


def test_used_up(producer: Side, worker: Side, redis: Redis) -> None:
    producer.run("q.enqueue(jobs.fail, job_id='a', retry=Retry(max=2, interval=0))")
    attempts(redis, worker, producer, worker)
    seen = producer.picture('a')
    assert seen == worker.picture('a')
    assert (seen['status'], seen['retry'][0], seen['registries']) == ('failed', 0, ['failed'])
    assert [result[0] for result in seen['results']] == ['FAILED']
    assert runs(redis) == {'a': 3}


def test_intervals(producer: Side, worker: Side, redis: Redis) -> None:
    """Each attempt by another side than the one before."""
    producer.run("q.enqueue(jobs.fails_until, 2, job_id='a', retry=Retry(max=2, interval=[100, 2000]))")
    for side, seconds, left in ((worker, 100, 1), (producer, 2000, 0)):
        attempts(redis, side)
        seen = worker.picture('a')
        assert seen == producer.picture('a')
        assert (seen['status'], seen['retry'][0], seen['registries']) == ('scheduled', left, ['scheduled'])
        for reader in (producer, worker):
            time = reader.run("(q.scheduled_job_registry.get_scheduled_time('a') - datetime.now(timezone.utc)).seconds")
            assert seconds - 20 < time <= seconds
    attempts(redis, worker)
    assert producer.picture('a')['value'] == '3'
    assert runs(redis) == {'a': 3}


def test_in_front(producer: Side, worker: Side, redis: Redis) -> None:
    producer.run("""
        q.enqueue(jobs.fails_until, 2, job_id='a', retry=Retry(max=2, interval=[0, 50], enqueue_at_front=True))
        q.enqueue(jobs.add, job_id='b')
        q.enqueue(jobs.add, job_id='c')
    """)
    worker.burst(work=ONE)
    assert producer.run('q.job_ids') == ['a', 'b', 'c']
    worker.burst(work=ONE)
    assert producer.run('q.job_ids') == ['b', 'c']
    due(redis)
    producer.burst(work=PROMOTING | ONE)
    assert worker.run('q.job_ids') == ['b', 'c']
    worker.burst()
    assert runs(redis) == {'a': 3, 'b': 1, 'c': 1}


def test_killed_horse(producer: Side, worker: Side, redis: Redis) -> None:
    producer.run("q.enqueue(jobs.kills_itself_once, job_id='a', retry=Retry(max=1))")
    attempts(redis, worker, producer)
    assert worker.picture('a')['value'] == "'survived'"
    assert runs(redis) == {'a': 2}


def test_returned(producer: Side, worker: Side, redis: Redis) -> None:
    """Asked for by the function itself, until it is done; each attempt by another side."""
    producer.run("q.enqueue(jobs.returns_retry, max=5, interval=[0, 60], until=4, job_id='a')")
    attempts(redis, worker)
    assert producer.status('a') == 'queued'
    attempts(redis, producer)
    assert worker.status('a') == 'scheduled'
    attempts(redis, worker, producer)
    seen = producer.picture('a')
    assert seen == worker.picture('a')
    assert (seen['status'], seen['value'], seen['retry'][2]) == ('finished', "'done'", 3)
    assert [result[0] for result in seen['results']] == ['SUCCESSFUL', 'RETRIED', 'RETRIED', 'RETRIED']
    assert runs(redis) == {'a': 4}


def test_returned_too_often(producer: Side, worker: Side, redis: Redis) -> None:
    producer.run("q.enqueue(jobs.returns_retry, max=2, job_id='a')")
    attempts(redis, worker, producer, worker)
    seen = producer.picture('a')
    assert seen == worker.picture('a')
    assert (seen['status'], seen['registries']) == ('failed', ['failed'])
    assert [result[0] for result in seen['results']] == ['MAX_RETRIES_EXCEEDED', 'RETRIED', 'RETRIED']
    for side in (producer, worker):
        assert side.run("[r.return_value.max for r in Job.fetch('a', connection=redis).results()]") == [2, 2, 2]
    assert runs(redis) == {'a': 3}
    assert jobs_in(redis, 'wip') == []


@pytest.mark.parametrize('how', ['cancel', 'delete'])
def test_waiting_retry_is_called_off(how: str, producer: Side, worker: Side, redis: Redis) -> None:
    producer.run("q.enqueue(jobs.fail, job_id='a', retry=Retry(max=2, interval=60))")
    worker.burst()
    producer.run(f"Job.fetch('a', connection=redis).{how}()")
    assert jobs_in(redis, 'scheduled') == []
    worker.burst(work=PROMOTING)
    assert runs(redis) == {'a': 1}
