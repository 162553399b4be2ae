"""Imminent shutdown: a platform that kills in seconds, a job that wants to know. Signals of HerokuWorker's horses.

SIGRTMIN is blocked in a horse until its handlers stand, so that a request that comes early waits for them.
"""

from __future__ import annotations

import os
import signal
from types import FrameType
from typing import Any

from rq.exceptions import ShutDownImminentException
from rq.executors import horse
from rq.job import Job
from rq.perform import steps
from rq.rules.exits import signal_name

_OURS = steps.run.__code__
_THEIRS = (steps.call_in_time.__code__, Job.perform.__code__)


def block_request() -> None:
    """In a process that will be a horse: SIGRTMIN waits, instead of ending it."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGRTMIN])


def obey_request(handler: Any) -> None:
    """In a horse whose job begins: SIGRTMIN is heard, the platform's SIGTERM to everybody is not."""
    horse.ignore_stop_signals()
    signal.signal(signal.SIGRTMIN, handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGRTMIN])


def send_request(pid: int) -> bool:
    """To the horse alone: its children know no such signal and would die of it. False when it has gone."""
    try:
        os.kill(pid, signal.SIGRTMIN)
    except ProcessLookupError:
        return False
    return True


def interrupt_in(seconds: int, handler: Any) -> None:
    """Call the handler when the time is over, or at the next request."""
    signal.signal(signal.SIGRTMIN, handler)
    signal.signal(signal.SIGALRM, handler)
    signal.alarm(seconds)


def is_too_late(frame: FrameType | None) -> bool:
    """Whether the job's function has returned, and an exception would hit the report of its outcome."""
    while frame is not None:
        if frame.f_code in _THEIRS:
            return False
        if frame.f_code is _OURS:
            return True
        frame = frame.f_back
    return False


def exception_for(signum: int, frame: FrameType | None, properties: list[str]) -> ShutDownImminentException:
    """What is raised in the job, with what it was doing."""
    details = {name: getattr(frame, name) for name in properties}
    return ShutDownImminentException(f'shut down imminent (signal: {signal_name(signum)})', details)
