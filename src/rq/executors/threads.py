"""Threads that carry what they are given, one after the other; as many as needed at once. Daemons: nobody waits."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any


class Threads:
    """A queue and its threads. Of several that wait the queue wakes one, and that one the next.

    So short work is done by a single thread, while work that waits for something sees all of them.
    """

    def __init__(self, name: str, carry: Callable[[Any], None], at_most: int | None = None) -> None:
        self._name, self._carry, self._at_most = name, carry, at_most
        self._queue: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._wanted = 0
        self._threads: list[threading.Thread] = []

    def put(self, work: Any) -> None:
        """Have it carried; `OSError` when there can be no thread at all."""
        with self._lock:
            if self._wanted >= len(self._threads) and (self._at_most is None or len(self._threads) < self._at_most):
                self._grow()
            self._wanted += 1
        self._queue.put(work)

    def have(self, number: int) -> None:
        """Start so many now: one by one, in the midst of work, each of them would take as long as a job."""
        with self._lock, suppress(OSError):
            before = -1
            while before < len(self._threads) < number:
                before = len(self._threads)
                self._grow()

    def _grow(self) -> None:
        thread = threading.Thread(target=self._run, name=f'{self._name}-{len(self._threads) + 1}', daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            if not self._threads:
                raise OSError(f'no thread can be started: {error}') from error
            return  # it waits for one of the others
        self._threads.append(thread)

    def _run(self) -> None:
        while (work := self._queue.get()) is not None:
            try:
                self._carry(work)
            finally:
                with self._lock:
                    self._wanted -= 1
            del work  # it is not to be kept alive by who waits for the next

    def close(self, seconds: float) -> None:
        """Send them home, and wait so long for those that can come."""
        for _ in self._threads:
            self._queue.put(None)
        until = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(until - time.monotonic(), 0))


class LooseThreads(ThreadPoolExecutor):
    """What `asyncio.to_thread` runs in: threads that do not keep the process from ending."""

    def __init__(self, at_most: int) -> None:
        super().__init__(max_workers=1)  # it never starts that one
        self._own = Threads('rq-to-thread', lambda work: work(), at_most)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run a function in one of them."""
        future: Future[Any] = Future()

        def work() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(fn(*args, **kwargs))
            except BaseException as error:
                future.set_exception(error)

        self._own.put(work)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Send them home, and wait for nobody."""
        self._own.close(0)
        super().shutdown(wait=False)
