"""Horses that are used again: what is put right in them after a job, and what makes one unfit for the next.

Put right: environment, working directory, umask, signal handlers and mask, alarms, the standard streams, context
variables. Unfit is one whose job timed out, was interrupted, ended by SystemExit, KeyboardInterrupt or MemoryError, or
left threads (but for daemons) or child processes behind, or too much memory. Modules and what they hold are kept.
"""

from __future__ import annotations

import contextvars
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

from rq.executors import tree
from rq.executors.horse import FLUSH_SECONDS, Reporter, raw_signal, set_handler

_PAGE = os.sysconf('SC_PAGE_SIZE') if hasattr(os, 'sysconf') else 4096
_STATM = Path('/proc/self/statm')
_MIB = 1 << 20
_SIGNALS = sorted(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP})
_ORDINARY = [int(one) for one in _SIGNALS if one < 32]  # those above are ours and the platform's
_PASSING = (b'RQ_WORKER_ID', b'RQ_JOB_ID', b'RQ_EXECUTION_ID')  # every job has its own


class Terms(NamedTuple):
    """For how long a horse is used; None is no limit."""

    max_jobs: int | None = 1000
    max_memory: float | None = None  # MiB of resident memory
    max_age: float | None = None  # seconds


class _Stuck(Exception):
    """Whoever reads what we print does not."""


def _give_up(signum: int, frame: FrameType | None) -> None:
    raise _Stuck


class Groom:
    """In a horse: how things were before its first job."""

    def __init__(self, max_memory: float | None) -> None:
        self._limit = None if max_memory is None else max_memory * _MIB
        self._handlers = [raw_signal.getsignal(one) for one in _ORDINARY]
        self._mask = raw_signal.pthread_sigmask(signal.SIG_BLOCK, ())
        self._cwd = _place()
        self._umask = os.umask(0)
        os.umask(self._umask)
        self._environment = dict(_environment())
        self._streams = sys.stdin, sys.stdout, sys.stderr

    def makes_fit(self) -> bool:
        """After a job: put right what can be; whether the horse may be used again."""
        return self._empties_streams() and self._is_alone() and self._puts_right() and self._is_slim()

    def _empties_streams(self) -> bool:
        """What was printed is out, and no alarm is set."""
        sys.stdin, sys.stdout, sys.stderr = self._streams
        before = set_handler(signal.SIGALRM, _give_up)
        try:
            raw_signal.setitimer(signal.ITIMER_REAL, FLUSH_SECONDS)
            sys.stdout.flush()
            sys.stderr.flush()
            raw_signal.setitimer(signal.ITIMER_REAL, 0)
        except (_Stuck, OSError, ValueError, AttributeError):
            return False  # closed, full or replaced by the job; the end of the horse has patience with that
        if before is not None:
            set_handler(signal.SIGALRM, before)
        return True

    @staticmethod
    def _is_alone() -> bool:
        """Whether the job left no thread and no child process: those live on, or end, as with a horse of their own."""
        if threading.active_count() > 1 and sum(not one.daemon for one in threading.enumerate()) > 1:
            return False
        try:
            os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return True
        return False

    def _puts_right(self) -> bool:
        for signum, before in zip(_ORDINARY, self._handlers, strict=True):
            if before is not None and raw_signal.getsignal(signum) is not before:
                set_handler(signum, before)
        if raw_signal.pthread_sigmask(signal.SIG_BLOCK, ()) != self._mask:
            signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)
        os.umask(self._umask)
        self._put_environment_right()
        if _place() != self._cwd:
            try:
                os.chdir(self._cwd or '')
            except OSError:
                return False
        return True

    def _put_environment_right(self) -> None:
        now, before = _environment(), self._environment
        for name in _PASSING:
            if name in now:
                before[name] = now[name]
        if now != before:
            for name in now.keys() - before.keys():
                del os.environb[name]
            os.environb.update({name: value for name, value in before.items() if now.get(name) != value})

    def _is_slim(self) -> bool:
        return self._limit is None or _resident_bytes() <= self._limit


def _place() -> str | None:
    try:
        return os.getcwd()
    except OSError:
        return None  # deleted


def _environment() -> dict[bytes, bytes]:
    # its own dict, because a comparison of the mapping decodes every name and value
    found: Any = getattr(os.environb, '_data', None)
    return found if isinstance(found, dict) else dict(os.environb)


def _resident_bytes() -> int:
    try:
        return int(_STATM.read_bytes().split()[1]) * _PAGE
    except (OSError, ValueError, IndexError):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # no Linux: at least its peak is known
        return peak if sys.platform == 'darwin' else peak * 1024


def serve(reporter: Reporter, ride: Callable[[dict[str, Any], Reporter], bool], terms: Terms) -> None:
    """The life of a horse that is used again: one job after the other, until it is unfit or sent home (`EOFError`)."""
    groom, taken = Groom(terms.max_memory), 0
    try:
        while True:
            brief = reporter.next_brief()
            taken += 1
            if taken > 1:
                tree.mark(taken)  # what this job starts is told from what jobs before it have left
            if not contextvars.copy_context().run(ride, brief, reporter) or not groom.makes_fit():
                break
    finally:
        reporter.say({'do': 'bye', 'taken': taken})  # what was sent meanwhile is not begun


def is_spent(terms: Terms, jobs: int, born_at: float) -> bool:
    """In the worker: whether a horse has done its share."""
    if terms.max_jobs is not None and jobs >= terms.max_jobs:
        return True
    return terms.max_age is not None and time.monotonic() - born_at >= terms.max_age
