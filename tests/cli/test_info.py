"""`rq info`: its lines, and that it only reads and bears what it finds."""

import json
import re
import signal

import pytest
from redis import Redis

from rq.cli.helpers import get_scale, pad, state_symbol
from rq.utils import now, utcparse
from tests.cli.conftest import Run, Shell, refused

FAR = 9e12


def worker(redis: Redis, name: str, *queues: str, **fields: str | int) -> None:
    """A worker as RQ writes it."""
    found = {
        'birth': '2031-01-01T00:00:00.000000Z', 'queues': ','.join(queues), 'hostname': 'host', 'pid': 7,
        'ip_address': '1.2.3.4:5', 'state': 'idle',
    }  # fmt: skip
    redis.hset(f'rq:worker:{name}', mapping=found | fields)
    for key in ('rq:workers', *(f'rq:workers:{queue}' for queue in queues)):
        redis.sadd(key, f'rq:worker:{name}')


@pytest.fixture
def fleet(redis: Redis) -> None:
    """Three queues and two workers."""
    redis.sadd('rq:queues', 'rq:queue:alpha', 'rq:queue:beta', 'rq:queue:with-a-long-name')
    redis.rpush('rq:queue:alpha', *range(3))
    redis.rpush('rq:queue:beta', *range(25))
    redis.zadd('rq:wip:beta', {'a:1': FAR, 'b:1': FAR, 'overdue:1': 5})
    redis.zadd('rq:finished:alpha', {'a': FAR, 'b': FAR, 'c': -1, 'expired': 5})
    redis.zadd('rq:failed:with-a-long-name', {'a': FAR})
    worker(redis, 'w2', 'other', 'beta', state='busy')
    worker(redis, 'w1', 'with-a-long-name', 'beta', successful_job_count=3, failed_job_count=1)


@pytest.fixture
def lines(run: Run, redis_url: str):
    """`lines('-r')` gives what `rq info -r` prints, without the time."""

    def lines(*words: str, columns: int = 80) -> list[str]:
        result = run('info', '-u', redis_url, *words, env={'COLUMNS': str(columns)})
        assert (result.exit_code, result.stderr) == (0, ''), result.output
        return re.sub(r'Updated: .*', 'Updated: now', result.stdout).splitlines()

    return lines


ALPHA, BETA, LONG = (
    'alpha 3, 0 executing, 3 finished, 0 failed',
    'beta 25, 2 executing, 0 finished, 0 failed',
    'with-a-long-name 0, 0 executing, 0 finished, 1 failed',
)
RAW_QUEUES = [f'queue {ALPHA}', f'queue {BETA}', f'queue {LONG}']
RAW_WORKERS = [
    'worker w1 (host 1.2.3.4:5 7) idle with-a-long-name, beta. jobs: 3 finished, 1 failed',
    'worker w2 (host 1.2.3.4:5 7) busy other, beta. jobs: 0 finished, 0 failed',
]


@pytest.mark.usefixtures('fleet')
class TestFleet:
    """All forms of the same data."""

    def test_raw(self, lines) -> None:
        assert lines('--raw') == RAW_QUEUES + RAW_WORKERS
        assert lines('-r', '-Q') == RAW_QUEUES
        assert lines('-r', '-W') == RAW_WORKERS

    def test_normal(self, lines) -> None:
        assert lines() == [
            'alpha        |█ 3, 0 executing, 3 finished, 0 failed',
            'beta         |██████████ 25, 2 executing, 0 finished, 0 failed',
            'with-a-long-name | 0, 0 executing, 0 finished, 1 failed',
            '3 queues, 28 jobs total',
            '',
            'w1 (host 1.2.3.4:5 7): idle with-a-long-name, beta. jobs: 3 finished, 1 failed',
            'w2 (host 1.2.3.4:5 7): busy other, beta. jobs: 0 finished, 0 failed',
            '2 workers, 3 queues',
            '',
            'Updated: now',
        ]

    def test_by_queue(self, lines) -> None:
        by_queue = [
            'alpha:            –',
            'beta:             w1 (idle), w2 (busy)',
            'with-a-long-name: w1 (idle)',
        ]
        assert lines('-W', '--by-queue') == [*by_queue, '2 workers, 3 queues']
        assert lines('-R', '-r') == RAW_QUEUES + by_queue
        assert lines('-R', '-Q', '-r') == RAW_QUEUES

    def test_named_queues(self, lines) -> None:
        assert lines('-r', 'other', 'alpha') == [
            'queue other 0, 0 executing, 0 finished, 0 failed',
            f'queue {ALPHA}',
            RAW_WORKERS[1],
        ]
        assert lines('-W', 'alpha') == ['0 workers, 1 queues']

    def test_only_queues_wins(self, lines) -> None:
        assert lines('-r', '-W', '-Q') == RAW_QUEUES

    @pytest.mark.parametrize('columns, bar', [(80, 10), (40, 10), (30, 5), (20, 0), (5, 0)])
    def test_narrow_terminals(self, lines, columns: int, bar: int) -> None:
        assert lines('-Q', columns=columns)[1].count('█') == bar

    def test_it_only_reads(self, lines, redis: Redis) -> None:
        def everything() -> dict[bytes, object]:
            return {key: (redis.dump(key), redis.pttl(key) > 0) for key in redis.scan_iter()}

        redis.sadd('rq:workers', 'rq:worker:dead')
        before = everything()
        for words in ([], ['-r'], ['-R'], ['alpha'], ['--json']):
            lines(*words)
        assert everything() == before


