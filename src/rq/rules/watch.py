"""What to do about running executions: deadlines, stop requests and lost leases in, actions out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from rq.defaults import KILL_GRACE


class Why(str, Enum):
    """Why an execution is killed."""

    OVERDUE = 'overdue'
    STOPPED = 'stopped'
    LOST = 'lost'
    INTERRUPTED = 'interrupted'


@dataclass
class Watched:
    """What the watch knows of one execution; times are on one monotonic clock, in seconds."""

    deadline: float | None = None
    phase: str = ''
    stop_requested: bool = False
    lost: bool = False
    unwanted: bool = False  # canceled: it may run on, and holds no lease
    interrupted: bool = False
    killed_for: Why | None = None

    def allow(self, seconds: float | None, now: float, phase: str = '') -> None:
        """A new phase begins and may take so long; None or negative is no limit."""
        self.phase = phase
        self.deadline = None if seconds is None or seconds < 0 else now + seconds + KILL_GRACE


def decide(watched: Iterable[tuple[Any, Watched]], now: float) -> list[tuple[Any, Why]]:
    """Who must be killed, and why. Each one is named once."""
    actions: list[tuple[Any, Why]] = []
    for key, one in watched:
        if one.killed_for is not None:
            continue
        if one.stop_requested:
            actions.append((key, Why.STOPPED))
        elif one.lost:
            actions.append((key, Why.LOST))
        elif one.interrupted:
            actions.append((key, Why.INTERRUPTED))
        elif one.deadline is not None and now >= one.deadline:
            actions.append((key, Why.OVERDUE))
    return actions


def next_deadline(watched: Iterable[Watched], now: float, at_most: float) -> float:
    """Seconds until the next deadline, at most the given ones."""
    soonest = at_most
    for one in watched:
        if one.deadline is not None and one.killed_for is None:
            soonest = min(soonest, one.deadline - now)
    return max(soonest, 0.0)
