"""What the measured jobs do, the same for every queue: each start leaves one record in a file in memory.

BENCH_RECORDS names that file; a second one beside it counts the tries of the jobs that fail at first.
"""

from __future__ import annotations

import asyncio
import os
import struct
import time

RECORD = struct.Struct('<QII')  # nanoseconds since the epoch, number of the job, process id
WAIT = 0.05
FAILURES = 2  # before a job of the kind `retry` succeeds

_path = os.environ.get('BENCH_RECORDS')
_records = os.open(_path, os.O_WRONLY | os.O_APPEND) if _path else -1
_tries = os.open(_path + '.tries', os.O_RDWR) if _path else -1


class OnPurpose(Exception):
    """What the failing jobs raise."""


def _begun(number: int) -> None:
    os.write(_records, RECORD.pack(time.time_ns(), number, os.getpid()))


def noop(number: int) -> int:
    """A job without work of its own."""
    _begun(number)
    return number


def fail(number: int) -> int:
    """A job that fails for good."""
    _begun(number)
    raise OnPurpose(f'job {number} fails')


def retry(number: int) -> int:
    """A job that fails twice, then succeeds."""
    _begun(number)
    tries = os.pread(_tries, 1, number)[0]
    if tries < FAILURES:
        os.pwrite(_tries, bytes([tries + 1]), number)
        raise OnPurpose(f'job {number} fails, try {tries + 1}')
    return number


def io(number: int) -> int:
    """A job that waits."""
    _begun(number)
    time.sleep(WAIT)
    return number


async def anoop(number: int) -> int:
    """`noop` as a coroutine."""
    return noop(number)


async def afail(number: int) -> int:
    """`fail` as a coroutine."""
    return fail(number)


async def aretry(number: int) -> int:
    """`retry` as a coroutine."""
    return retry(number)


async def aio(number: int) -> int:
    """`io` as a coroutine: other jobs go on while this one waits."""
    _begun(number)
    await asyncio.sleep(WAIT)
    return number


PLAIN = {'noop': noop, 'fail': fail, 'retry': retry, 'io': io}
COROUTINES = {'noop': anoop, 'fail': afail, 'retry': aretry, 'io': aio}
