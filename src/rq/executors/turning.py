"""One event loop in a thread of its own: coroutines of jobs side by side, and those that a thread waits for."""

from __future__ import annotations

import asyncio
import contextvars
import os
import threading
from _thread import allocate_lock
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from rq.executors.slots import Ride, Taken
from rq.executors.threads import LooseThreads
from rq.timers import Later, interrupt, mark_here

BLOCKED_SECONDS = 1.0  # after which a coroutine that is to be ended and keeps the loop to itself gets an exception


class Turning:
    """The loop begins to turn when the first coroutine comes."""

    def __init__(self, ride: Callable[[Ride], Coroutine[Any, Any, None]], capacity: int) -> None:
        self._ride, self._capacity = ride, capacity
        self._fresh: deque[Ride] = deque()
        self._is_called = False
        self._is_closing = False
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop, which turns."""
        if self._loop is None:
            with self._lock:
                if self._loop is None:
                    self._loop = self._begin()
        return self._loop

    def _begin(self) -> asyncio.AbstractEventLoop:
        loop = asyncio.new_event_loop()
        loop.set_default_executor(LooseThreads(self._capacity))
        self._thread = threading.Thread(target=self._run, args=(loop,), name='rq-loop', daemon=True)
        try:
            self._thread.start()
        except RuntimeError as error:
            loop.close()
            raise OSError(f'no thread can be started: {error}') from error
        return loop

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        while not self._is_closing:
            try:
                loop.run_forever()
            except BaseException:
                continue  # a SystemExit of a task that a job has left behind, or an interruption that came too late
        try:
            loop.run_until_complete(_end_all(loop))
            loop.run_until_complete(loop.shutdown_asyncgens())
        finally:
            loop.run_until_complete(loop.shutdown_default_executor())
            loop.close()

    # --- jobs ---------------------------------------------------------------------------------------------------

    def start(self, ride: Ride) -> None:
        """Begin a coroutine; for several in a row the loop is woken once."""
        loop = self.loop
        self._fresh.append(ride)
        if not self._is_called:
            self._is_called = True
            loop.call_soon_threadsafe(self._begin_fresh)

    def _begin_fresh(self) -> None:
        self._is_called = False  # before looking: who comes now calls again
        loop = self.loop
        while self._fresh:
            ride = self._fresh.popleft()
            ride.task = loop.create_task(self._ride(ride))

    def take(self, ride: Ride) -> None:
        """Cancel it."""
        self.loop.call_soon_threadsafe(_cancel, ride)
        Later(BLOCKED_SECONDS, lambda: self._free_from(ride.task))

    def limit(self, ride: Ride, seconds: float) -> Later:
        """Cancel it in so many seconds, also when it keeps the loop to itself; until `is_over` is set."""
        return Later(seconds, lambda: self._end_in_time(ride))

    def _end_in_time(self, ride: Ride) -> None:
        """In the timer's thread."""
        ride.is_over_time = True
        self.take(ride)

    def _free_from(self, task: asyncio.Task[None] | None) -> None:
        loop, thread = self._loop, self._thread
        if loop is None or thread is None or thread.ident is None or task is None or task.done():
            return
        if asyncio.current_task(loop) is task:  # it gives no turn to others, nor to the cancelling
            interrupt(thread.ident, Taken)

    # --- for threads --------------------------------------------------------------------------------------------

    def wait(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Its outcome; the calling thread waits, and is woken when it is interrupted."""
        waiting, mark = _Waiting(self.loop, coroutine), mark_here()

        def wake() -> None:
            waiting.cancel()
            Later(BLOCKED_SECONDS, lambda: self._free_from(waiting.task))

        try:
            if mark is not None:
                mark.wake = wake
            waiting.begin()
            waiting.gate.acquire()
        except BaseException as error:
            waiting.cancel()
            if waiting.error is not None:
                error.__traceback__ = waiting.error.__traceback__  # says where it was
            raise
        finally:
            if mark is not None:
                mark.wake = None
        if waiting.error is not None:
            raise waiting.error
        return waiting.value

    def close(self, seconds: float) -> None:
        """Stop turning; what is left is cancelled."""
        if self._loop is None or self._thread is None:
            return
        self._is_closing = True
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(seconds)


class _Waiting:
    """One coroutine that a thread waits for."""

    def __init__(self, loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, Any]) -> None:
        self._loop, self._coroutine = loop, coroutine
        self.task: asyncio.Task[None] | None = None
        self._is_canceled = self._is_begun = False
        self.gate = allocate_lock()
        self.gate.acquire()
        self.value: Any = None
        self.error: BaseException | None = None

    def begin(self) -> None:
        """In the context of the calling thread."""
        self._loop.call_soon_threadsafe(self._begin, context=contextvars.copy_context())

    def _begin(self) -> None:
        self.task = self._loop.create_task(self._outcome())
        self.task.add_done_callback(lambda task: self.gate.release())

    async def _outcome(self) -> None:
        self._is_begun, home = True, os.getpid()
        try:
            if self._is_canceled:
                self._coroutine.close()
                raise asyncio.CancelledError
            self.value = await self._coroutine
        except BaseException as error:
            self.error = error
        finally:
            if os.getpid() != home:
                os._exit(0)  # a forked descendant fell out of the coroutine, and has no thread that waits for it

    def cancel(self) -> None:
        """From any thread."""
        self._is_canceled = True
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._cancel)

    def _cancel(self) -> None:
        if self.task is not None and self._is_begun:
            self.task.cancel()


def _cancel(ride: Ride) -> None:
    if ride.task is not None and ride.is_awaited:  # else it finds out when it begins
        ride.task.cancel()


async def _end_all(loop: asyncio.AbstractEventLoop) -> None:
    left = [task for task in asyncio.all_tasks(loop) if task is not asyncio.current_task(loop)]
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
