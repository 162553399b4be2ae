"""`rq worker-pool`: its options reach real workers. How the pool keeps them: tests/worker/test_worker_pool.py."""

import signal
from pathlib import Path

import pytest
from redis import Redis

from rq import Queue
from tests.cli.conftest import Run, Shell, refused
from tests.waiting import wait_until


def test_burst(shell: Shell, redis: Redis, redis_url: str) -> None:
    jobs = [Queue(name, connection=redis).enqueue('tasks.keep', name) for name in ('a', 'b', 'a')]
    done = shell('worker-pool', '-u', redis_url, '-b', '-n', '2', 'a', 'b', '--log-format', 'OWN %(message)s')
    assert (done.returncode, done.stdout.count('*** Listening on a, b...')) == (0, 2), done.stdout + done.stderr
    assert all(line.startswith('OWN ') for line in done.stdout.splitlines())
    assert [job.get_status().value for job in jobs] == ['finished'] * 3
    assert not redis.exists('rq:workers')


def test_classes_serializer_and_handlers(shell: Shell, redis: Redis, redis_url: str, workplace: Path) -> None:
    (workplace / 'own.py').write_text('import rq\n\n\nclass Inline(rq.SimpleWorker):\n    """Ours."""\n')
    queue = Queue('default', connection=redis, serializer='json')
    job, bad = queue.enqueue('os.getpid'), queue.enqueue('tasks.fail')
    words = ['-S', 'json', '-w', 'own.Inline', '--exception-handler', 'tasks.note', '--exception-handler', 'tasks.note']
    done = shell('worker-pool', '-u', redis_url, '-b', *words)
    assert f'PID {job.return_value()}' in done.stdout, done.stdout + done.stderr
    assert (workplace / 'handled').read_text().splitlines() == [f'note {bad.id}'] * 2


def test_settings_module(shell: Shell, redis: Redis, redis_url: str, workplace: Path) -> None:
    (workplace / 'settings.py').write_text(
        f"REDIS_URL = {redis_url!r}\nQUEUES = ['high', 'low']\nDICT_CONFIG = {{'version': 1, "
        "'disable_existing_loggers': False, 'root': {'handlers': ['own']}, "
        "'handlers': {'own': {'class': 'logging.StreamHandler'}}}\n"
    )
    done = shell('worker-pool', '-b', '-c', 'settings')
    assert (done.returncode, done.stdout) == (0, '')
    assert '*** Listening on high, low...' in done.stderr


def test_how_much_is_said(shell: Shell, redis_url: str) -> None:
    burst = ('worker-pool', '-u', redis_url, '-b')
    quiet = shell(*burst, '-q')
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, '', '')
    assert shell(*burst, '-l', 'warning').stdout == ''
    assert '*** Listening on default...' in shell(*burst, '-v').stdout


def test_a_signal_ends_it_with_code_0(start, redis: Redis, redis_url: str) -> None:
    redis.set('rq:suspended', 1)  # which is not looked at
    process = start('worker-pool', '-u', redis_url, '-n', '2')
    wait_until(lambda: redis.scard('rq:workers') == 2, 15, 'two workers are in the books')
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 0, output
    assert not redis.exists('rq:workers')


@pytest.mark.parametrize(
    'words, named',
    [
        (['-l', 'loud'], "'--logging-level'"),
        (['-n', 'many'], "'--num-workers'"),
        (['-n', '-1'], "'--num-workers'"),
        (['-n', '0'], "'--num-workers'"),  # it would seem to serve the queues
        (['--exception-handler', 'nosuch.handler'], "'--exception-handler'"),
        (['x:intermediate'], 'x:intermediate'),
        (['-w', 'rq.Queue'], "'--worker-class'"),
    ],
)
def test_refused(run: Run, redis: Redis, redis_url: str, words: list[str], named: str) -> None:
    refused(run('worker-pool', '-u', redis_url, '-b', *words), named)
    assert redis.keys('*') == []
