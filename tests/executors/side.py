"""Jobs that run beside others in one process, for the executors thread and async."""

import asyncio
import logging
import os
import sys
import threading
import time
from typing import Any

from rq import Retry, SimpleWorker, get_current_job
from rq.job import Job
from tests.jobs import mark

_NEVER = threading.Event()
barriers: dict[str, Any] = {}


class Clocked(SimpleWorker):
    """Performs jobs in its own way, and tells."""

    def perform_job(self, job: Any, queue: Any, *rest: Any) -> bool:
        self.connection.rpush('test:marks', f'begin {job.id}')
        done = super().perform_job(job, queue, *rest)
        self.connection.rpush('test:marks', f'end {job.id} {job.get_status().value}')
        return done


class Hasty(SimpleWorker):
    shutdown_grace = 0.5


class Broken(SimpleWorker):
    def perform_job(self, job: Any, queue: Any, *rest: Any) -> bool:
        raise LookupError('an override is broken')


class OtherJob(Job):
    """Executes in its own way."""

    def _execute(self) -> Any:
        mark('executes')
        return super()._execute()


def meets(number: int) -> str:
    """Come back when so many run side by side."""
    barriers.setdefault('threads', threading.Barrier(number)).wait(20)
    job = get_current_job()
    assert job is not None
    return f'{job.id} {threading.current_thread().name}'


async def meets_async(number: int) -> str:
    if number not in barriers:
        barriers[number] = asyncio.Barrier(number)
    async with asyncio.timeout(20):
        await barriers[number].wait()
    job = get_current_job()
    assert job is not None
    return f'{job.id} {threading.current_thread().name}'


async def where() -> str:
    await asyncio.sleep(0)
    return threading.current_thread().name


def makes_coroutine() -> Any:
    """A plain function that returns one."""
    return where()


async def waits_async(word: str = 'waits', seconds: float = 60.0) -> str:
    mark(word)
    await _pauses(seconds)
    return 'waited'


async def _pauses(seconds: float) -> None:
    secret_of_test = 'in the coroutine'  # noqa: F841 - a local that is to be seen
    await asyncio.sleep(seconds)


async def deaf_async(word: str = 'deaf') -> str:
    """Swallow the first interruption, and go on."""
    mark(word)
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        mark('swallowed')
    await asyncio.to_thread(gate)
    return 'after all'


async def deafest_async() -> str:
    """Swallow each interruption, and ask for no job."""
    freed = asyncio.ensure_future(asyncio.to_thread(gate))
    while not freed.done():
        try:
            await asyncio.shield(freed)
        except asyncio.CancelledError:
            continue
    return 'after all'


async def fails_async(text: str = 'it broke') -> None:
    await asyncio.sleep(0)
    raise ValueError(text)


async def exits_async(code: Any = 3) -> None:
    sys.exit(code)


async def cancels_itself() -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(0)


async def returns_retry_async() -> Any:
    mark('tried')
    return Retry(max=1)


async def forks_async() -> str:
    """A descendant that falls out of the coroutine."""
    pid = os.fork()
    if pid == 0:
        return 'child'
    os.waitpid(pid, 0)
    return 'parent'


async def keeps_the_loop(word: str = 'keeps') -> None:
    """Give no turn to others."""
    mark(word)
    spins()


def spins(word: str = '', seconds: float = 60.0) -> None:
    """Run Python code for long: an exception can get in."""
    if word:
        mark(word)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pass


def gate(name: str = 'side', seconds: float = 20.0) -> None:
    """Wait for the test in this process, in one call of C that no exception gets into."""
    barriers.setdefault(name, threading.Event()).wait(seconds)


def held(word: str = 'held', name: str = 'side') -> str:
    mark(word)
    gate(name)
    mark(f'freed {word}')
    return 'held'


def spins_on_success(job: Any, connection: Any, result: Any) -> None:
    spins()


def held_in_handler(job: Any, *exc_info: Any) -> None:
    if job.description == 'held':
        gate()


def echoes(seconds: float = 60.0) -> int:
    """Ask the server again and again, each time something else."""
    job = get_current_job()
    assert job is not None
    until, number = time.monotonic() + seconds, 0
    mark('echoes')
    while time.monotonic() < until:
        number += 1
        answer: Any = job.connection.echo(str(number))
        assert int(answer) == number
    return number


def talks(number: int, word: str) -> None:
    """Say something while the others do."""
    barriers.setdefault('talks', threading.Barrier(number)).wait(20)
    print(f'{word} prints')
    logging.getLogger('of.job').warning('%s logs', word)
    barriers['talks'].wait(20)
    raise ValueError(word)


async def talks_async(number: int, word: str) -> None:
    if number not in barriers:
        barriers[number] = asyncio.Barrier(number)
    await barriers[number].wait()
    print(f'{word} prints')
    logging.getLogger('of.job').warning('%s logs', word)
    await barriers[number].wait()
    raise ValueError(word)
