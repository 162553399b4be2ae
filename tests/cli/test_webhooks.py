"""`rq webhooks`: what became of the calls of webhooks."""

import json

from redis import Redis

from rq.store import outbox
from rq.store.call import run as call
from tests.cli.conftest import Run, failed, refused

TRIED = {'job': 'j', 'url': 'http://x/a', 'method': 'POST', 'status': 'failed', 'try': 2, 'code': None}


def record(redis: Redis, *records: object) -> None:
    """Put tries on record, and leave one of the news."""
    for number, each in enumerate(records):
        redis.zadd('rq:outbox', {'news': 1})
        call(redis, outbox.exchange('news', json.dumps(each), now=1_700_000_000 + number))
    redis.zadd('rq:outbox', {'left': 1})


def test_nothing(run: Run, redis: Redis, redis_url: str) -> None:
    result = run('webhooks', '-u', redis_url)
    assert (result.exit_code, result.stdout, result.stderr) == (0, '0 webhooks wait\n', '')
    assert redis.keys('*') == []


def test_lines(run: Run, redis: Redis, redis_url: str) -> None:
    record(
        redis,
        {**TRIED, 'error': 'TimeoutError: timed out\x1b[31m', 'outcome': 'again'},
        {**TRIED, 'try': 3, 'code': 204, 'error': '', 'outcome': 'told'},
        {'error': '5 news waited too long', 'outcome': 'dropped'},
    )
    result = run('webhooks', '-u', redis_url)
    assert (result.exit_code, result.stderr) == (0, '')
    assert result.stdout.splitlines() == [
        '2023-11-14T22:13:22.000000Z dropped: 5 news waited too long',
        '2023-11-14T22:13:21.000000Z POST http://x/a job j failed try 3: 204, told',
        '2023-11-14T22:13:20.000000Z POST http://x/a job j failed try 2: TimeoutError: timed out\\x1b[31m, again',
        '1 webhooks wait',
    ]
    assert len(run('webhooks', '-u', redis_url, '-n', '1').stdout.splitlines()) == 2


def test_json(run: Run, redis: Redis, redis_url: str) -> None:
    record(redis, {**TRIED, 'code': 500, 'error': '', 'outcome': 'given up'})
    result = run('webhooks', '-u', redis_url, '--json')
    assert json.loads(result.stdout) == {
        'waiting': 1,
        'tries': [
            {
                'at': '2023-11-14T22:13:20.000000Z', 'job_id': 'j', 'url': 'http://x/a', 'method': 'POST',
                'job_status': 'failed', 'number': 2, 'code': 500, 'error': '', 'outcome': 'given up',
            }
        ],
    }  # fmt: skip


def test_refused(run: Run, redis_url: str) -> None:
    refused(run('webhooks', '-u', redis_url, '-n', '-1'), "'--limit'")
    failed(run('webhooks', '-u', 'unix:///nosuch'), 'unix:///nosuch')
