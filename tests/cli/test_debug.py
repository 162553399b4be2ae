"""`rq debug`: the job runs again here, under pdb, and Redis is afterwards as it was before."""

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from rq import Callback, Queue
from rq.job import Job
from tests.cli.conftest import Run, Shell, failed, refused
from tests.invariants import check
from tests.launch import burst

SHOP = '''"""Jobs of these tests."""

import json
import time

from rq import get_current_job


def charge(order, amount=0):
    job = get_current_job()
    job.meta['seen'] = order
    job.save_meta()
    rest = 100 - amount
    return settle(rest)


def settle(rest):
    return 1 / rest


def parse(text):
    wanted = 'a document'
    return json.loads(text)


def meddle():
    """All that a job can do to itself."""
    job = get_current_job()
    job.meta['x'] = 1
    job.save_meta()
    job.description = 'changed'
    job.save()
    assert type(job).fetch(job.id, job.connection).meta == {'x': 1}
    assert job.get_meta() == {'x': 1} and job.copy_of == 'mine' and job.id != 'mine'
    job.heartbeat(job.started_at, 60)
    job.set_status('queued')
    job.cancel()
    raise KeyError('meddled')


def deletes_itself():
    get_current_job().delete()
    raise KeyError('gone')


def fails_once():
    if get_current_job().connection.incr('test:runs') == 1:
        raise KeyError('once')
    return ['well']


async def waits():
    raise LookupError('in a coroutine')


def hangs():
    time.sleep(30)


def logs_in(user, password):
    raise ConnectionError('the line is busy')


def told(job, *rest):
    job.connection.rpush('test:told', 'told')
'''


