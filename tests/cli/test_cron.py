"""`rq cron`: a config and a logging level reach a real scheduler."""

import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from redis import Redis

import rq.cli
from rq import Queue
from rq.cli import main
from rq.cron import CronScheduler
from tests.cli.conftest import Run, Shell, refused
from tests.waiting import wait_until

CONFIG = """
import tasks
from rq import cron
cron.register(tasks.keep, 'q', interval=60, args=(1,), name='mine')
cron.register(tasks.fail, 'q')
"""


@pytest.fixture(autouse=True)
def config(workplace: Path) -> None:
    (workplace / 'my_cron.py').write_text(CONFIG)


@pytest.mark.parametrize(
    'words', [('my_cron.py',), ('my_cron', '-l', 'debug'), ('{place}/my_cron.py', '--logging-level', 'WARNING')]
)
def test_it_runs(
    start: Callable[..., 'object'], redis: Redis, redis_url: str, workplace: Path, words: tuple[str, ...]
) -> None:
    process = start('cron', *(word.format(place=workplace) for word in words), '-u', redis_url)
    queue = Queue('q', connection=redis)
    wait_until(lambda: queue.count, what='it enqueues')
    wait_until(lambda: CronScheduler.all(redis), what='it is in the books')
    assert queue.jobs[0].args == (1,)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 0, output
    assert 'tasks.fail' in output  # could not be registered, and kept out nobody
    assert ('Enqueued job' in output) == ('WARNING' not in words)
    assert ('heartbeat sent' in output) == ('debug' in words)


def test_usage(run: Run, redis_url: str) -> None:
    refused(run('cron'), 'CONFIG_PATH')
    refused(run('cron', 'my_cron.py', '-l', 'loud', '-u', redis_url), '--logging-level', 'loud')


def test_a_config_that_cannot_be_loaded(shell: Shell, redis_url: str, workplace: Path) -> None:
    (workplace / 'bad_cron.py').write_text('1 / 0')
    for path, words in (
        ('no_such_cron', 'No module named'),
        ('bad_cron.py', 'ZeroDivisionError'),
        ('/no.py', '/no.py'),
    ):
        done = shell('cron', path, '-u', redis_url)
        assert (done.returncode, done.stdout.count('Enqueued')) == (1, 0)
        assert words in done.stderr


def test_errors_reach_who_calls_the_command(redis_url: str) -> None:
    result = CliRunner().invoke(main, ['cron', '/no/such/file.py', '-u', redis_url])
    assert (result.exit_code, type(result.exception)) == (1, FileNotFoundError)
    assert rq.cli.cron is main.commands['cron']


def test_dict_config(start: Callable[..., 'object'], redis: Redis, redis_url: str, workplace: Path) -> None:
    (workplace / 'my_settings.py').write_text(
        f'REDIS_URL = {redis_url!r}\n'
        "DICT_CONFIG = {'version': 1, 'disable_existing_loggers': False,\n"
        "    'handlers': {'file': {'class': 'logging.FileHandler', 'filename': 'cron.log'}},\n"
        "    'loggers': {'rq.cron': {'handlers': ['file'], 'level': 'INFO'}}}\n"
    )
    process = start('cron', 'my_cron.py', '-c', 'my_settings')
    wait_until(lambda: Queue('q', connection=redis).count, what='it enqueues')
    wait_until(lambda: 'Enqueued job tasks.keep' in (workplace / 'cron.log').read_text(), what='it logs')
    process.terminate()
    assert process.wait(20) == 0
