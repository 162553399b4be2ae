"""A loop that outlives its server: rounds in bad weather are repeated, sleeps end when a signal asks to stop."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rq.defaults import MAX_BACKOFF
from rq.exceptions import StopRequested
from rq.store.call import is_weather

STOPPING = (signal.SIGINT, signal.SIGTERM)
TELL_EVERY = 60  # seconds between two lines about the same outage
FIRST_PAUSE = 0.1


class Sleeper:
    """Sleeps that a signal cuts short; `stopping` tells whether one asked to stop."""

    def __init__(self, stopping: Callable[[], bool]) -> None:
        self.stopping = stopping
        self._asleep = False
        self._in_main_thread = threading.current_thread() is threading.main_thread()
        self._woken = threading.Event()  # for the other threads, which get no signals

    def wake(self) -> None:
        """End the sleep of a loop that runs in another thread than the main one."""
        # Not in a signal handler of ours: a second one could find the event locked by the first.
        if not self._in_main_thread:
            self._woken.set()

    def sleep(self, seconds: float) -> None:
        """Sleep, at most so long."""
        try:
            self._sleep(seconds)
        except StopRequested:
            self._asleep = False

    def _sleep(self, seconds: float) -> None:
        self._asleep = True  # from here on a signal raises, so none is overslept
        if seconds > 0 and not self.stopping():
            if self._in_main_thread:
                time.sleep(seconds)
            else:
                self._woken.wait(seconds)
        self._asleep = False

    @contextmanager
    def listening(self, on_signal: Callable[..., Any]) -> Iterator[None]:
        """Meanwhile stop signals call `on_signal` and end a sleep; afterwards they belong to whom they belonged."""
        if not self._in_main_thread:
            yield
            return

        def handler(signum: int, frame: Any) -> None:
            on_signal(signum, frame)
            if self._asleep:
                raise StopRequested

        before = {signum: signal.signal(signum, handler) for signum in STOPPING}
        # In a forked child the descriptor of its parent would be written to, and wake that.
        wakeup = signal.set_wakeup_fd(-1)
        try:
            yield
        except StopRequested:
            pass  # two signals at the last instant of a sleep
        finally:
            signal.set_wakeup_fd(wakeup)
            for signum, old in before.items():
                signal.signal(signum, old if old is not None else signal.SIG_DFL)

    def through_weather(self, step: Callable[[], Any], who: str, log: Any) -> None:
        """Take a step as often as it needs until the server is there again, or until asked to stop."""
        pause, told = FIRST_PAUSE, -float(TELL_EVERY)
        while not self.stopping():
            try:
                step()
            except Exception as error:
                if not is_weather(error):
                    raise
                if time.monotonic() - told >= TELL_EVERY:
                    log.warning('%s: the server does not answer, waiting for it: %s', who, error)
                    told = time.monotonic()
                self.sleep(pause)
                pause = min(pause * 2, MAX_BACKOFF)
            else:
                if told >= 0:
                    log.info('%s: the server is there again', who)
                return
