"""Batches in the worker's own process: short jobs claimed together, run in order, and settled together.

When one of them turns out long, the overseer, a thread, settles what has ended and hands back what has not begun. It
holds the lock of the main thread, which is free only while user code runs: so neither sees the other half-way.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from rq.connections import rebuild
from rq.defaults import SOCKET_TIMEOUT
from rq.executors.base import Running
from rq.failure.notify import Settlement
from rq.rules.batching import BatchSize
from rq.rules.lease import Lease
from rq.store import claim
from rq.store.call import Call, Line, is_weather
from rq.supervision.gate import passage
from rq.worker import ended as after
from rq.worker.together import Together


class Away:
    """A `with` block without the lock of the main thread, which comes back with it whatever strikes."""

    __slots__ = ('_come_back', '_go')

    def __init__(self, go: Callable[[], None], come_back: Callable[[], None]) -> None:
        self._go, self._come_back = go, come_back

    def __enter__(self) -> None:
        try:
            self._go()
        except BaseException:  # a signal's, right behind it
            self._come_back()
            raise

    def __exit__(self, *exc_info: object) -> None:
        self._come_back()


class Batches:
    """The batches of one loop whose executor is inline."""

    def __init__(self, loop: Any, seconds: float) -> None:
        self._loop, self._bound = loop, seconds
        self.sizes = BatchSize(seconds)
        self._rest: deque[Running] = deque()
        self._opened_at: float | None = None
        self._lock = threading.RLock()  # held by the main thread, but for the time that user code takes
        self._lock.acquire()
        self._is_open, self._stop = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        self._line = Line(rebuild(loop.worker.connection, socket_timeout=SOCKET_TIMEOUT))
        self._in_hand: list[Settlement] = []
        self._told: list[tuple[list[Settlement], list[Any]]] = []
        self._gone: list[Running] = []  # handed back by the overseer
        self._long: Running | None = None  # it has turned out long, and the store knows that it has begun

    # --- in the main thread -------------------------------------------------------------------------------------

    def run(self, claimed: list[Running]) -> None:
        """Run them in order, as long as there is time; what is left over goes back."""
        self._rest.extend(claimed)
        began = self._opened_at = time.monotonic()
        self._watch()
        number = 0
        try:
            # the first one in any case: else a slow machine would only take and hand back
            while self._rest and not self._loop.is_leaving() and (not number or time.monotonic() - began < self._bound):
                number += 1
                self._carry_out(self._rest.popleft())
        except BaseException:
            self._come_back()
            self._put_back()
            self._loop.talk.try_to_settle(self._loop.outbox.waiting)  # what has ended must not be done again
            raise
        self.sizes.learn(number, time.monotonic() - began)
        self._put_back()

    def _put_back(self) -> None:
        self._opened_at = None
        self._tell()
        back = []
        while self._rest:
            running = self._rest.pop()  # the last one first, for the front of the queue
            back.append(after.handed_back(running))
            self._loop.forget(running)
        self._loop.outbox.waiting[:0] = back  # before the one that was interrupted, which belongs in front of them

    def _carry_out(self, running: Running) -> None:
        loop = self._loop
        if running.watch.lost:
            loop.forget(running)  # canceled before its turn
        elif running.watch.stop_requested:
            after.stopped(loop, running)
        else:
            loop._carry_out(running)
            self._tell()

    def user_code(self) -> Away:
        """The main thread is in somebody else's code."""
        return Away(self._lock.release, self._come_back)

    def _come_back(self) -> None:
        """Have the lock again. A signal may raise at any place of this, also right after the lock was taken."""
        struck = None
        while True:
            try:
                self._lock.acquire()
                break
            except BaseException as error:
                struck = error
        if struck is not None:
            raise struck

    def _tell(self) -> None:
        while self._told:
            settled, replies = self._told.pop(0)
            self._loop.talk.told(settled, replies)
        while self._gone:
            self._loop.forget(self._gone.pop())

    def leases(self) -> list[Lease]:
        """Of outcomes that the overseer is about to store."""
        return [one.lease for one in list(self._in_hand)]

    def _watch(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._oversee, name='rq-overseer', daemon=True)
            self._thread.start()
        if not self._is_open.is_set():
            self._is_open.set()

    def close(self) -> None:
        """End the overseer."""
        self._stop.set()
        self._is_open.set()
        with contextlib.suppress(RuntimeError):
            while True:
                self._lock.release()  # until it is not ours
        if self._thread is not None:
            self._thread.join(SOCKET_TIMEOUT + 1)
        self._line.drop()

    # --- the overseer -------------------------------------------------------------------------------------------

    def _oversee(self) -> None:
        while self._is_open.wait() and not self._stop.is_set():
            opened_at = self._opened_at
            if opened_at is None:
                self._is_open.clear()
                if self._opened_at is not None:
                    self._is_open.set()  # one was opened in between
                continue
            left = opened_at + self._bound - time.monotonic()
            if left > 0:
                self._stop.wait(left)
            elif self._rest or self._loop.outbox.waiting or self._loop._main is not self._long:
                with self._lock:
                    if self._opened_at == opened_at and not self._stop.is_set():
                        self._break_up()
            else:
                self._stop.wait(self._bound)

    def _break_up(self) -> None:
        """A job takes long: the others must not wait for it."""
        held = self._loop.outbox.waiting
        rest, settled = list(self._rest), held[:]
        back = [after.handed_back(running) for running in reversed(rest)]
        self._in_hand = settled
        del held[: len(settled)]
        self._rest.clear()
        try:
            with passage():
                answers = self._write(settled, back)
                self._long = self._loop._main
        except Exception as error:
            held[:0] = settled
            self._rest.extend(rest)
            for running in rest:
                running.is_doubtful = True  # it may have gone back all the same
            if not is_weather(error):
                self._loop.inbox.words.append((40, f'a batch could not be broken up: {type(error).__name__}: {error}'))
            self._stop.wait(self._bound)
            return
        finally:
            self._in_hand = []
            self._line.drop()  # idle for long it might lead to a primary of old, and this is rare
        self._told.append((settled, answers))
        for running in rest:
            self._loop.running.pop(running.lease.execution, None)
            self._loop._claimed.pop(running.lease.job_id, None)
        self._gone += rest

    def _write(self, settled: list[Settlement], back: list[Settlement]) -> list[Any]:
        """The answers; also of those that must be asked for by themselves, who would come here again at once."""
        self._loop.talk.limit(settled)
        together = Together(settled)
        size, main = len(together.calls), self._loop._main
        long: list[Call[Any]] = [] if main is None else [claim.begin(main.lease)]  # its loss would be its own
        answers = together.answers(self._line.ask(*together.calls, *(one.call for one in back), *long)[:size])
        alone = [number for number, answer in enumerate(answers) if answer is None]
        if alone:
            for number, reply in zip(alone, self._line.ask(*(settled[number].call for number in alone)), strict=True):
                answers[number] = reply
        return answers
