"""What a job prints and logs, the last 64 KiB of it, kept while it runs for the case that it fails.

It stands in shared memory: when the process of the job is killed, its worker still has it. What is written to
`sys.stdout` and `sys.stderr` and what reaches a logger is heard; bytes written to the descriptors themselves, by
subprocesses for example, are not: they would need a process between the job and its output.
"""

from __future__ import annotations

import logging
import mmap
import os
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from typing import Any

from rq.exceptions import ColdShutdown
from rq.perform import memory
from rq.rules.scrub import Scrubber
from rq.rules.secrecy import secrets_of, secrets_of_frame
from rq.rules.secrets import without_literals
from rq.timeouts import BaseTimeoutException

SIZE = 64 * 1024
_WRITTEN = struct.Struct('=Q')  # at the head of the memory: how many bytes were ever written
_FRAMES = 20  # how far up the callers of a line are asked for secret locals
_PATIENCE = 0.05  # seconds to wait for another thread that writes; a forked child may wait for nobody
_LINE = logging.Formatter('%(asctime)s %(levelname)s %(name)s: %(message)s')


class Ring:
    """Bytes, of which the last ones stay."""

    def __init__(self, memory: mmap.mmap) -> None:
        self._memory = memory
        self._lock = threading.RLock()

    @classmethod
    def anonymous(cls) -> Ring:
        """Shared with what is forked from now on."""
        return cls(mmap.mmap(-1, _WRITTEN.size + SIZE))

    @classmethod
    def of_file(cls, descriptor: int) -> Ring:
        """That of another process; the descriptor is closed."""
        try:
            return cls(mmap.mmap(descriptor, _WRITTEN.size + SIZE))
        finally:
            os.close(descriptor)

    def write(self, data: bytes) -> None:
        """Add bytes."""
        data = data[-SIZE:]
        locked = self._lock.acquire(timeout=_PATIENCE)
        try:
            written = _WRITTEN.unpack_from(self._memory)[0]
            at = written % SIZE
            first = data[: SIZE - at]
            self._put(at, first)
            self._put(0, data[len(first) :])
            _WRITTEN.pack_into(self._memory, 0, written + len(data))
        finally:
            if locked:
                self._lock.release()

    def _put(self, at: int, data: bytes) -> None:
        begin = _WRITTEN.size + at
        self._memory[begin : begin + len(data)] = data

    def text(self) -> str:
        """What is there; when more was written, from the first whole line on."""
        written = _WRITTEN.unpack_from(self._memory)[0]
        stored = self._memory[_WRITTEN.size : _WRITTEN.size + SIZE]
        if written <= SIZE:
            return stored[:written].decode('utf-8', errors='replace')
        at = written % SIZE
        kept = stored[at:] + stored[:at]
        return kept[kept.find(b'\n') + 1 :].decode('utf-8', errors='replace')


def share(worker: Any, reporter: Any) -> None:
    """In a horse: memory for its job's output, of which the parent has a descriptor, too."""
    try:
        descriptor = memory.shared('rq-output', _WRITTEN.size + SIZE)
    except OSError:
        return  # then its output is kept as long as the process lives
    try:
        reporter.pass_on({'do': 'output'}, descriptor)
        worker.ring = Ring.of_file(os.dup(descriptor))
    except OSError:
        return  # the parent has gone
    finally:
        os.close(descriptor)


def perform(job: Any, worker: Any) -> Any:
    """Perform a job and hear what it says; `taken` gives it."""
    if worker.beside_others:
        with heard_beside_others(job, worker):
            return job.perform()
    ring = worker.ring = worker.ring or Ring.anonymous()
    with _heard(_Listener(ring, job)):
        return job.perform()


@contextmanager
def heard_beside_others(job: Any, worker: Any) -> Iterator[None]:
    """Hear what is said in this context, while the process runs other jobs as well: not what threads of the job say."""
    ring = worker.ring = Ring.anonymous()
    listener = _Listener(ring, job)
    token = _bound.set(listener)
    try:
        _ears.open(listener)
        yield
    finally:
        _ears.close(listener)
        _bound.reset(token)


def taken(worker: Any, secrets: frozenset[str]) -> str:
    """What the job said, without secrets; the next one begins anew."""
    ring, worker.ring = worker.ring, None
    return left_in(ring, secrets)


def left_in(ring: Ring | None, secrets: frozenset[str] = frozenset()) -> str:
    """The text of a ring without secrets."""
    return Scrubber(secrets).text(ring.text()) if ring is not None else ''


