"""Failures of every origin: recorded by one side, read and requeued by the other."""

import pytest
from redis import Redis

from tests.interop.sides import Side, jobs_in, lines, runs

#: name, and id -> (program text, what the record of it says)
FAILURES = {
    'raised': ("q.enqueue(jobs.fail, 'so it is', job_id=job_id)", 'ValueError: so it is'),
    'exited': ('q.enqueue(jobs.leaves, 3, job_id=job_id)', 'SystemExit: 3'),
    'no-such-function': ("q.enqueue('jobs.missing', job_id=job_id)", 'missing'),
    'no-such-module': ("q.enqueue('nowhere.missing', job_id=job_id)", 'nowhere'),
    'undecodable': ('q.enqueue(jobs.add, jobs.Trap(), job_id=job_id)', 'this does not load'),
    'timed-out': ('q.enqueue(jobs.waits, job_id=job_id, job_timeout=1)', 'maximum timeout value (1 seconds)'),
    'killed-horse': ('q.enqueue(jobs.kills_itself, job_id=job_id)', ''),
    'wrong-arguments': ('q.enqueue(jobs.add, 1, 2, 3, job_id=job_id)', 'TypeError'),
}
SEEN = """
    job = Job.fetch(job_id, connection=redis)
    result = job.latest_result()
    registry = FailedJobRegistry('q', connection=redis)
    [
        job.get_status(), job.is_failed, job_id in registry, result.type.name, job.exc_info == result.exc_string,
        result.exc_string, job.return_value(), [str(t) for t in (job.started_at, job.ended_at)],
    ]
"""


def test_failures(producer: Side, worker: Side, redis: Redis) -> None:
    for job_id, (text, _) in FAILURES.items():
        producer.run(text, job_id=job_id)
    worker.burst()
    for job_id, (_, says) in FAILURES.items():
        seen = producer.run(SEEN, job_id=job_id)
        assert seen[:5] == ['failed', True, True, 'FAILED', True], job_id
        assert says in seen[5]
        assert worker.run(SEEN, job_id=job_id) == seen, job_id
    for side in (producer, worker):
        assert sorted(side.run('q.failed_job_registry.get_job_ids()')) == sorted(FAILURES)
        assert side.run('q.failed_job_registry.count, q.started_job_registry.count') == [len(FAILURES), 0]
    assert set(runs(redis).values()) == {1}


@pytest.mark.parametrize('way', ['requeue_job', 'job', 'registry', 'at_front', 'cli'])
def test_requeue(way: str, producer: Side, worker: Side, redis: Redis) -> None:
    """Failed at one side, requeued by the other, done by the first."""
    producer.run("q.enqueue(jobs.fails_until, 1, job_id='a')")
    worker.burst()
    producer.run("q.enqueue(jobs.add, job_id='b')")
    if way == 'cli':
        assert 'Requeueing 1 jobs from failed queue' in producer.cli('requeue', '--queue', 'q', 'a')
    else:
        producer.run(
            {
                'requeue_job': "requeue_job('a', connection=redis)",
                'job': "Job.fetch('a', connection=redis).requeue()",
                'registry': "FailedJobRegistry('q', connection=redis).requeue('a')",
                'at_front': "FailedJobRegistry('q', connection=redis).requeue('a', at_front=True)",
            }[way]
        )
    seen = worker.picture('a')
    assert (seen['status'], seen['registries'], seen['position']) == ('queued', [], 0 if way == 'at_front' else 1)
    assert producer.picture('a') == seen
    worker.burst()
    seen = producer.picture('a')
    assert seen == worker.picture('a')
    assert (seen['status'], seen['value'], seen['registries']) == ('finished', '2', ['finished'])
    assert [result[0] for result in seen['results']] == ['SUCCESSFUL', 'FAILED']
    assert runs(redis) == {'a': 2, 'b': 1}


def test_requeue_all(producer: Side, worker: Side, redis: Redis) -> None:
    producer.run("for n in range(5): q.enqueue(jobs.fails_until, 1, job_id=f'j{n}')")
    worker.burst()
    assert 'Requeueing 5 jobs' in producer.cli('requeue', '--queue', 'q', '--all')
    producer.burst()
    assert worker.run('len(q.finished_job_registry), len(q.failed_job_registry)') == [5, 0]
    assert set(runs(redis).values()) == {2}


def test_removed_from_the_registry(producer: Side, worker: Side, redis: Redis) -> None:
    producer.run("q.enqueue(jobs.fail, job_id='a'); q.enqueue(jobs.fail, job_id='b')")
    worker.burst()
    producer.run("""
        FailedJobRegistry('q', connection=redis).remove('a', delete_job=True)
        Job.fetch('b', connection=redis).delete()
    """)
    assert worker.run("len(q.failed_job_registry), Job.exists('a', redis), Job.exists('b', redis)") == [0, False, False]
    assert not redis.exists('rq:job:a', 'rq:results:a', 'rq:job:b', 'rq:results:b')


def test_not_to_be_stored(producer: Side, worker: Side, redis: Redis, unstored: set[str]) -> None:
    producer.run("q.enqueue(jobs.fail, job_id='a')")
    worker.burst(disable_default_exception_handler=True, exception_handlers='handler')
    unstored.add('a')
    assert producer.status('a') == 'failed'
    assert jobs_in(redis, 'failed') == []
    assert lines(redis, 'told') == ['handler a ValueError']


def test_a_value_that_cannot_be_stored(producer: Side, worker: Side, redis: Redis) -> None:
    producer.run("q.enqueue(jobs.refuses_to_be_stored, job_id='a')")
    worker.burst()
    seen = producer.picture('a')
    assert seen == worker.picture('a')
    assert seen['status'] == 'finished'
    assert runs(redis) == {'a': 1}
