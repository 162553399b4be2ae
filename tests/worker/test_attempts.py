"""What an attempt tells of the process that made it, whatever the job ran in."""

import os
import signal
import socket
from typing import Any

import pytest

from rq import Queue, Retry, SimpleWorker, SpawnWorker, Worker
from rq.timeouts import JobTimeoutException


class OrderError(Exception):
    """An error of the user's own."""


def charge(amount: int) -> None:
    """Fails for a reason, which has one itself."""
    try:
        int('nothing')
    except ValueError as error:
        refused = OrderError(f'cannot charge {amount}')
        refused.add_note('the card was declined')
        raise refused from error


def kills_itself() -> None:
    """Ends without a word."""
    os.kill(os.getpid(), signal.SIGKILL)


def exits() -> None:
    """Ends in its own way."""
    os._exit(3)


def hangs() -> None:
    """Waits for longer than it may."""
    signal.pause()


def work(kind: type[Any], queue: Queue) -> Any:
    worker = kind([queue], connection=queue.connection)
    worker.work(burst=True, logging_level='CRITICAL')
    return worker


@pytest.mark.parametrize('kind', [Worker, SimpleWorker, SpawnWorker])
def test_raised(queue: Queue, kind: type[Any]) -> None:
    job = queue.enqueue(charge, 30, retry=Retry(max=1))
    worker = work(kind, queue)
    first, second = job.attempts
    assert (first.is_final, second.is_final) == (False, True) and first.exc_string and second.exc_string
    assert (first.type_name, first.module) == (f'{__name__}.OrderError', __name__)
    assert [frame.function for frame in first.frames] == ['charge'], 'without our own frames'
    assert first.frames[0].is_own and first.frames[0].source == 'raise refused from error'
    assert first.notes == ('the card was declined',)
    assert [(one.type_name, one.link) for one in first.chain[1:]] == [('ValueError', 'cause')]
    assert first.host == socket.gethostname() and first.worker_name == worker.name
    assert (first.pid == os.getpid()) is (kind is SimpleWorker)
    assert first.pid and second.pid and (first.pid != second.pid or kind is SimpleWorker)


@pytest.mark.parametrize('kind', [Worker, SpawnWorker])
@pytest.mark.parametrize('func, signum, code', [(kills_itself, signal.SIGKILL, None), (exits, None, 3)])
def test_killed(queue: Queue, kind: type[Any], func: Any, signum: int | None, code: int | None) -> None:
    job = queue.enqueue(func)
    work(kind, queue)
    (attempt,) = job.attempts
    assert (attempt.kind, attempt.signal, attempt.exit_code) == ('killed', signum, code)
    assert attempt.peak_memory is not None and attempt.peak_memory > 2**20, 'bytes'
    assert attempt.host == socket.gethostname() and attempt.pid and attempt.pid != os.getpid()
    assert attempt.chain == () and attempt.frames == ()


def test_timed_out(queue: Queue) -> None:
    job = queue.enqueue(hangs, job_timeout=1)
    work(Worker, queue)
    (attempt,) = job.attempts
    assert attempt.kind == 'timed_out' and attempt.type_name.endswith(JobTimeoutException.__name__)
    assert any(frame.function == 'hangs' for frame in attempt.frames)


def test_a_module_that_is_not_there(queue: Queue) -> None:
    job = queue.enqueue('shop_that_is_not.there')
    work(Worker, queue)
    (attempt,) = job.attempts
    assert attempt.kind == 'not_importable' and attempt.frames == () and attempt.chain[0].message