class _Listener:
    """Writes what it hears into a ring. Of values that are secret it hears nothing, because nobody may come to ask."""

    def __init__(self, ring: Ring, job: Any) -> None:
        self._ring, self._job = ring, job
        self._secrets: set[str] = set()
        self._knows_call = False
        self._deaf = threading.local()

    def hear(self, text: Any) -> None:
        """A piece of text."""
        if type(text) is not str or not text or getattr(self._deaf, 'now', False):
            return
        self._deaf.now = True
        try:
            self._learn()
            self._ring.write(without_literals(text[-SIZE:], self._secrets).encode('utf-8', 'replace'))
        except (ColdShutdown, BaseTimeoutException):
            raise
        except Exception:
            return  # what is heard must not change what the job does
        finally:
            self._deaf.now = False

    def _learn(self) -> None:
        if not self._knows_call and self._job._called:
            self._secrets |= secrets_of(None, self._job)
            self._knows_call = True
        frame = sys._getframe(3)
        for _ in range(_FRAMES):
            if frame.f_code is _PERFORM or len(self._secrets) > 1000:
                return
            self._secrets |= secrets_of_frame(frame)
            if frame.f_back is None:
                return
            frame = frame.f_back

    def write_of(self, write: Callable[[str], Any]) -> Callable[[str], Any]:
        """A `write` of a stream that is heard."""

        def heard(text: str) -> Any:
            self.hear(text)
            return write(text)

        return heard

    def log_of(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """The `Logger.callHandlers` that is heard; what handlers print of the record is not heard again."""

        def heard(logger: logging.Logger, record: logging.LogRecord) -> None:
            if getattr(self._deaf, 'now', False) or record.name.startswith('rq.'):
                call(logger, record)
                return
            try:
                line = _LINE.format(record) + '\n'
            except (ColdShutdown, BaseTimeoutException):
                raise
            except Exception:
                line = f'{record.levelname} {record.name}: <a record that cannot be formatted>\n'
            self.hear(line)
            self._deaf.now = True
            try:
                call(logger, record)
            finally:
                self._deaf.now = False

        return heard


class _Relay:
    """Stands in the place of a listener, and passes on to that of the context."""

    def write_of(self, write: Callable[[str], Any]) -> Callable[[str], Any]:
        def heard(text: str) -> Any:
            listener = _bound.get()
            if listener is not None:
                listener.hear(text)
            return write(text)

        return heard

    def log_of(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def heard(logger: logging.Logger, record: logging.LogRecord) -> None:
            listener = _bound.get()
            (call if listener is None else listener.log_of(call))(logger, record)

        return heard


class _Ears:
    """One relay for all who listen in this process, as long as there are any."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # the exception of a time limit may hit whoever holds it
        self._listeners: set[_Listener] = set()
        self._undone: ExitStack | None = None

    def open(self, listener: _Listener) -> None:
        with self._lock:
            self._listeners.add(listener)
            if self._undone is None:
                undone = ExitStack()
                undone.enter_context(_heard(_Relay()))
                self._undone = undone

    def close(self, listener: _Listener) -> None:
        with self._lock:
            self._listeners.discard(listener)
            if not self._listeners and self._undone is not None:
                undone, self._undone = self._undone, None
                undone.close()


_bound: ContextVar[_Listener | None] = ContextVar('rq_listener', default=None)
_ears = _Ears()
_PERFORM = perform.__code__


@contextmanager
def _heard(listener: _Listener | _Relay) -> Iterator[None]:
    with ExitStack() as undone:
        for stream in {id(stream): stream for stream in (sys.stdout, sys.stderr)}.values():
            _replace(undone, stream, 'write', listener.write_of)
        _replace(undone, logging.Logger, 'callHandlers', listener.log_of)
        yield


def _replace(undone: ExitStack, holder: Any, name: str, make: Callable[[Any], Any]) -> None:
    """Exchange a method; the object stays who it is, because others hold it already."""
    try:
        before, own = getattr(holder, name), name in vars(holder)
        ours = make(before)
        setattr(holder, name, ours)
    except (AttributeError, TypeError):
        return  # no such stream, or one that cannot be heard

    def undo() -> None:
        if vars(holder).get(name) is not ours:
            return  # somebody has replaced it meanwhile, and calls ours
        if own:
            setattr(holder, name, before)
        else:
            delattr(holder, name)

    undone.callback(undo)
