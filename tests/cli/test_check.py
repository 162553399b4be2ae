"""`rq info --check`: all is well, or why not. And the options of workers that answer probes."""

import json
import socket
import time
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from rq.rules.timing import from_epoch, utcformat
from tests.cli.conftest import Run, Shell, refused


@pytest.fixture
def now(redis: Redis) -> float:
    """The server's."""
    seconds, micros = redis.time()
    return int(seconds) + int(micros) / 1e6


@pytest.fixture
def check(run: Run, redis_url: str) -> Any:
    """`check('q')` gives exit code and document; the lines without --json say the same."""

    def check(*words: str) -> tuple[int, dict[str, Any]]:
        plain = run('info', '-u', redis_url, '--check', *words)
        result = run('info', '-u', redis_url, '--check', '--json', *words)
        told: dict[str, Any] = json.loads(result.stdout)
        assert plain.exit_code == result.exit_code == (0 if told['healthy'] else 1), plain.output
        lines = [f'NOT OK: {reason}' for reason in told['reasons']]
        assert plain.stdout.splitlines() == lines if lines else plain.stdout.startswith('OK: ')
        assert plain.stderr.splitlines() == [f'warning: {one}' for one in told['warnings']]
        return result.exit_code, told

    return check


def worker(redis: Redis, name: str, *queues: str, beat: float | None = None, **fields: str) -> None:
    """In the books, of ours if it has an instance."""
    words = {'birth': '2031-01-01T00:00:00.000000Z', 'queues': ','.join(queues), 'state': 'idle', **fields}
    if beat is not None:
        words['last_heartbeat'] = utcformat(from_epoch(beat))
    redis.hset(f'rq:worker:{name}', mapping=words)
    for key in ('rq:workers', *(f'rq:workers:{queue}' for queue in queues)):
        redis.sadd(key, f'rq:worker:{name}')


def test_empty_database(check: Any) -> None:
    code, told = check()
    assert code == 0 and (told['queues'], told['workers'], told['warnings']) == (0, 0, [])


def test_queue_that_is_served(redis: Redis, check: Any, now: float) -> None:
    worker(redis, 'w', 'q', beat=now - 10, instance='i')
    redis.sadd('rq:queues', 'rq:queue:q')
    redis.rpush('rq:queue:q', 'a')
    for words in ((), ('q',)):
        code, told = check(*words)
        assert code == 0 and (told['queues'], told['workers']) == (1, 1)


@pytest.mark.parametrize(
    'words, why',
    [
        ({}, "queue 'q': no worker serves it, 1 jobs wait"),
        ({'beat': -16, 'instance': 'i'}, "'w' was last heard of 16 s ago"),
        ({'instance': 'i'}, "'w' has no readable beat"),
        ({'beat': 0, 'instance': 'i', 'death': 'x'}, "'w' has left"),
        ({'beat': 0, 'instance': 'i', 'shutdown_requested_date': 'x'}, "'w' is leaving"),
        ({'beat': 0, 'instance': 'i', 'birth': ''}, "'w' is not in the books"),
    ],
)
def test_queue_that_nobody_serves(redis: Redis, check: Any, now: float, words: dict[str, Any], why: str) -> None:
    redis.sadd('rq:queues', 'rq:queue:q', 'rq:queue:idle')
    redis.rpush('rq:queue:q', 'a')
    if words:
        worker(redis, 'w', 'q', **words | ({'beat': now + words['beat']} if 'beat' in words else {}))
    code, told = check()
    assert code == 1 and len(told['reasons']) == 1 and why in told['reasons'][0], told
    assert check('q')[1]['reasons'] == told['reasons']
    assert check('idle')[1]['reasons'] == ["queue 'idle': no worker serves it, no job waits"]


def test_one_worker_that_lives_is_enough(redis: Redis, check: Any, now: float) -> None:
    redis.sadd('rq:queues', 'rq:queue:q')
    redis.rpush('rq:queue:q', 'a')
    worker(redis, 'dead', 'q', beat=now - 100, instance='i')
    assert check()[0] == 1
    worker(redis, 'rq-3', 'q', beat=now - 300)  # RQ 3.0 beats rarely
    assert check()[0] == 0


