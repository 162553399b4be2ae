"""`rq requeue` and `rq empty`."""

import json

import pytest
from redis import Redis

from rq import Queue
from rq.job import Job
from rq.registry import FailedJobRegistry
from tests.cli.conftest import Run, Shell, failed, refused


@pytest.fixture
def failures(redis: Redis) -> list[str]:
    """Ids of three failed jobs of the queue `default`."""
    queue = Queue('default', connection=redis)
    jobs = [queue.enqueue('tasks.fail', job_id=f'job-{n}') for n in range(3)]
    for job in jobs:
        queue.remove(job)
        redis.hset(job.key, 'status', 'failed')
        redis.zadd('rq:failed:default', {job.id: 9e12})
    return [job.id for job in jobs]


def test_requeue_some(shell: Shell, redis: Redis, redis_url: str, failures: list[str]) -> None:
    done = shell('requeue', '-u', redis_url, '--queue', 'default', *failures[:2])
    assert (done.returncode, done.stderr) == (0, '')
    assert done.stdout.startswith('Requeueing 2 jobs from failed queue\n')
    assert Queue('default', connection=redis).job_ids == failures[:2]
    assert FailedJobRegistry('default', connection=redis).get_job_ids() == failures[2:]
    assert Job.fetch(failures[0], redis).get_status().value == 'queued'


@pytest.mark.parametrize('option', ['-a', '--all'])
def test_requeue_all(run: Run, redis: Redis, redis_url: str, failures: list[str], option: str) -> None:
    result = run('requeue', '-u', redis_url, '--queue', 'default', option)
    assert result.exit_code == 0
    assert 'Requeueing 3 jobs from failed queue\n' in result.output
    assert Queue('default', connection=redis).job_ids == failures


def test_requeue_goes_on_past_what_it_cannot(run: Run, redis: Redis, redis_url: str, failures: list[str]) -> None:
    waiting = Queue('default', connection=redis).enqueue('tasks.keep')
    result = run('requeue', '-u', redis_url, '--queue', 'default', 'gone', waiting.id, 'no:id', failures[1])
    assert result.exit_code == 1
    lines = result.stderr.splitlines()
    assert lines[0] == 'Unable to requeue 3 jobs from failed job registry'
    assert len(lines) == 4
    assert 'gone' in lines[1]
    assert waiting.id in lines[2]
    assert Queue('default', connection=redis).job_ids == [waiting.id, failures[1]]


def test_requeue_reports_ten_reasons(run: Run, redis_url: str, redis: Redis) -> None:
    redis.zadd('rq:failed:default', {f'gone-{n}': 9e12 for n in range(13)})
    result = run('requeue', '-u', redis_url, '--queue', 'default', '-a')
    assert result.exit_code == 1
    assert result.stderr.startswith('Unable to requeue 13 jobs')
    assert result.stderr.splitlines()[-1] == '  ... and 3 more'
    assert redis.zcard('rq:failed:default') == 0


def test_nothing_to_requeue(run: Run, redis_url: str) -> None:
    for words in (['--queue', 'default'], ['--queue', 'default', '--all']):
        result = run('requeue', '-u', redis_url, *words)
        assert (result.exit_code, result.output) == (0, 'Nothing to do\n')


def test_a_wrong_queue(run: Run, redis_url: str) -> None:
    refused(run('requeue', '-u', redis_url, '--queue', 'x:intermediate', 'id'), 'x:intermediate')


def test_empty(shell: Shell, redis: Redis, redis_url: str) -> None:
    for name, number in (('a', 3), ('b', 1), ('c', 2)):
        for _ in range(number):
            Queue(name, connection=redis).enqueue('tasks.keep')
    done = shell('empty', '-u', redis_url, 'a', 'b', 'nosuch')
    assert (done.returncode, done.stderr) == (0, '')
    assert done.stdout == '3 jobs removed from a queue\n1 jobs removed from b queue\n0 jobs removed from nosuch queue\n'
    assert [Queue(name, connection=redis).count for name in 'abc'] == [0, 0, 2]
    assert len(redis.keys('rq:job:*')) == 2


def test_empty_all(run: Run, redis: Redis, redis_url: str) -> None:
    for name in ('b', 'a', 'b'):
        Queue(name, connection=redis).enqueue('tasks.keep')
    redis.sadd('rq:queues', 'no queue key', 'rq:queue:a:intermediate')
    result = run('empty', '-u', redis_url, '--all')
    assert (result.exit_code, result.output) == (0, '1 jobs removed from a queue\n2 jobs removed from b queue\n')


def test_nothing_to_empty(run: Run, redis_url: str) -> None:
    for words in ([], ['-a']):
        result = run('empty', '-u', redis_url, *words)
        assert (result.exit_code, result.output) == (0, 'Nothing to do\n')


def test_a_refusal_of_the_server(run: Run, redis: Redis, redis_url: str) -> None:
    redis.set('rq:queue:wrong', 'a text')
    failed(run('empty', '-u', redis_url, 'wrong'), 'refused', 'unix://')