def test_an_empty_database(lines) -> None:
    assert lines() == ['0 queues, 0 jobs total', '', '0 workers, 0 queues', '', 'Updated: now']
    assert lines('-R')[2] == '0 workers, 0 queues'
    assert lines('-r') == []


def test_workers_of_a_database_without_queues(lines, redis: Redis) -> None:
    worker(redis, 'early', 'default')
    assert lines('-r') == ['worker early (host 1.2.3.4:5 7) idle default. jobs: 0 finished, 0 failed']
    assert lines('-W', '-R') == ['1 workers, 0 queues']


def test_broken_records(lines, redis: Redis) -> None:
    redis.sadd(
        'rq:queues', 'no queue key', b'rq:queue:\xff', 'rq:queue:text', 'rq:queue:x:intermediate', 'rq:queue:a\nb'
    )
    redis.set('rq:queue:text', 'x')
    redis.set('rq:failed:text', 'x')
    redis.set('rq:aside:text', 'x')
    redis.set('rq:workers:text', 'x')
    worker(redis, 'good', 'a\nb')
    worker(redis, 'odd', 'a\nb', state=b'\xff', successful_job_count='many')
    redis.hdel('rq:worker:odd', 'hostname', 'ip_address', 'pid')
    redis.set('rq:worker:text', 'x')
    redis.sadd('rq:workers:a\nb', 'rq:worker:gone', 'rq:worker:text', 'junk')
    assert lines('-r') == [
        'queue \\xff 0, 0 executing, 0 finished, 0 failed',
        'queue a\\nb 0, 0 executing, 0 finished, 0 failed',
        'queue text ?, 0 executing, 0 finished, ? failed',
        'worker good (host 1.2.3.4:5 7) idle a\\nb. jobs: 0 finished, 0 failed',
        'worker odd (? ? ?) \\xff a\\nb. jobs: many finished, 0 failed',
    ]
    assert lines('-Q')[-1] == '3 queues, 0 jobs total'
    assert lines('-W', '-R')[1] == 'a\\nb: good (idle), odd (\\xff)'


def test_what_is_set_aside_is_said(lines, redis: Redis) -> None:
    redis.sadd('rq:queues', 'rq:queue:a', 'rq:queue:b')
    redis.hset('rq:aside:a', mapping={'\x1b[2Jid': 'its record is no hash'})
    redis.hset('rq:aside:b', mapping={f'id-{n}': 'unknown status' for n in range(150)})
    shown = lines('-Q')
    assert shown[1].strip() == '1 set aside, such as \\x1b[2Jid: its record is no hash'
    assert re.fullmatch(r' {13}100 or more set aside, such as id-\d+: unknown status', shown[3])
    assert len(lines('-Q', '-r')) == 2


def test_words() -> None:
    assert [get_scale(n) for n in (0, 20, 21, 999, 1001)] == [20, 20, 50, 1000, 1001]
    assert pad('ab', 4) == 'ab  '
    assert 'red' not in state_symbol('busy')
    assert state_symbol('busy') == '\x1b[31mbusy\x1b[0m'
    assert state_symbol('?') == '?'


def test_refused(run: Run, redis_url: str) -> None:
    refused(run('info', '-u', redis_url, '-i', '-1'), "'--interval'")
    refused(run('info', '-u', redis_url, '-i', 'often'), "'--interval'")
    refused(run('info', '-u', redis_url, 'x:intermediate'), 'x:intermediate')


def test_not_a_number_is_no_interval(run: Run, redis_url: str) -> None:
    for odd in ('0', 'nan'):
        assert run('info', '-u', redis_url, '-i', odd).exit_code == 0


def test_interval_until_interrupted(start, redis_url: str) -> None:
    process = start('info', '-u', redis_url, '-Q', '-i', '0.01')
    assert {process.stdout.readline() for _ in range(5)} == {'0 queues, 0 jobs total\n'}
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=10)
    assert process.returncode == 0
    assert set(output.splitlines()) <= {'0 queues, 0 jobs total'}


