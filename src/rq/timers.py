"""One timer thread for all: time limits of jobs that run side by side, and what interrupts them from outside.

A limit or an interruption is an exception that is raised in a thread, as soon as that runs Python code.
"""

from __future__ import annotations

import heapq
import itertools
import math
import queue
import threading
import time
from _thread import start_new_thread
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from rq.forking import mind_threads
from rq.timeouts import BaseDeathPenalty, JobTimeoutException, raise_in_thread, with_message


class SharedTimerDeathPenalty(BaseDeathPenalty):
    """Interrupts as `TimerDeathPenalty` does, but one timer thread serves the whole process: for many jobs at once."""

    def __init__(
        self,
        timeout: float | None,
        exception: type[BaseException] = JobTimeoutException,
        **kwargs: Any,
    ) -> None:
        super().__init__(timeout, exception, **kwargs)
        self.due = math.inf
        self.is_over = True
        self._fired = False

    def __enter__(self) -> BaseDeathPenalty:
        try:
            self.setup_death_penalty()
        except BaseException:  # another one's exception, or that of who wants the thread back
            self.cancel_death_penalty()
            raise
        return self

    def setup_death_penalty(self) -> None:
        """Set the timer, aimed at the calling thread."""
        if (seconds := self._seconds) is None:
            return
        self._thread_id = threading.get_ident()
        self._mark = _marks.get(self._thread_id)
        self._lock = threading.RLock()  # reentrant for the same reason as that of TimerDeathPenalty
        self.due = time.monotonic() + seconds
        self._fired = self.is_over = False
        _timer.arm(self)

    def cancel_death_penalty(self) -> None:
        """Stop the timer, and take back an exception that is on its way but has not arrived."""
        if self.is_over:
            return
        with self._lock:
            if self._fired:
                raise_in_thread(self._thread_id, None)
            self.is_over = True

    def fire(self) -> None:
        """In the timer's thread: the time is over."""
        with self._lock:
            if self.is_over or self._fired:
                return
            made = with_message(self._exception, self._message)
            if self._mark is None:
                self._fired = bool(raise_in_thread(self._thread_id, made))
            else:
                self._fired = self._mark.strike(made)


class Later:
    """A function that the timer thread calls in so many seconds, unless `is_over` is set before; it must be quick."""

    def __init__(self, seconds: float, call: Callable[[], Any]) -> None:
        self.due, self._call, self.is_over = time.monotonic() + seconds, call, False
        _timer.arm(self)

    def fire(self) -> None:
        """In the timer's thread."""
        self._call()


class Mark:
    """A thread while others may interrupt what it does; afterwards nothing that was meant for this reaches it."""

    def __init__(self) -> None:
        self._thread_id = threading.get_ident()
        self._lock = threading.RLock()
        self.is_open = True
        self.was_struck = False
        self.wake: Callable[[], None] | None = None  # how to end what it waits for
        _marks[self._thread_id] = self

    def strike(self, exception: type[BaseException]) -> bool:
        """Raise an exception in the thread, as soon as it runs Python code; False when it is too late."""
        with self._lock:
            if not self.is_open:
                return False
            self.was_struck = True
            hit = bool(raise_in_thread(self._thread_id, exception))
            wake = self.wake
        if wake is not None:
            wake()
        return hit

    @contextmanager
    def closed(self) -> Iterator[None]:
        """What is not to be interrupted."""
        with self._lock:
            self.is_open = False
        try:
            yield
        finally:
            self.is_open = True

    def close(self) -> None:
        """It is over; an exception that has not arrived is taken back. Whom another one hits meanwhile calls again."""
        with self._lock:
            self.is_open = False
            if self.was_struck:
                raise_in_thread(self._thread_id, None)
            if _marks.get(self._thread_id) is self:
                del _marks[self._thread_id]


_marks: dict[int, Mark] = {}  # by the thread


def mark_here() -> Mark | None:
    """The mark of the calling thread."""
    return _marks.get(threading.get_ident())


def interrupt(thread_id: int, exception: type[BaseException]) -> bool:
    """Raise an exception in a thread that has no mark; False when there is no such thread."""
    return bool(raise_in_thread(thread_id, exception))


class _Timer:
    """One thread and a heap. Arming takes no lock, because the exception of another may hit whoever holds it."""

    def __init__(self) -> None:
        self._armed: deque[Any] = deque()
        self._bell: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._wakes_at = math.inf
        self._unborn = deque([True])  # taken out by the one who starts the thread
        self._heap: list[tuple[float, int, Any]] = []
        self._numbers = itertools.count()

    def arm(self, alarm: Any) -> None:
        """Have its `fire` called when it is `due`, unless it `is_over`."""
        self._armed.append(alarm)
        if alarm.due < self._wakes_at or len(self._armed) > _MANY:
            if self._unborn:
                self._begin()
            self._bell.put(None)

    def _begin(self) -> None:
        try:
            self._unborn.pop()
        except IndexError:
            return
        start_new_thread(self._run, ())  # one step, unlike Thread.start()

    def _run(self) -> None:
        while True:
            self._take_armed()
            self._wakes_at = wakes_at = self._fire_due()
            if self._armed:
                continue  # it looked at the time of our waking before this
            try:
                self._bell.get(timeout=None if wakes_at == math.inf else max(wakes_at - time.monotonic(), 0))
                while True:
                    self._bell.get_nowait()
            except queue.Empty:
                continue

    def _take_armed(self) -> None:
        while self._armed:
            alarm = self._armed.popleft()
            if not alarm.is_over:
                heapq.heappush(self._heap, (alarm.due, next(self._numbers), alarm))
        if len(self._heap) > _MANY:
            self._heap = [one for one in self._heap if not one[2].is_over]
            heapq.heapify(self._heap)

    def _fire_due(self) -> float:
        """When there is more to do."""
        while self._heap and (self._heap[0][2].is_over or self._heap[0][0] <= time.monotonic()):
            alarm = heapq.heappop(self._heap)[2]
            if not alarm.is_over:
                with suppress(Exception):  # of one, the limits of all others must not be lost
                    alarm.fire()
        return self._heap[0][0] if self._heap else math.inf


_MANY = 1000
_timer = _Timer()


def _after_fork() -> None:
    """In a forked child there is no timer thread, and of the threads with marks there is one at most."""
    global _timer
    _timer = _Timer()
    _marks.clear()


mind_threads(_after_fork)
