"""Jobs that do not want to hear that their time is over."""

import asyncio
import ctypes
import itertools
import os
import random
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from rq.timeouts import UnixSignalDeathPenalty
from tests.crash.jobs import deaf, say

LONG = 60.0


def block() -> None:
    """Wait in C, with the interpreter's lock held, for what never comes; no signal cuts it short."""
    libc, mutex = ctypes.PyDLL(None), ctypes.create_string_buffer(64)
    libc.pthread_mutex_lock(mutex)
    libc.pthread_mutex_lock(mutex)


def spin() -> None:
    """Work in C, with the interpreter's lock held."""
    any(itertools.repeat(0))


def read() -> None:
    """Read in C, with the interpreter's lock held; again when a signal cuts it short."""
    libc, buffer = ctypes.PyDLL(None), ctypes.create_string_buffer(1)
    end, _ = os.pipe()
    while True:
        try:
            while libc.read(end, buffer, 1) < 0:
                pass
        except Exception:
            continue


_HOLDING = {'block': block, 'spin': spin, 'read': read}


def holds_the_lock(how: str) -> None:
    """E2."""
    say('begin')
    _HOLDING[how]()


# --- E3: the clean-up -----------------------------------------------------------------------------------------------


def cleans_up_quickly(where: str) -> None:
    """E3."""
    cleans_up(where.removeprefix('quick '), 2)


def cleans_up(where: str, seconds: float = 30) -> None:
    """Fails, and is cleaning up when its time is over; it needs so many seconds more, and takes them."""
    say('begin')
    if where == 'except':
        try:
            raise LookupError('the original error')
        except LookupError:
            _busy(seconds)
            raise
    if where == 'finally':
        try:
            raise LookupError('the original error')
        finally:
            _busy(seconds)
    try:
        time.sleep(LONG)
    finally:  # the time is over first
        say('cleaning')
        time.sleep(seconds)
        say('cleaned')


def _busy(seconds: float) -> None:
    """Hears that its time is over, and goes on."""
    say('cleaning')
    try:
        time.sleep(LONG)
    except Exception:
        say('heard')
        deaf(seconds)
        say('cleaned')
        raise


# --- E4: its own use of the signal ----------------------------------------------------------------------------------


def _alarm_off() -> None:
    signal.alarm(0)


def _own_alarm() -> None:
    signal.signal(signal.SIGALRM, lambda *_: None)
    signal.alarm(2)


def _ignored() -> None:
    signal.signal(signal.SIGALRM, signal.SIG_IGN)


def _blocked() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])


def _all_blocked() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())


def _nested() -> None:
    with UnixSignalDeathPenalty(2 * LONG, LookupError):
        time.sleep(LONG)


def _nested_and_over() -> None:
    with UnixSignalDeathPenalty(1, LookupError):
        pass


def _timer() -> None:
    signal.setitimer(signal.ITIMER_REAL, 2 * LONG)


_SIGNALS = {
    'alarm off': _alarm_off, 'own handler': _own_alarm, 'ignored': _ignored, 'blocked': _blocked,
    'all blocked': _all_blocked, 'nested': _nested, 'nested and over': _nested_and_over, 'own timer': _timer,
}  # fmt: skip
SIGNALS = tuple(_SIGNALS)


def uses_the_signal(how: str) -> None:
    """E4."""
    say('begin')
    _SIGNALS[how]()
    time.sleep(LONG)


# --- E5: waits that swallow -----------------------------------------------------------------------------------------


def _joins() -> None:
    thread = threading.Thread(target=time.sleep, args=(LONG,))
    thread.start()
    thread.join()


def _pool() -> None:
    with ThreadPoolExecutor() as pool:  # whose exit waits
        pool.submit(time.sleep, LONG).result()


def _swallows() -> None:
    while True:
        try:
            time.sleep(LONG)
        except BaseException:
            pass


def _asyncio() -> None:
    async def work() -> None:
        while True:
            try:
                await asyncio.sleep(LONG)
            except BaseException:
                pass

    while True:
        try:
            asyncio.run(work())
        except BaseException:
            pass


def _cancelled() -> None:
    async def deaf() -> None:
        until = time.monotonic() + LONG
        while time.monotonic() < until:
            try:
                await asyncio.sleep(LONG)
            except asyncio.CancelledError:
                pass

    async def work() -> None:
        await asyncio.wait_for(deaf(), 0.2)

    asyncio.run(work())


def _elsewhere() -> None:
    """The work is in a thread; the main one sees the exception, and the thread goes on."""
    threading.Thread(target=_swallows).start()
    time.sleep(LONG)


_WAITS = {
    'joins': _joins, 'pool': _pool, 'swallows': _swallows, 'asyncio': _asyncio, 'cancelled': _cancelled,
    'elsewhere': _elsewhere,
}  # fmt: skip
WAITS = tuple(_WAITS)


def waits(how: str) -> None:
    """E5."""
    say('begin')
    _WAITS[how]()


# --- E6: at the same instant ----------------------------------------------------------------------------------------


def just_in_time(seconds: float, off: float) -> str:
    """Returns when its time is over, give or take a moment."""
    began = time.monotonic()
    say('begin')
    until = began + seconds + off
    time.sleep(max(until - time.monotonic() - 0.005, 0))
    while time.monotonic() < until:
        pass
    say('end')
    return 'done'


def moment(seed: int) -> float:
    """A few milliseconds around the instant."""
    return random.Random(seed).uniform(-0.004, 0.001)


def on_success(job: Any, connection: Any, value: Any) -> None:
    """A callback."""
    say('on success', job.id)


def on_failure(job: Any, connection: Any, *exc_info: Any) -> None:
    """A callback."""
    say(f'on failure {exc_info[0].__name__}', job.id)