# --- the failed queue of 0.x ----------------------------------------------------------------------------------


def test_requeue_without_a_queue(run: Run, redis: Redis, redis_url: str, failures: list[str]) -> None:
    other = Queue('other', connection=redis).enqueue('tasks.fail', job_id='of-another')
    Queue('other', connection=redis).remove(other)
    redis.hset(other.key, 'status', 'failed')
    redis.rpush('rq:queue:failed', other.id)  # as an old version leaves it
    waiting = Queue('default', connection=redis).enqueue('tasks.keep')
    result = run('requeue', '-u', redis_url, failures[0], other.id, 'gone', waiting.id)
    assert (result.exit_code, result.stdout.splitlines()[0]) == (1, 'Requeueing 4 jobs from failed queue')
    lines = result.stderr.splitlines()
    assert lines[0] == 'Unable to requeue 2 jobs from failed job registry'
    assert 'gone' in lines[1]
    assert waiting.id in lines[2]
    assert Queue('default', connection=redis).job_ids == [waiting.id, failures[0]]
    assert Queue('other', connection=redis).job_ids == [other.id]


def test_requeue_all_of_all_queues(run: Run, redis: Redis, redis_url: str, failures: list[str]) -> None:
    result = run('requeue', '-u', redis_url, '--all', '--json')
    assert (result.exit_code, result.stderr) == (0, '')
    found = json.loads(result.stdout)
    assert (found['queue'], sorted(found['requeued']), found['refused']) == (None, failures, [])
    assert sorted(Queue('default', connection=redis).job_ids) == failures
    assert run('requeue', '-u', redis_url, '--all').output == 'Nothing to do\n'


# --- for programs ---------------------------------------------------------------------------------------------


def test_requeue_json(shell: Shell, redis_url: str, failures: list[str]) -> None:
    done = shell('requeue', '-u', redis_url, '--queue', 'default', '--json', failures[0], 'gone')
    assert done.returncode == 1
    found = json.loads(done.stdout)
    assert (found['queue'], found['requeued']) == ('default', failures[:1])
    assert [each['job_id'] for each in found['refused']] == ['gone']
    assert 'gone' in found['refused'][0]['reason']
    every = shell('requeue', '-u', redis_url, '--queue', 'default', '--json', '-a')
    assert (every.returncode, every.stderr) == (0, '')
    assert json.loads(every.stdout) == {'queue': 'default', 'requeued': failures[1:], 'refused': []}


def test_nothing_json(run: Run, redis_url: str) -> None:
    for words, document in [
        (['requeue', '--queue', 'q'], {'queue': 'q', 'requeued': [], 'refused': []}),
        (['empty'], {'queues': []}),
    ]:
        result = run(*words, '-u', redis_url, '--json')
        assert (result.exit_code, result.stderr, json.loads(result.stdout)) == (0, '', document)


def test_empty_json(run: Run, redis: Redis, redis_url: str) -> None:
    for name in ('b', 'a', 'b'):
        Queue(name, connection=redis).enqueue('tasks.keep')
    result = run('empty', '-u', redis_url, '--json', '-a')
    assert (result.exit_code, result.stderr) == (0, '')
    assert json.loads(result.stdout) == {'queues': [{'name': 'a', 'removed': 1}, {'name': 'b', 'removed': 2}]}


def test_requeue_copies(run: Run, redis: Redis, redis_url: str, failures: list[str]) -> None:
    queue = Queue('default', connection=redis)
    result = run('requeue', '-u', redis_url, failures[0], '--copy', '--args', '[1]', '--kwargs', '{"a": null}')
    (copied,) = queue.job_ids
    assert result.exit_code == 0 and result.output == f'job-0 is queued again as {copied}, in default\n'
    found = Job.fetch(copied, redis)
    assert (found.args, found.kwargs, found.copy_of) == ([1], {'a': None}, 'job-0')
    assert Job.fetch(failures[0], redis).is_failed and Job.fetch(failures[0], redis).args == ()
    result = run('requeue', '-u', redis_url, *failures, 'gone', '--copy', '--json')
    document = json.loads(result.stdout)
    assert [one['copy_of'] for one in document['copied']] == failures
    assert [one['job_id'] for one in document['copied']] == queue.job_ids[1:]
    assert document['refused'][0]['job_id'] == 'gone' and result.exit_code == 1


@pytest.mark.parametrize(
    'words',
    [
        ('x', '--args', '[1]'),
        ('--copy',),
        ('--copy', '--all'),
        ('--copy', 'x', '--queue', 'q'),
        ('x', '--copy', '--aside'),
        ('x', '--copy', '--args', '{}'),
        ('x', '--copy', '--kwargs', '[]'),
        ('x', '--copy', '--args', '['),
    ],
)
def test_copies_that_are_refused(run: Run, redis_url: str, words: tuple[str, ...]) -> None:
    refused(run('requeue', '-u', redis_url, *words), '--')