@pytest.fixture
def shop(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module with jobs, here and for processes."""
    (workplace / 'shop.py').write_text(SHOP)
    monkeypatch.syspath_prepend(str(workplace))
    return workplace


def dump(redis: Redis) -> dict[bytes, Any]:
    """Every key with its value and TTL (in seconds; a running clock is no change), but for signs of life."""
    return {key: (redis.dump(key), redis.ttl(key) > 0) for key in sorted(redis.keys('*')) if key != b'rq:heard'}


def fail(redis: Redis, queue: Queue, function: str, *args: Any, **words: Any) -> Job:
    """A job that has failed."""
    callback = Callback('shop.told')
    job = queue.enqueue(function, *args, on_failure=callback, on_success=callback, on_final_failure=callback, **words)
    burst(redis, queue)
    assert job.is_failed
    redis.delete('test:told')
    return job


class Terminal:
    """`rq debug` on a terminal of its own."""

    def __init__(self, directory: Path, *words: str) -> None:
        self.end, theirs = pty.openpty()
        environment = {**os.environ, 'TERM': 'dumb', 'COLUMNS': '120'}
        self.process = subprocess.Popen(
            [sys.executable, '-m', 'rq.cli', 'debug', *words],
            cwd=directory, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True,
        )  # fmt: skip
        os.close(theirs)
        self.text = ''

    def until(self, words: str, seconds: float = 30) -> str:
        """What it writes up to these words; they and all before are read."""
        end = time.monotonic() + seconds
        while words not in self.text:
            left = end - time.monotonic()
            assert left > 0 and select.select([self.end], [], [], left)[0], f'no {words!r} in {self.text!r}'
            try:
                found = os.read(self.end, 4096)
            except OSError:
                found = b''
            assert found, f'it ended without {words!r}: {self.text!r}'
            self.text += found.decode()
        before, self.text = self.text.split(words, 1)
        return before.replace('\r\n', '\n')

    def say(self, line: str) -> None:
        """Type a line."""
        os.write(self.end, f'{line}\n'.encode())

    def ask(self, line: str) -> str:
        """What the debugger answers to a line."""
        self.say(line)
        return self.until('(rq debug) ').replace(line, '', 1).strip()

    def wait(self) -> int:
        """Its exit code."""
        with suppress(OSError):
            while os.read(self.end, 4096):
                continue
        return self.process.wait(30)

    def close(self) -> None:
        """No process survives the test."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.end)


@pytest.fixture
def terminal(shop: Path) -> Iterator[Any]:
    """`terminal('ID', ...)` starts `rq debug ID ...` on a terminal."""
    opened: list[Terminal] = []

    def start(*words: str) -> Terminal:
        opened.append(Terminal(shop, *words))
        return opened[-1]

    yield start
    for one in opened:
        one.close()


def test_the_debugger_stands_where_it_failed(
    terminal: Any, shop: Path, redis: Redis, redis_url: str, queue: Queue
) -> None:
    job = fail(redis, queue, 'shop.charge', 7, amount=100)
    before = dump(redis)
    session = terminal(job.id, '-u', redis_url)
    told = session.until('Go on? [y/N]: ')
    assert 'shop.charge(7, amount=100)' in told and 'failed, of queue default' in told and 'unpickled' in told
    session.say('y')
    told = session.until('(rq debug) ')
    assert 'ZeroDivisionError: division by zero' in told and 'return 1 / rest' in told
    assert session.ask('p rest') == '0'
    assert 'settle(rest)' in session.ask('u')
    assert session.ask('p order, amount, job.meta') == "(7, 100, {'seen': 7})"
    assert len([key for key in dump(redis) if key not in before]) == 1  # its own, while it lasts
    session.say('q')
    assert session.wait() == 1
    assert dump(redis) == before and check(redis) == []


def test_a_failure_within_a_library(terminal: Any, redis: Redis, redis_url: str, queue: Queue) -> None:
    job = fail(redis, queue, 'shop.parse', 'no json')
    before = dump(redis)
    session = terminal(job.id, '-u', redis_url, '--yes')
    session.until('(rq debug) ')
    assert session.ask('p wanted') == "'a document'"
    assert 'decoder.py' in session.ask('d') or 'json' in session.ask('w')
    session.say('q')
    assert session.wait() == 1 and dump(redis) == before


def test_from_the_first_line(terminal: Any, redis: Redis, redis_url: str, queue: Queue) -> None:
    job = fail(redis, queue, 'shop.charge', 7, amount=100)
    before = dump(redis)
    session = terminal(job.id, '-u', redis_url, '--yes', '--break')
    assert 'job = get_current_job()' in session.until('(rq debug) ')
    assert session.ask('p order, amount') == '(7, 100)'
    session.ask('n')
    session.ask('amount = 50')
    session.say('c')
    assert 'It did not fail this time. It returned 0.02' in session.until('\n') + session.until('\n') + session.text
    assert session.wait() == 0 and dump(redis) == before
    session = terminal(job.id, '-u', redis_url, '--yes', '--break')
    session.until('(rq debug) ')
    session.say('c')  # and it fails
    session.until('(rq debug) ')
    assert session.ask('p rest') == '0'
    session.say('q')
    assert session.wait() == 1
    session = terminal(job.id, '-u', redis_url, '--yes', '--break')
    session.until('(rq debug) ')
    session.say('q')  # at once
    assert session.wait() == 0 and dump(redis) == before


def test_a_coroutine(terminal: Any, redis: Redis, redis_url: str, queue: Queue) -> None:
    job = fail(redis, queue, 'shop.waits')
    session = terminal(job.id, '-u', redis_url, '--yes', '--break')
    assert "raise LookupError('in a coroutine')" in session.until('(rq debug) ')
    session.say('c')
    assert "raise LookupError('in a coroutine')" in session.until('(rq debug) ')
    session.say('q')
    assert session.wait() == 1


@pytest.mark.parametrize('function', ['meddle', 'deletes_itself'])
def test_what_a_job_does_to_itself_it_does_to_the_copy(
    shell: Shell, shop: Path, redis: Redis, redis_url: str, queue: Queue, function: str
) -> None:
    job = queue.enqueue(f'shop.{function}', job_id='mine')
    redis.lrem('rq:queue:default', 0, 'mine')
    redis.hset(job.key, 'status', 'failed')
    redis.zadd('rq:failed:default', {'mine': 9e12})
    before = dump(redis)
    done = shell('debug', 'mine', '-u', redis_url, '--yes', '--no-debugger')
    assert done.returncode == 1 and 'KeyError' in done.stdout, done.stdout + done.stderr
    assert dump(redis) == before


def test_without_a_debugger(shell: Shell, shop: Path, redis: Redis, redis_url: str, queue: Queue) -> None:
    job = fail(redis, queue, 'shop.charge', 7, amount=100)
    before = dump(redis)
    done = shell('debug', job.id, '-u', redis_url, '--yes', '--no-debugger')
    assert done.returncode == 1 and done.stderr == ''
    assert 'ZeroDivisionError: division by zero' in done.stdout and '(rq debug)' not in done.stdout
    assert dump(redis) == before and redis.llen('test:told') == 0


def test_a_wrong_limit_of_time(run: Run, redis_url: str) -> None:
    refused(run('debug', 'any', '-u', redis_url, '--timeout', 'soon'), '--timeout')


def test_a_secret_argument_is_not_shown(shell: Shell, shop: Path, redis_url: str, queue: Queue) -> None:
    job = queue.enqueue('shop.logs_in', 'bob', 'hunter2!')
    done = shell('debug', job.id, '-u', redis_url, '--yes', '--no-debugger')
    assert "Calling shop.logs_in('bob', [hidden]) as job" in done.stdout


def test_one_that_does_well(shell: Shell, shop: Path, redis: Redis, redis_url: str, queue: Queue) -> None:
    job = fail(redis, queue, 'shop.fails_once')
    done = shell('debug', job.id, '-u', redis_url, '--yes')
    assert done.returncode == 0 and "It did not fail this time. It returned ['well']" in done.stdout
    assert job.is_failed and redis.llen('test:told') == 0


def test_a_limit_of_time(shell: Shell, shop: Path, redis: Redis, redis_url: str, queue: Queue) -> None:
    job = queue.enqueue('shop.hangs', job_timeout=1)
    done = shell('debug', job.id, '-u', redis_url, '--yes', '--no-debugger', '--timeout', '1')
    assert done.returncode == 1 and 'JobTimeoutException' in done.stdout


def test_it_asks_on_a_terminal_only(run: Run, shop: Path, redis: Redis, redis_url: str, queue: Queue) -> None:
    job = fail(redis, queue, 'shop.parse', 'no json')
    result = run('debug', job.id, '-u', redis_url)
    assert result.exit_code == 2 and '--yes' in result.stderr
    refused(run('debug', job.id, '-u', redis_url, '--break', '--no-debugger'), '--break', '--no-debugger')
    failed(run('debug', 'nobody', '-u', redis_url), "no job is called 'nobody'")


def test_no_at_the_question(terminal: Any, redis: Redis, redis_url: str, queue: Queue) -> None:
    job = fail(redis, queue, 'shop.charge', 7, amount=100)
    before = dump(redis)
    session = terminal(job.id, '-u', redis_url)
    session.until('Go on? [y/N]: ')
    session.say('n')
    assert session.wait() == 1 and dump(redis) == before


@pytest.mark.parametrize('what', ['payload', 'function'])
def test_what_cannot_be_called(shell: Shell, shop: Path, redis: Redis, redis_url: str, queue: Queue, what: str) -> None:
    job = queue.enqueue('shop.nowhere' if what == 'function' else 'shop.parse')
    if what == 'payload':
        redis.hset(job.key, 'data', b'junk')
    before = dump(redis)
    done = shell('debug', job.id, '-u', redis_url, '--yes')
    assert done.returncode == 1 and 'was not called' in done.stdout and 'None of its frames' in done.stdout
    assert dump(redis) == before


def test_a_record_that_cannot_be_read(shell: Shell, redis: Redis, redis_url: str, queue: Queue) -> None:
    job = queue.enqueue('shop.parse')
    redis.hset(job.key, 'timeout', 'soon')
    done = shell('debug', job.id, '-u', redis_url, '--yes')
    assert done.returncode == 1 and 'timeout' in done.stderr and 'Traceback' not in done.stderr
