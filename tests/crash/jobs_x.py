"""What workers of every executor run. Each of them also as a coroutine function, for the event loop of *async*."""

import asyncio
import hashlib
import os
import signal
import time
from pathlib import Path
from typing import Any

from rq import get_current_job
from tests.crash.jobs import deaf, say


def _begins() -> int:
    """How often the job at hand has begun, this time included."""
    say('begin')
    job = get_current_job()
    mine = f'{job.id if job else "?"}\tbegin\t'
    return sum(line.startswith(mine) for line in Path(os.environ['RQ_WITNESS']).read_text().splitlines())


def short(seconds: float = 0.0) -> None:
    """Does its work."""
    say('begin')
    if seconds:
        time.sleep(seconds)
    say('end')


async def short_async(seconds: float = 0.0) -> None:
    """The same."""
    say('begin')
    await asyncio.sleep(seconds)
    say('end')


def beside() -> None:
    """Tells how many jobs its worker holds at this moment, itself among them."""
    say('begin')
    job: Any = get_current_job()
    say(f'one of {job.connection.scard(f"rq:worker:{job.worker_name}:executions")}')
    say('end')


def slow_at_first(seconds: float) -> None:
    """Takes its time, but not when it is tried again."""
    if _begins() == 1:
        time.sleep(seconds)
    say('end')


async def slow_at_first_async(seconds: float) -> None:
    """The same."""
    if _begins() == 1:
        await asyncio.sleep(seconds)
    say('end')


def kills_its_process() -> None:
    """The horse dies, or with *inline* the worker: each time."""
    say('begin')
    os.kill(os.getpid(), signal.SIGKILL)


def sleeps(seconds: float) -> None:
    """Waits, in a call of the C library."""
    say('begin')
    time.sleep(seconds)
    say('end')


async def sleeps_async(seconds: float) -> None:
    """Waits, and gives others a turn."""
    say('begin')
    await asyncio.sleep(seconds)
    say('end')


def spins(seconds: float) -> None:
    """Keeps a processor busy with Python."""
    say('begin')
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pass
    say('end')


async def spins_async(seconds: float) -> None:
    """The same, and nobody else gets a turn."""
    spins(seconds)


def hashes(seconds: float) -> None:
    """Keeps a processor busy in C, in pieces too long for its timeout."""
    say('begin')
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        hashlib.pbkdf2_hmac('sha256', b'a', b'b', 1_500_000)
    say('end')


def deafens(seconds: float) -> None:
    """Lets nothing disturb it."""
    say('begin')
    deaf(seconds)


def was_stopped(job: Any, connection: Any) -> None:
    """on_stopped"""
    say('stopped', job.id)
