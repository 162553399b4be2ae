"""`Repeat`, and what the next repetition of a job is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple


@dataclass
class Repeat:
    """How often a job that succeeded runs again, and after how many seconds each time."""

    times: int
    intervals: list[int]

    def __init__(self, times: int, interval: int | Iterable[int] | None = 0) -> None:
        if times < 1:
            raise ValueError(f'times={times!r} repeats nothing: give 1 or more, or leave the Repeat out')
        self.times = times
        self.intervals = _checked(interval)

    @classmethod
    def get_interval(cls, count: int, intervals: list[int]) -> int:
        """Seconds before a repetition; the last interval serves all beyond the list."""
        return intervals[min(count, len(intervals) - 1)]

    @classmethod
    def schedule(cls, job: Any, queue: Any, pipeline: Any = None) -> datetime | None:
        """Use up one repetition: enqueue the job at once (None), or schedule it for the time that is returned."""
        step = next_repeat(job.repeats_left, job.repeat_intervals)
        if step is None:
            raise ValueError(f'Job {job.id} has no repeats left')
        job.repeats_left, job.repeat_intervals = step.left, step.intervals
        if not step.interval:
            queue._enqueue_job(job, pipeline=pipeline)
            return None
        moment: datetime = queue._schedule_in(job, step.interval, pipeline)
        return moment


Repeat.__module__ = 'rq.repeat'  # its public address


class Step(NamedTuple):
    """One repetition: seconds until it, and what is left afterwards."""

    interval: int
    left: int
    intervals: list[int]


def next_repeat(repeats_left: int | None, intervals: Sequence[int] | None) -> Step | None:
    """The repetition after a success, or None when there is none left."""
    if not repeats_left or repeats_left < 1:
        return None
    rest = list(intervals or [0])
    return Step(rest[0], repeats_left - 1, rest[1:] if len(rest) > 1 else rest)


def _checked(interval: Any) -> list[int]:
    if isinstance(interval, int):
        intervals: list[Any] = [interval]
    elif isinstance(interval, Iterable) and not isinstance(interval, str | bytes):
        intervals = list(interval)
    else:
        raise TypeError(f'interval {interval!r} is neither a whole number of seconds nor a list of them')
    for seconds in intervals:
        if not isinstance(seconds, int):
            raise TypeError(f'interval {seconds!r} ({type(seconds).__name__}) is no whole number of seconds')
        if seconds < 0:
            raise ValueError(f'interval {seconds!r} is negative: give 0 to repeat at once, or more')
    return intervals or [0]
