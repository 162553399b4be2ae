"""`rq enqueue`: what is stored, and what is refused before anything is."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from redis import Redis

from rq import Queue
from rq.job import Job
from rq.registry import ScheduledJobRegistry
from rq.utils import now, utcparse
from tests.cli.conftest import Run, Shell, failed, refused


@pytest.fixture
def enqueue(run: Run, redis_url: str, redis: Redis):
    """`enqueue(*words)` gives the job that was stored."""

    def enqueue(*words: str, serializer: str = 'pickle') -> Job:
        result = run('enqueue', '--url', redis_url, '-S', serializer, *words)
        assert result.exit_code == 0, result.output
        job_id = result.output.rpartition("job-id '")[2].removesuffix("'.\n")
        return Job.fetch(job_id, connection=redis, serializer=serializer)

    return enqueue


def test_a_call(enqueue, redis: Redis) -> None:
    job = enqueue('tasks.keep', 'a', ':1', 'k=v', 'x%=(1, 2)')
    assert (job.func_name, job.args, job.kwargs) == ('tasks.keep', ['a', 1], {'k': 'v', 'x': (1, 2)})
    assert job.description == "tasks.keep('a', 1, k='v', x=(1, 2))"
    assert job.origin == 'default'
    assert Queue('default', connection=redis).job_ids == [job.id]


def test_what_is_printed(shell: Shell, redis_url: str, workplace: Path) -> None:
    (workplace / 'long').write_text('x' * 500)
    done = shell('enqueue', '-u', redis_url, 'tasks.keep', '@long', '--job-id', 'mine')
    assert (done.returncode, done.stderr) == (0, '')
    assert done.stdout == f"Enqueued tasks.keep('{'x' * 500}') with job-id 'mine'.\n"
    quiet = shell('enqueue', '-u', redis_url, 'tasks.keep', '--quiet')
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, '', '')


def test_options(enqueue, redis: Redis) -> None:
    first = enqueue('tasks.keep', '-q', 'other')
    job = enqueue(
        'tasks.keep', '--queue', 'other', '--timeout', '1m', '--result-ttl', '2h', '--ttl', '1d', '--failure-ttl', '90',
        '--description', 'some words', '--job-id', 'my-id', '--at-front',
        '--retry-max', '3', '--retry-interval', '5', '--retry-interval', '10',
    )  # fmt: skip
    assert (job.timeout, job.result_ttl, job.ttl, job.failure_ttl) == (60, 7200, 86400, 90)
    assert (job.description, job.id, job.origin) == ('some words', 'my-id', 'other')
    assert (job.retries_left, job.retry_intervals) == (3, [5, 10])
    assert Queue('other', connection=redis).job_ids == ['my-id', first.id]


def test_values_with_a_meaning_of_their_own(enqueue) -> None:
    job = enqueue('tasks.keep', '--timeout', '-1', '--result-ttl', '-1', '--failure-ttl', '0', '--retry-max', '0')
    assert (job.timeout, job.result_ttl, job.failure_ttl, job.retries_left) == (-1, -1, 0, None)


def test_an_interval_for_no_retries_at_all(enqueue) -> None:
    assert enqueue('tasks.keep', '--retry-max', '0', '--retry-interval', '5').retries_left is None


def test_json(run: Run, redis: Redis, redis_url: str, workplace: Path) -> None:
    (workplace / 'long').write_text('x' * 500)
    result = run('enqueue', '-u', redis_url, '--json', 'tasks.keep', '@long', '--job-id', 'mine', '-q', 'other')
    assert (result.exit_code, result.stderr, result.stdout.count('\n')) == (0, '', 1)
    assert json.loads(result.stdout) == {
        'job_id': 'mine', 'queue': 'other', 'call': f"tasks.keep('{'x' * 500}')", 'status': 'queued',
        'scheduled_at': None,
    }  # fmt: skip
    later = run('enqueue', '-u', redis_url, '--json', 'tasks.keep', '--schedule-at', '2031-05-27T21:45:00')
    found = json.loads(later.stdout)
    assert (found['status'], found['queue']) == ('scheduled', 'default')
    assert utcparse(found['scheduled_at']) == datetime(2031, 5, 27, 21, 45).astimezone(UTC)
    assert run('enqueue', '-u', redis_url, '--json', '--quiet', 'tasks.keep').output == ''


def test_depends_on(run: Run, enqueue, redis: Redis, redis_url: str) -> None:
    first, second = enqueue('tasks.keep', '--job-id', 'first'), enqueue('tasks.keep', '--job-id', 'second')
    result = run(
        'enqueue', '-u', redis_url, '--json', 'tasks.keep', '--job-id', 'last', '--depends-on', 'first',
        '--depends-on', 'second',
    )  # fmt: skip
    assert json.loads(result.stdout)['status'] == 'deferred'
    job = Job.fetch('last', connection=redis)
    assert sorted(job.dependency_ids) == ['first', 'second']
    assert Queue('default', connection=redis).job_ids == [first.id, second.id]


def test_serializer(enqueue) -> None:
    assert enqueue('tasks.keep', ':[1]', serializer='json').args == [[1]]


def test_schedule_in(enqueue, redis: Redis) -> None:
    job = enqueue('tasks.keep', 'a', 'k=v', '--schedule-in', '1h', '--at-front')
    due = ScheduledJobRegistry('default', connection=redis).get_scheduled_time(job)
    assert timedelta(seconds=3590) < due - now() <= timedelta(hours=1)
    assert (job.get_status().value, job.args, job.kwargs) == ('scheduled', ['a'], {'k': 'v'})
    assert job.enqueue_at_front is True
    assert Queue('default', connection=redis).is_empty()


def test_schedule_at_is_local_time(enqueue, redis: Redis) -> None:
    job = enqueue('tasks.keep', '--schedule-at', '2031-05-27T21:45:00')
    due = ScheduledJobRegistry('default', connection=redis).get_scheduled_time(job)
    assert due == datetime(2031, 5, 27, 21, 45).astimezone(UTC)


@pytest.mark.parametrize(
    'words, named',
    [
        ([''], "'FUNCTION'"),
        (['tasks..keep'], "'FUNCTION'"),
        (['tasks.keep', ':{'], 'Unable to parse 1. non keyword argument as JSON.'),
        (['tasks.keep', 'a%=b'], 'Unable to eval a as Python object.'),
        (['tasks.keep', 'a=1', 'a=2'], "can't specify multiple values"),
        (['tasks.keep', '--timeout', 'long'], "'--timeout'"),
        (['tasks.keep', '--timeout', '0'], "'--timeout'"),
        (['tasks.keep', '--timeout', '-2'], "'--timeout'"),
        (['tasks.keep', '--timeout', '-1m'], "'--timeout'"),
        (['tasks.keep', '--result-ttl', '1x'], "'--result-ttl'"),
        (['tasks.keep', '--ttl', '0'], "'--ttl'"),
        (['tasks.keep', '--ttl', '-1'], "'--ttl'"),
        (['tasks.keep', '--failure-ttl', ''], "'--failure-ttl'"),
        (['tasks.keep', '--job-id', 'a:b'], "'--job-id'"),
        (['tasks.keep', '--job-id', ''], "'--job-id'"),
        (['tasks.keep', '--depends-on', 'a b'], "'--depends-on'"),
        (['tasks.keep', '--retry-max', '-1'], "'--retry-max'"),
        (['tasks.keep', '--retry-max', '1', '--retry-interval', '-1'], "'--retry-interval'"),
        (['tasks.keep', '--retry-interval', '5'], '--retry-max'),
        (['tasks.keep', '--schedule-in', 'soon'], "'--schedule-in'"),
        (['tasks.keep', '--schedule-in', '-5'], "'--schedule-in'"),
        (['tasks.keep', '--schedule-in', '9999999999d'], "'--schedule-in'"),
        (['tasks.keep', '--schedule-at', 'tomorrow'], "'--schedule-at'"),
        (['tasks.keep', '--schedule-at', '2031-05-27T21:45:00', '--schedule-in', '1s'], "can't specify both"),
        (['tasks.keep', '-q', 'x:intermediate'], 'x:intermediate'),
        (['tasks.keep', '-q', '\udcff'], 'queue'),
        (['tasks.keep', '--nosuch'], '--nosuch'),
        ([], "'FUNCTION'"),
    ],
)
def test_refused(run: Run, redis: Redis, redis_url: str, words: list[str], named: str) -> None:
    refused(run('enqueue', '-u', redis_url, *words), named)
    assert redis.keys('*') == []


def test_no_traceback_in_a_real_process(shell: Shell, redis_url: str) -> None:
    done = shell('enqueue', '-u', redis_url, 'tasks.keep', '--timeout', 'long')
    assert (done.returncode, done.stdout) == (1, '')
    assert done.stderr.startswith("Error: Invalid value for '--timeout': 'long' is no duration")
    assert done.stderr.count('\n') == 1


def test_a_missing_file(run: Run, redis_url: str) -> None:
    result = run('enqueue', '-u', redis_url, 'tasks.keep', '@missing')
    failed(result, 'missing')
    assert result.stderr.endswith('Not found\n')


def test_a_payload_over_the_limit(run: Run, redis: Redis, redis_url: str, workplace: Path) -> None:
    (workplace / 'large').write_text('x' * (17 * 1024 * 1024))
    failed(run('enqueue', '-u', redis_url, '--description', 'large', 'tasks.keep', '@large'), 'cannot be enqueued')
    failed(run('enqueue', '-u', redis_url, '-S', 'json', 'tasks.keep', '%{1}'), 'not JSON serializable')
    assert redis.keys('*') == []


def test_an_id_that_is_running_cannot_be_scheduled(run: Run, enqueue, redis: Redis, redis_url: str) -> None:
    job = enqueue('tasks.keep', '--job-id', 'busy')
    redis.hset(job.key, mapping={'status': 'started', 'execution': 'e'})
    redis.zadd('rq:wip:default', {'busy:e': 9e12})
    redis.zadd('rq:leases:default', {'busy:e': 9e15})
    failed(run('enqueue', '-u', redis_url, 'tasks.keep', '--job-id', 'busy', '--schedule-in', '1h'), 'busy')
