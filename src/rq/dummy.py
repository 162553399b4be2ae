"""Functions to try a queue with, as RQ 0.x brought them."""

from __future__ import annotations

import random
import time

__all__ = ['div_by_zero', 'do_nothing', 'endless_loop', 'fib', 'random_failure', 'sleep']


def do_nothing() -> None:
    """Be done at once."""


def sleep(secs: float) -> None:
    """Take so many seconds."""
    time.sleep(secs)


def endless_loop() -> None:
    """Never come to an end: the timeout has to end it."""
    while True:
        time.sleep(1)


def div_by_zero() -> float:
    """Fail."""
    return 1 / int('0')


def fib(n: int) -> int:
    """The n-th Fibonacci number, the slow way."""
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def random_failure() -> str:
    """Fail every other time."""
    if random.random() < 0.5:
        raise RuntimeError('random_failure() has failed, as it does every other time')
    return 'OK'
