"""SIGINT and SIGTERM: carries out what `rules/shutdown` decides. Handlers set flags; the loop acts on them."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rq.timeouts import TimerDeathPenalty, UnixSignalDeathPenalty

STOPPING = (signal.SIGINT, signal.SIGTERM)


def stop_ringing() -> None:
    """The bell is about to be taken down."""
    if threading.current_thread() is threading.main_thread():
        signal.set_wakeup_fd(-1)


@contextmanager
def listening(worker: Any, wake_descriptor: int) -> Iterator[None]:
    """While the loop runs, stop signals belong to the worker; afterwards to whom they belonged before."""
    if threading.current_thread() is not threading.main_thread():
        # Signals reach the main thread only: whoever runs us in another one stops us by command, and what runs in this
        # process is timed by a timer. Horses are not: a fork makes its thread the main one of the child.
        of_horses = worker.death_penalty_class
        if of_horses is UnixSignalDeathPenalty:
            worker.death_penalty_class = TimerDeathPenalty
        try:
            yield
        finally:
            worker.death_penalty_class = of_horses
        return
    before = {signum: signal.signal(signum, worker.request_stop) for signum in STOPPING}
    wakeup = signal.set_wakeup_fd(wake_descriptor, warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(wakeup)
        for signum, handler in before.items():
            signal.signal(signum, handler if handler is not None else signal.SIG_DFL)
