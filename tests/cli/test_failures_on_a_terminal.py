"""`rq failures` on a terminal: colours, questions and bars."""

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path

import pytest
from redis import Redis

from rq import Queue
from rq.job import Job

Talk = Callable[..., tuple[int, str]]


@pytest.fixture
def talk(workplace: Path) -> Talk:
    """`talk('failures', ..., answer='y')` on a terminal of eighty columns: exit code, and all that it showed."""

    def talk(*words: str, answer: str = '', env: dict[str, str] | None = None) -> tuple[int, str]:
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack('HHHH', 24, 80, 0, 0))
        process = subprocess.Popen(
            [sys.executable, '-m', 'rq.cli', *words], cwd=workplace, stdin=theirs, stdout=theirs, stderr=theirs,
            env={**os.environ, 'TERM': 'xterm', 'PYTHONIOENCODING': 'utf-8', **(env or {})},
        )  # fmt: skip
        os.close(theirs)
        if answer:
            os.write(ours, f'{answer}\n'.encode())
        shown = b''
        try:
            while select.select([ours], [], [], 30)[0]:
                piece = os.read(ours, 65536)
                if not piece:
                    break
                shown += piece
        except OSError:  # nobody holds the other end any more
            pass
        finally:
            os.close(ours)
        return process.wait(30), shown.decode()

    return talk


@pytest.fixture
def failures(redis: Redis, shell, redis_url: str) -> list[str]:
    """Ids of three failed jobs."""
    jobs = [Queue(connection=redis).enqueue('tasks.fail', job_id=f'job-{number}') for number in range(3)]
    assert shell('worker', '-u', redis_url, '--burst', '--quiet').returncode == 0
    return [job.id for job in jobs]


def statuses(redis: Redis, ids: list[str]) -> list[str]:
    return [Job.fetch(job_id, redis).get_status().value for job_id in ids]


@pytest.mark.usefixtures('failures')
def test_colours(talk: Talk, redis_url: str) -> None:
    code, shown = talk('failures', '-u', redis_url)
    assert code == 0
    assert '\x1b[1m● ' in shown
    code, shown = talk('failures', '-u', redis_url, env={'NO_COLOR': '1'})
    assert (code, '\x1b' in shown) == (0, False)
    lines = shown.split('\r\n')
    assert lines[0].startswith('● ')
    assert all(len(line) <= 80 for line in lines)


@pytest.mark.parametrize('answer', ['y', 'n'])
@pytest.mark.parametrize('verb, status', [('retry', 'queued'), ('cancel', 'canceled')])
def test_it_asks(
    talk: Talk, redis: Redis, redis_url: str, failures: list[str], answer: str, verb: str, status: str
) -> None:
    code, shown = talk('failures', verb, '-u', redis_url, '--queue', 'default', answer=answer)
    assert code == 0
    assert '3 failed jobs, such as' in shown
    assert 'ValueError: broken on purpose' in shown
    assert ('Nothing was done' in shown) == (answer == 'n')
    assert statuses(redis, failures) == [status if answer == 'y' else 'failed'] * 3


def test_it_asks_before_it_deletes_a_job(talk: Talk, redis: Redis, redis_url: str, failures: list[str]) -> None:
    code, shown = talk('failures', 'delete', '-u', redis_url, failures[0], answer='n')
    assert (code, 'Delete job-0?' in shown) == (0, True)
    assert Job.exists(failures[0], redis)
    code, shown = talk('failures', 'delete', '-u', redis_url, failures[0], '--yes')
    assert (code, '1 job deleted' in shown) == (0, True)
    assert not Job.exists(failures[0], redis)


def test_a_bar(talk: Talk, redis: Redis, redis_url: str, failures: list[str]) -> None:
    code, shown = talk('failures', 'retry', '-u', redis_url, '--all', '--yes')
    assert code == 0
    assert '3/3' in shown
    assert '3 jobs queued again' in shown
    assert statuses(redis, failures) == ['queued'] * 3


def test_it_asks_before_groups_are_resolved(talk: Talk, redis_url: str, failures: list[str]) -> None:
    code, shown = talk('failures', 'resolve', '-u', redis_url, '--all', answer='n')
    assert (code, '1 group, such as' in shown, 'Nothing was done' in shown) == (0, True, True)
    code, shown = talk('failures', 'resolve', '-u', redis_url, '--all', answer='y')
    assert (code, '1 group is resolved' in shown) == (0, True)
