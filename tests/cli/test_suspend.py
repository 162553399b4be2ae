"""`rq suspend` and `rq resume`, and what they do to workers."""

import json

import pytest
from redis import Redis

from rq import Queue
from tests.cli.conftest import Run, Shell, failed, refused


def test_suspend_and_resume(shell: Shell, redis: Redis, redis_url: str) -> None:
    done = shell('suspend', '-u', redis_url)
    assert (done.returncode, done.stderr) == (0, '')
    assert done.stdout == 'Suspending workers.  No new jobs will be started.  But current jobs will be completed\n'
    assert (redis.get('rq:suspended'), redis.ttl('rq:suspended')) == (b'1', -1)
    for _ in range(2):
        done = shell('resume', '-u', redis_url)
        assert (done.returncode, done.stdout, done.stderr) == (0, 'Resuming workers.\n', '')
        assert not redis.exists('rq:suspended')


def test_for_a_while(run: Run, redis: Redis, redis_url: str) -> None:
    result = run('suspend', '-u', redis_url, '--duration', '100')
    assert (result.exit_code, result.stderr) == (0, '')
    first, second = result.stdout.splitlines()
    assert first == ('Suspending workers for 100 seconds. No new jobs will be started during that time, but then will')
    assert second.startswith(' ')
    assert second.strip() == 'automatically resume'
    assert 95 < redis.ttl('rq:suspended') <= 100


@pytest.mark.parametrize('duration', ['0', '-5'])
def test_no_time_at_all(run: Run, redis: Redis, redis_url: str, duration: str) -> None:
    result = run('suspend', '-u', redis_url, '--duration', duration)
    assert (result.exit_code, result.stdout) == (1, 'Duration must be an integer greater than 1\n')
    assert not redis.exists('rq:suspended')
    silent = run('suspend', '-u', redis_url, '--json', '--duration', duration)
    assert (silent.exit_code, silent.stdout, silent.stderr) == (1, '', 'Duration must be an integer greater than 1\n')


def test_refused(run: Run, redis: Redis, redis_url: str) -> None:
    refused(run('suspend', '-u', redis_url, '--duration', 'long'), "'--duration'")
    refused(run('resume', '-u', redis_url, '--duration', '5'), '--duration')
    failed(run('suspend', '-u', 'unix:///nosuch'), 'unix:///nosuch')
    failed(run('resume', '-u', 'unix:///nosuch'), 'unix:///nosuch')
    assert redis.keys('*') == []


def test_json(run: Run, redis: Redis, redis_url: str) -> None:
    for words, document in [
        (['suspend'], {'suspended': True, 'seconds': None}),
        (['suspend', '--duration', '9'], {'suspended': True, 'seconds': 9}),
        (['resume'], {'suspended': False}),
    ]:
        result = run(*words, '--json', '-u', redis_url)
        assert (result.exit_code, result.stderr, json.loads(result.stdout)) == (0, '', document)


def test_a_worker_does_not_start_while_suspended(shell: Shell, redis: Redis, redis_url: str) -> None:
    queue = Queue('default', connection=redis)
    queue.enqueue('tasks.keep')
    redis.set('rq:suspended', 1)
    for burst in ([], ['-b']):
        done = shell('worker', '-u', redis_url, *burst)
        assert (done.returncode, done.stderr) == (1, '')
        assert done.stdout == 'RQ is currently suspended, to resume job execution run "rq resume"\n'
    assert (queue.count, redis.exists('rq:workers')) == (1, 0)
    redis.delete('rq:suspended')
    assert shell('worker', '-u', redis_url, '-b').returncode == 0
    assert queue.count == 0
