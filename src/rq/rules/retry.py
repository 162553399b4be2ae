"""`Retry`, and how long to wait before the next attempt.

There are two countings: retries after an exception count down, those a job returns count up.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from numbers import Real
from typing import Any, NamedTuple


class Retry:
    """How often a failed job is tried again, and after how many seconds each time."""

    def __init__(self, max: int, interval: int | Iterable[int] = 0, enqueue_at_front: bool = False) -> None:
        if max < 1:
            raise ValueError(f'max={max!r} allows no retry: give 1 or more, or leave the Retry out')
        self.max = max
        self.intervals: list[int] = _checked_intervals(interval)
        self.enqueue_at_front = enqueue_at_front

    def __repr__(self) -> str:
        front = ', enqueue_at_front=True' if self.enqueue_at_front else ''
        return f'Retry(max={self.max!r}, interval={self.intervals!r}{front})'

    @classmethod
    def get_interval(cls, count: int, intervals: int | list[int] | None) -> int:
        """Seconds before the retry that follows `count` others; the last interval serves all beyond it."""
        return interval_of_returned(intervals, count)


# Its public address. RQ 3.0 unpickles a returned Retry under it, and so must find it in what we write.
Retry.__module__ = 'rq.job'


def _checked_intervals(interval: Any) -> list[int]:
    """One interval or many as a list, each a number of seconds that is not negative."""
    intervals: list[Any] = [interval] if isinstance(interval, Real) else list(interval)
    for seconds in intervals:
        if not isinstance(seconds, Real):
            raise TypeError(f'interval {seconds!r} ({type(seconds).__name__}) is no number of seconds')
        if seconds < 0:
            raise ValueError(f'interval {seconds!r} is negative: give 0 to retry at once, or more')
    return intervals


def interval_after_failure(retry_intervals: Sequence[int] | None, retries_left: int | None) -> int:
    """Seconds to wait after an exception, `retries_left` counted before this retry is used up.

    The list is aligned with the *last* retries: when it is shorter than they are many, its first
    interval serves the surplus at the start.
    """
    if not retry_intervals:
        return 0
    used = max(len(retry_intervals) - (retries_left or 0), 0)
    return retry_intervals[min(used, len(retry_intervals) - 1)]


def interval_of_returned(intervals: int | Sequence[int] | None, number_of_retries: int | None) -> int:
    """Seconds to wait when a job returned `Retry` after `number_of_retries` earlier ones."""
    if not intervals:
        return 0
    if isinstance(intervals, int):
        return intervals
    return intervals[min(len(intervals) - 1, number_of_retries or 0)]


class TryAgain(NamedTuple):
    """Another attempt after `interval` seconds; so many retries are left then."""

    interval: int
    retries_left: int


class GiveUp(NamedTuple):
    """The job has failed."""


class Stop(NamedTuple):
    """Somebody stopped it: nobody's error, and not tried again."""


class HandBack(NamedTuple):
    """Its worker had to leave: back to the queue, uncharged."""


def decide(
    kind: str, retries_left: int | None, interval: int, retryable: bool = True
) -> TryAgain | GiveUp | Stop | HandBack:
    """What becomes of an execution that ended as `kind`: failed, stopped or interrupted."""
    if kind == 'stopped':
        return Stop()
    if kind == 'interrupted':
        return HandBack()
    if retryable and retries_left is not None and retries_left > 0:
        return TryAgain(interval, retries_left - 1)
    return GiveUp()
