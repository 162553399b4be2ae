"""Fixtures of the command line: a directory with tasks to work in, and `rq` in this process or in one of its own."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from redis import Redis

from rq import Queue
from rq.cli import main
from rq.cli.errors import ENDS_WITH_1

TASKS = '''"""Functions for jobs of these tests."""

import os
import sys
import time


def keep(*args, **kwargs):
    return [args, kwargs]


def fail():
    raise ValueError('broken on purpose')


def wait_for(path):
    while not os.path.exists(path):
        time.sleep(0.01)


def swallow(job, *exc_info):
    with open('handled', 'a') as file:
        file.write(f'swallow {job.id}\\n')
    return False


def note(job, *exc_info):
    with open('handled', 'a') as file:
        file.write(f'note {job.id}\\n')
'''

SHOP = '''"""A shop whose gateway is down."""

import os


def gateway(order):
    if not os.path.exists('mended'):
        raise TimeoutError(f'no answer for order {order}')
    return 'paid'


def charge(order):
    try:
        return gateway(order)
    except TimeoutError as error:
        error.add_note('the gateway is down')
        raise ConnectionError(f'order {order} is not paid') from error


def receipt(order):
    return {}[order]


def crash():
    os.kill(os.getpid(), 9)


def differently():
    from rq import get_current_job
    number = len(get_current_job().attempts)
    raise [ValueError, KeyError, OSError][number](f'attempt {number}')


def pack(order):
    return order


def hostile(size=64 * 1024):
    raise ValueError('\\x1b[2J\\x1b]0;owned\\x07\\r\\u202e' + 'x' * size)
'''


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty directory with `tasks.py`, and an environment without settings of ours."""
    for name in list(os.environ):
        if name.startswith(('RQ_', 'REDIS_')):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'tasks.py').write_text(TASKS)
    sys.path_importer_cache.pop('.', None)  # it remembers the directory of an earlier test
    path, loaded = list(sys.path), set(sys.modules)
    yield tmp_path
    sys.path[:] = path
    for name in set(sys.modules) - loaded:
        if (getattr(sys.modules[name], '__file__', None) or '').startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.fixture(autouse=True)
def logs() -> Iterator[None]:
    """The loggers as they were: a worker in this process would leave them writing to the stream of one test."""
    loggers = [logging.getLogger(name) for name in ('rq.worker', 'rq.job', 'rq.worker_pool')]
    before = [(list(each.handlers), each.level, each.propagate) for each in loggers]
    others = [each for each in logging.root.manager.loggerDict.values() if isinstance(each, logging.Logger)]
    heard = [each for each in others if not each.disabled]
    yield
    for each in heard:
        each.disabled = False  # a dictConfig disables whom it does not name
    for each, (handlers, level, propagate) in zip(loggers, before, strict=True):
        each.handlers[:] = handlers
        each.setLevel(level)
        each.propagate = propagate


Run = Callable[..., Result]
Shell = Callable[..., 'subprocess.CompletedProcess[str]']
Ask = Callable[..., Any]


@pytest.fixture
def run() -> Run:
    """`run('info', ...)` in this process; an exception that is not for the user is raised here."""

    def run(*words: str, env: dict[str, str] | None = None) -> Result:
        return CliRunner().invoke(main, words, env=env, catch_exceptions=False)

    return run


@pytest.fixture
def shell(workplace: Path) -> Shell:
    """`shell('info', ...)` in a process of its own."""

    def shell(*words: str, timeout: float = 60) -> 'subprocess.CompletedProcess[str]':
        command = [sys.executable, '-m', 'rq.cli', *words]
        return subprocess.run(command, cwd=workplace, capture_output=True, text=True, timeout=timeout)

    return shell


@pytest.fixture
def start(workplace: Path) -> Iterator[Callable[..., 'subprocess.Popen[str]']]:
    """`start('worker', ...)` in a process of its own, ended with the test."""
    started = []

    def start(*words: str) -> 'subprocess.Popen[str]':
        command = [sys.executable, '-u', '-m', 'rq.cli', *words]
        process = subprocess.Popen(command, cwd=workplace, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def refused(result: Result, *words: str) -> None:
    """A usage error: one line on stderr that holds these words, nothing on stdout, exit code 2, or 1 as in RQ 3.0."""
    code = 1 if words[0].strip("'") in ENDS_WITH_1 else 2
    assert (result.exit_code, result.stdout) == (code, ''), result.output
    _one_line(result.stderr, *words)


def failed(result: Result, *words: str) -> None:
    """Bad luck: one line on stderr that holds these words, exit code 1."""
    assert result.exit_code == 1, result.output
    _one_line(result.stderr, *words)


def _one_line(text: str, *words: str) -> None:
    assert text.startswith('Error: ')
    assert text.count('\n') == 1, text
    for word in words:
        assert word in text


# --- jobs that have failed ------------------------------------------------------------------------------------


@pytest.fixture
def work(workplace: Path, shell: Shell, redis_url: str) -> Callable[[], None]:
    """Let a burst worker run all that waits."""
    (workplace / 'shop.py').write_text(SHOP)

    def work() -> None:
        done = shell('worker', '-u', redis_url, '--burst', '--quiet', 'payments', 'mail')
        assert done.returncode == 0, done.stderr

    return work


@pytest.fixture
def shop(redis: Redis, work: Callable[[], None]) -> None:
    """Three payments and a receipt have failed."""
    for order in (1, 2, 3):
        Queue('payments', connection=redis).enqueue('shop.charge', order, job_id=f'pay-{order}')
    Queue('mail', connection=redis).enqueue('shop.receipt', 1, job_id='mail-1')
    work()


@pytest.fixture
def told(run: Run, redis_url: str) -> Callable[..., list[str]]:
    """`told('failures')` gives the lines that `rq failures` prints."""

    def told(*words: str, code: int = 0, columns: int = 80) -> list[str]:
        result = run(*words, '-u', redis_url, env={'COLUMNS': str(columns)})
        assert result.exit_code == code, result.output
        assert all(len(line) <= columns for line in result.stdout.splitlines())
        return result.stdout.splitlines()

    return told


@pytest.fixture
def ask(run: Run, redis_url: str) -> Ask:
    """`ask('failures')` gives the document of `rq failures --json`."""

    def ask(*words: str, code: int = 0) -> Any:
        result = run(*words, '-u', redis_url, '--json')
        assert result.exit_code == code, result.output
        return json.loads(result.stdout)

    return ask


def group_of(ask: Ask, function: str = 'charge') -> str:
    (group,) = ask('failures', '--all', '--function', function)['groups']
    return str(group['id'])
