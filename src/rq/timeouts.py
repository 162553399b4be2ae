"""Death penalties: how running code is interrupted when its time is over.

A penalty is a context manager `cls(timeout, exception, **kwargs)`. A timeout of None, zero or less means
no limit. The parent process keeps a deadline of its own; that one does not live here.
"""

from __future__ import annotations

import ctypes
import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

#: the same functions without enums, of which every job would make four
_raw: Any = getattr(signal, '_signal', signal)

# About three years. The clocks underneath refuse larger numbers, and nobody will see the difference.
_LONGEST = 100_000_000


#: In a work horse: told where the main thread is when its time is over, before the exception is raised there. The
#: code may not react to that and be killed; then nobody else knows what it was doing.
tell_where: Callable[[FrameType | None], None] | None = None


class BaseTimeoutException(Exception):
    """Base of everything that means: the time is over."""


class JobTimeoutException(BaseTimeoutException):
    """The job or callback took longer than its timeout: make it faster, split it, or allow it more."""


class HorseMonitorTimeoutException(BaseTimeoutException):
    """The interval between two looks at the horse is over; never leaves the worker."""


class BaseDeathPenalty:
    """Raises `exception` in the body of its `with` block when `timeout` seconds are over."""

    def __init__(
        self,
        timeout: float | None,
        exception: type[BaseException] = BaseTimeoutException,
        **kwargs: Any,
    ) -> None:
        self._timeout = timeout
        self._exception = exception

    def __enter__(self) -> BaseDeathPenalty:
        try:
            self.setup_death_penalty()
        except (BaseTimeoutException, self._exception):
            # Over before it began: nobody calls __exit__ for a block that was not entered.
            self.cancel_death_penalty()
            raise
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self.cancel_death_penalty()
        except (BaseTimeoutException, self._exception):
            # The body was over before its time was: what fires while we cancel comes too late to count.
            # It fires once, and may have cut the cancelling short; the second attempt cannot be hit.
            self.cancel_death_penalty()

    def setup_death_penalty(self) -> None:
        """Start the clock; a penalty must implement it."""
        raise NotImplementedError(f'{type(self).__name__} must define setup_death_penalty()')

    def cancel_death_penalty(self) -> None:
        """Stop the clock; a penalty must implement it, and bear being called twice."""
        raise NotImplementedError(f'{type(self).__name__} must define cancel_death_penalty()')

    @property
    def _seconds(self) -> float | None:
        """The limit as a clock takes it; None when there is none."""
        if self._timeout is None or self._timeout <= 0:
            return None
        return min(self._timeout, _LONGEST)

    @property
    def _message(self) -> str:
        return f'Task exceeded maximum timeout value ({self._timeout} seconds)'


class UnixSignalDeathPenalty(BaseDeathPenalty):
    """Interrupts by SIGALRM: also cuts short most blocking calls, but works in the main thread only."""

    _armed = False
    _previous: Callable[[int, FrameType | None], Any] | int | signal.Handlers | None = None

    def setup_death_penalty(self) -> None:
        """Install the handler and start the alarm."""
        if (seconds := self._seconds) is None:
            return
        try:
            self._previous = _raw.signal(signal.SIGALRM, self.handle_death_penalty)
        except ValueError as error:
            raise ValueError(
                f'{type(self).__name__} works in the main thread only, this is '
                f'{threading.current_thread().name!r}; use TimerDeathPenalty here'
            ) from error
        self._armed = True
        signal.setitimer(signal.ITIMER_REAL, seconds)

    def cancel_death_penalty(self) -> None:
        """Stop the alarm, then give the signal back to its previous handler."""
        if not self._armed:
            return
        _raw.setitimer(signal.ITIMER_REAL, 0)
        # None: the handler was set by C code and cannot be set again from here.
        _raw.signal(signal.SIGALRM, _raw.SIG_DFL if self._previous is None else self._previous)
        self._armed = False

    def handle_death_penalty(self, signum: int, frame: FrameType | None) -> None:
        """Signal handler: the time is over."""
        if tell_where is not None:
            tell_where(frame)
        raise self._exception(self._message)


class TimerDeathPenalty(BaseDeathPenalty):
    """Interrupts the thread that entered it by an asynchronous exception, from a timer thread.

    Works in any thread, but a blocking call in C has to return before the exception is seen.
    """

    def __init__(
        self,
        timeout: float | None,
        exception: type[BaseException] = JobTimeoutException,
        **kwargs: Any,
    ) -> None:
        super().__init__(timeout, exception, **kwargs)
        self._thread_id = threading.get_ident()
        self._timer: threading.Timer | None = None
        self._fired = False
        self._over = False
        # Reentrant: the exception may hit cancel_death_penalty() right after it got the lock, which then
        # stays ours and must not block the second attempt.
        self._lock = threading.RLock()

    def new_timer(self) -> threading.Timer:
        """A timer, not yet started, that ends in `handle_death_penalty`."""
        return threading.Timer(min(self._timeout or 0, _LONGEST), self.handle_death_penalty)

    def setup_death_penalty(self) -> None:
        """Start the timer, aimed at the calling thread."""
        if self._seconds is None:
            return
        self._thread_id = threading.get_ident()
        self._fired = self._over = False
        self._lock = threading.RLock()
        self._timer = self.new_timer()
        self._timer.daemon = True
        # A timer that fires at once waits for us: an exception in the midst of Thread.start() could
        # leave a lock of the interpreter's thread list locked, and no thread could start ever after.
        with self._lock:
            self._timer.start()

    def handle_death_penalty(self) -> None:
        """Timer callback: raise the exception in the target thread; `ValueError` when that is unknown."""
        with self._lock:
            if self._over:
                return
            hit = raise_in_thread(self._thread_id, with_message(self._exception, self._message))
            self._fired = bool(hit)
        if not hit:
            raise ValueError(f'no thread has the id {self._thread_id}: it ended before its timeout was over')

    def cancel_death_penalty(self) -> None:
        """Stop the timer, and take back an exception that is on its way but has not arrived."""
        if self._timer is None:
            return
        with self._lock:
            self._over = True
            if self._fired:
                raise_in_thread(self._thread_id, None)
        # Only now, when nothing can hit us any more: an exception in the midst of Timer.cancel() would
        # leave a lock of the timer locked, and the second attempt would wait for it for ever.
        self._timer.cancel()
        self._timer = None


def with_message(exception: type[BaseException], message: str) -> type[BaseException]:
    """A class like `exception` that needs no arguments: the interpreter takes a class, not an instance."""

    def init(self: BaseException, *args: Any) -> None:
        exception.__init__(self, message)
        self.args = (message,)

    def reduce(self: BaseException) -> tuple[type[BaseException], tuple[str]]:
        return exception, (message,)

    members = {'__init__': init, '__reduce__': reduce, '__module__': exception.__module__}
    made = type(exception.__name__, (exception,), members)
    made.__qualname__ = exception.__qualname__
    return made


def raise_in_thread(thread_id: int, exception: type[BaseException] | None) -> int:
    """Set (or, with None, clear) what a thread raises next; the number of threads that were found."""
    target = ctypes.c_ulong(thread_id)
    thrown = ctypes.py_object(exception) if exception is not None else None
    return int(ctypes.pythonapi.PyThreadState_SetAsyncExc(target, thrown))


def get_default_death_penalty_class() -> type[BaseDeathPenalty]:
    """The signal penalty where the platform has SIGALRM, else the timer penalty."""
    return UnixSignalDeathPenalty if hasattr(signal, 'SIGALRM') else TimerDeathPenalty