def test_lease_that_nobody_takes_over(redis: Redis, check: Any, now: float, monkeypatch: pytest.MonkeyPatch) -> None:
    redis.sadd('rq:queues', 'rq:queue:q')
    late = int((now - 60) * 1000)
    redis.zadd('rq:leases:q', {'swept:1': late, 'farewell:1': 0, 'a:1': late})
    redis.zadd('rq:wip:q', {'farewell:1': now + 90, 'other:1': now - 300})
    assert check()[0] == 0  # it was settled, and only its lease row is left
    redis.zadd('rq:wip:q', {'a:1': now + 30})
    for uptime, code in ((10, 0), (70, 0), (80, 1), (1000, 1), (None, 1)):
        # after its start a server gives living workers the time to renew
        monkeypatch.setattr('rq.cli.check._uptime', lambda connection, uptime=uptime: uptime)
        found, told = check()
        assert found == code, told
    assert "the lease of job 'a' ran out 6" in told['reasons'][0]
    redis.zadd('rq:leases:q', {'a:1': int((now - 10) * 1000)})
    assert check()[0] == 0


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Due jobs get hours, so that it does not matter how long a test takes."""
    monkeypatch.setattr('rq.cli.check.DUE_SECONDS', 3600)
    monkeypatch.setattr('rq.cli.check.FOREIGN_SECONDS', 36000)


@pytest.mark.usefixtures('patient')
def test_job_that_is_overdue(redis: Redis, check: Any, now: float) -> None:
    redis.sadd('rq:queues', 'rq:queue:q')
    redis.zadd('rq:scheduled:q', {'soon': int(now) - 1800})
    assert check()[0] == 0
    redis.zadd('rq:scheduled:q', {'late': int(now) - 7200})
    code, told = check()
    assert code == 1 and "job 'late' is 72" in told['reasons'][0]
    redis.set('rq:scheduler-lock:q', 'of RQ 3.0', ex=3600)
    assert check()[0] == 0  # that scheduler's business
    redis.set('rq:scheduler-mark:of RQ 3.0', 1)
    assert check()[0] == 1  # it is one of ours
    assert check('another')[1]['reasons'] == ["queue 'another': no worker serves it, no job waits"]


@pytest.mark.usefixtures('patient')
@pytest.mark.parametrize('overdue, lock_ttl, code', [(7200, 3600, 0), (7200, 50, 1), (7200, None, 1), (72000, 3600, 1)])
def test_job_that_is_overdue_with_another_scheduler(
    redis: Redis, check: Any, now: float, overdue: int, lock_ttl: int | None, code: int
) -> None:
    """One that does not renew its lock, or has not queued it for long, does not excuse it; nor does a lock for ever."""
    redis.sadd('rq:queues', 'rq:queue:q')
    redis.zadd('rq:scheduled:q', {'late': int(now) - overdue})
    redis.set('rq:scheduler-lock:q', 'of RQ 3.0', ex=lock_ttl)
    assert check()[0] == code


@pytest.mark.usefixtures('patient')
def test_job_that_is_overdue_behind_a_lock_of_another_type(redis: Redis, check: Any, now: float) -> None:
    redis.sadd('rq:queues', 'rq:queue:q')
    redis.zadd('rq:scheduled:q', {'late': int(now) - 7200})
    redis.rpush('rq:scheduler-lock:q', 'x')
    assert check()[0] == 1


def test_worth_a_word(redis: Redis, check: Any) -> None:
    redis.sadd('rq:queues', 'rq:queue:q')
    redis.hset('rq:aside:q', 'a', 'no hash')
    redis.set('rq:suspended', 1)
    code, told = check()
    assert code == 0 and len(told['warnings']) == 2
    assert 'rq resume' in ' '.join(told['warnings']) and "queue 'q': 1 set aside" in told['warnings'][0]


def test_keys_of_the_wrong_type(redis: Redis, check: Any) -> None:
    redis.sadd('rq:queues', 'rq:queue:q', 'rq:queue:r', 'junk')
    redis.set('rq:queue:q', 'x')
    for key in ('rq:leases:r', 'rq:scheduled:r', 'rq:aside:r', 'rq:workers:r'):
        redis.set(key, 'x')
    redis.rpush('rq:scheduler-lock:r', 'x')
    code, told = check()
    assert code == 1 and any("'q'" in reason for reason in told['reasons'])
    assert any("'r': its registries cannot be read" in reason for reason in told['reasons'])


def test_one_worker(redis: Redis, check: Any, now: float) -> None:
    assert check('--worker', 'w')[1]['reasons'] == ["worker 'w' is not in the books"]
    worker(redis, 'w', beat=now - 5, instance='i')
    assert check('--worker', 'w')[0] == 0
    worker(redis, 'w', beat=now - 20, instance='i')
    assert "worker 'w' was last heard of 2" in check('--worker', 'w')[1]['reasons'][0]


def test_no_server(run: Run) -> None:
    result = run('info', '-u', 'redis://:sesame@localhost:1', '--check')
    assert (result.exit_code, result.stderr) == (1, '')
    assert result.stdout.startswith('NOT OK: no server answers at redis://localhost:1/0')
    assert 'sesame' not in result.stdout
    told = json.loads(run('info', '-u', 'redis://:sesame@localhost:1', '--check', '--json').stdout)
    assert told['healthy'] is False and len(told['reasons']) == 1


def test_it_only_reads(redis: Redis, check: Any, now: float) -> None:
    redis.sadd('rq:queues', 'rq:queue:q')
    redis.rpush('rq:queue:q', 'a')
    redis.hset('rq:job:a', mapping={'data': b'\x80not a pickle', 'status': 'queued'})
    worker(redis, 'dead', 'q', beat=now - 1000, instance='i')
    before = {key: redis.dump(key) for key in redis.scan_iter()}
    with redis.monitor() as monitor:
        check()
        redis.ping()
        said = []
        for each in monitor.listen():
            if each['command'] == 'PING':
                break
            said.append(each['command'].split()[0].upper())
    assert {key: redis.dump(key) for key in redis.scan_iter()} == before
    assert said and not {'EVAL', 'EVALSHA', 'SET', 'DEL', 'SREM', 'ZREM'} & set(said)


# --- a file -------------------------------------------------------------------------------------------------------


def health_file(path: Path, **words: Any) -> str:
    """As a worker writes it."""
    told = {'pid': 7, 'worker': 'w', 'at': time.time(), 'healthy_until': time.time() + 15, 'ready': True, **words}
    path.write_text(json.dumps(told))
    return str(path)


@pytest.mark.parametrize(
    'words, healthy',
    [
        ({}, True),
        ({'at': -14, 'healthy_until': 60}, True),
        ({'at': -16, 'healthy_until': -1}, False),
        ({'at': 60, 'healthy_until': 75}, False),
        ({'ready': False}, True),
    ],
)
def test_file(run: Run, tmp_path: Path, words: dict[str, Any], healthy: bool) -> None:
    moments = {name: time.time() + value for name, value in words.items() if name != 'ready'}
    path = health_file(tmp_path / 'h', **words | moments)
    result = run('info', '-u', 'redis://nowhere:1', '--check', '--health-file', path)
    assert result.exit_code == (0 if healthy else 1), result.output
    assert "worker 'w'" in result.stdout
    told = json.loads(run('info', '--check', '--json', '--health-file', path).stdout)
    assert told['healthy'] is healthy and told['ready'] is words.get('ready', True)


@pytest.mark.parametrize('text', [None, '', '{}', '[]', 'null', '{"at": "x"}', '\x00\xff'])
def test_file_that_says_nothing(run: Run, tmp_path: Path, text: str | None) -> None:
    path = tmp_path / 'h'
    if text is not None:
        path.write_bytes(text.encode('latin-1'))
    result = run('info', '--check', '--health-file', str(path))
    assert result.exit_code == 1 and result.stdout.startswith('NOT OK: ') and result.stdout.count('\n') == 1
    assert run('info', '--check', '--health-file', str(tmp_path)).exit_code == 1


@pytest.mark.parametrize(
    'words',
    [
        ('--worker', 'w'),
        ('--health-file', 'f'),
        ('--check', '--raw'),
        ('--check', '-i', '1'),
        ('--check', '-R', 'q'),
        ('--check', '--worker', 'w', 'q'),
        ('--check', '--worker', 'w', '--health-file', 'f'),
        ('--check', '--health-file', 'f', 'q'),
    ],
)
def test_words_that_do_not_go_together(run: Run, words: tuple[str, ...]) -> None:
    refused(run('info', *words), '--')


# --- rq worker and rq worker-pool ---------------------------------------------------------------------------------


@pytest.mark.parametrize('command', ['worker', 'worker-pool'])
def test_port_and_file_that_cannot_be_used(
    run: Run, shell: Shell, redis_url: str, tmp_path: Path, command: str
) -> None:
    with socket.create_server(('127.0.0.1', 0)) as taken:
        port = str(taken.getsockname()[1])
        done = shell(command, '-u', redis_url, '-b', '--health-port', port)
        assert done.returncode == 1
        assert done.stderr.splitlines()[-1].startswith(f'Error: the health port {port}'), done.stderr
    done = shell(command, '-u', redis_url, '-b', '--health-file', str(tmp_path / 'no' / 'file'))
    assert done.returncode == 1 and '--health-file' in done.stderr and 'Traceback' not in done.stderr
    refused(run(command, '--health-port', '70000'), '--health-port')
    refused(run(command, '-u', redis_url, '-b', '--health-host', '0.0.0.0'), '--health-host')


@pytest.mark.parametrize('command', ['worker', 'worker-pool'])
def test_burst_with_all_of_them(shell: Shell, redis_url: str, tmp_path: Path, command: str) -> None:
    words = ('--health-port', '0', '--health-host', '0.0.0.0', '--health-file', str(tmp_path / 'h'))
    done = shell(command, '-u', redis_url, '-b', *words)
    assert done.returncode == 0, done.stderr
    assert 'answering probes at http://0.0.0.0:' in done.stdout
    assert not (tmp_path / 'h').exists()