def test_a_terminal_that_lacks_the_characters(
    shell: Shell, redis: Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('PYTHONIOENCODING', 'latin-1')
    redis.sadd('rq:queues', 'rq:queue:a')
    redis.rpush('rq:queue:a', 'id')
    done = shell('info', '-u', redis_url, '-R')
    assert (done.returncode, done.stderr) == (0, '')
    assert 'a            |? 1,' in done.stdout


def test_an_unknown_queue_is_told_on_stderr(run: Run, redis: Redis, redis_url: str) -> None:
    redis.sadd('rq:queues', 'rq:queue:known')
    worker(redis, 'w', 'awaited')
    result = run('info', '-u', redis_url, '-r', '-Q', 'known', 'awaited', 'mispelt', 'mispelt')
    assert result.exit_code == 0
    assert result.stderr == "No queue 'mispelt' is known here.\n"
    assert result.stdout.splitlines()[2] == 'queue mispelt 0, 0 executing, 0 finished, 0 failed'


# --- for programs ---------------------------------------------------------------------------------------------


@pytest.fixture
def document(run: Run, redis_url: str):
    """`document('-Q')` gives what `rq info --json -Q` prints, which is nothing but that."""

    def document(*words: str) -> dict[str, object]:
        result = run('info', '-u', redis_url, '--json', *words)
        assert (result.exit_code, result.stderr, result.stdout.count('\n')) == (0, '', 1), result.output
        return json.loads(result.stdout)

    return document


@pytest.mark.usefixtures('fleet')
def test_json(document, redis: Redis) -> None:
    redis.zadd('rq:scheduled:alpha', {'later': FAR})
    redis.hset('rq:aside:alpha', 'odd', 'its record is no hash')
    redis.hset('rq:worker:w2', mapping={'current_job': 'a', 'version': '3.0.0'})
    found = document()
    assert [each['name'] for each in found['queues']] == ['alpha', 'beta', 'with-a-long-name']
    assert found['queues'][0] == {
        'name': 'alpha', 'queued': 3, 'executing': 0, 'finished': 3, 'failed': 0,
        'deferred': 0, 'ready': 0, 'scheduled': 1, 'canceled': 0,
        'aside': {'odd': 'its record is no hash'}, 'missing': None,
    }  # fmt: skip
    assert found['workers'][1] == {
        'name': 'w2', 'state': 'busy', 'queues': ['other', 'beta'], 'hostname': 'host', 'ip_address': '1.2.3.4:5',
        'pid': 7, 'version': '3.0.0', 'birth': '2031-01-01T00:00:00.000000Z', 'last_heartbeat': None,
        'current_job': 'a', 'finished': 0, 'failed': 0,
    }  # fmt: skip
    assert found['suspended'] is False
    assert abs((utcparse(found['updated']) - now()).total_seconds()) < 60


@pytest.mark.usefixtures('fleet')
def test_json_parts(document, redis: Redis) -> None:
    assert set(document('-Q')) == set(document('-Q', '-W')) == {'queues', 'suspended', 'updated'}
    redis.set('rq:suspended', 1)
    workers = document('-W', '-R', 'beta', 'alpha')
    assert set(workers) == {'workers', 'by_queue', 'suspended', 'updated'}
    assert workers['by_queue'] == {'beta': ['w1', 'w2'], 'alpha': []}
    assert workers['suspended'] is True


def test_json_of_broken_records(document, redis: Redis) -> None:
    redis.sadd('rq:queues', 'rq:queue:text', b'rq:queue:\xff')
    redis.set('rq:queue:text', 'x')
    redis.set('rq:aside:text', 'x')
    worker(redis, 'odd', 'text', pid='seven', successful_job_count='many')
    found = document()
    assert [(each['name'], each['queued'], each['aside']) for each in found['queues']] == [
        ('\\xff', 0, {}),
        ('text', None, {}),
    ]
    assert [(each['pid'], each['finished'], each['failed']) for each in found['workers']] == [(None, None, 0)]


def test_json_refused(run: Run, redis_url: str) -> None:
    refused(run('info', '-u', redis_url, '--json', '-i', '1'), '--interval')


def test_the_failed_queue_of_old_is_shown_while_it_exists(lines, redis: Redis) -> None:
    redis.rpush('rq:queue:failed', 'old')
    redis.sadd('rq:queues', 'rq:queue:a')
    wanted = [f'queue {name} {n}, 0 executing, 0 finished, 0 failed' for name, n in (('a', 0), ('failed', 1))]
    assert lines('-r') == wanted
    redis.sadd('rq:queues', 'rq:queue:failed')
    assert lines('-r') == wanted
    redis.delete('rq:queue:failed')
    assert lines('-r') == wanted[:1]
    redis.zadd('rq:finished:failed', {'a': FAR})  # an ordinary queue that happens to have this name
    assert lines('-r') == [wanted[0], 'queue failed 0, 0 executing, 1 finished, 0 failed']
