"""Waiting in tests: poll a condition until a deadline, and fail by saying what did not happen."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar('T')

_PAUSE = threading.Event()  # never set: waiting on it yields the processor between two looks


def wait_until(condition: Callable[[], T], timeout: float = 10.0, what: str = '') -> T:
    """Call `condition` until it gives something true, and return that; fail after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    pause = 0.001
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= deadline:
            name = what or getattr(condition, '__qualname__', repr(condition))
            raise AssertionError(f'waited {timeout:g} s in vain for: {name} (last answer: {value!r})')
        _PAUSE.wait(pause)
        pause = min(pause * 2, 0.05)
