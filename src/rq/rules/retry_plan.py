"""What a Retry comes to, before anything has failed: per attempt the wait, the sum, and whether it is made at all."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import NamedTuple

from rq.rules.policy import Policy
from rq.rules.retry import interval_after_failure

#: attempts that are listed; the others wait like the last of them
LISTED = 100


class Step(NamedTuple):
    """One attempt to come: seconds of its wait and of all waits up to it, each at least and at most."""

    attempt: int
    least: int
    most: int
    total_least: int
    total_most: int
    is_made: bool | None  # None: that depends on chance


def plan(
    retries_left: int, intervals: Sequence[int] | None, policy: Policy | None, room: float | None, first: int = 2
) -> list[Step]:
    """The attempts that follow when every one fails at once, `first` the number of the next one.

    `room`: seconds until the deadline. The list ends with the first attempt that is not made.
    """
    steps: list[Step] = []
    least = most = 0
    for done in range(min(retries_left, LISTED)):
        shortest, longest = wait_after(retries_left - done, intervals, policy)
        least, most = least + shortest, most + longest
        is_made = True if room is None or most <= room else False if least > room else None
        steps.append(Step(first + done, shortest, longest, least, most, is_made))
        if is_made is False:
            break
    return steps


def wait_after(retries_left: int, intervals: Sequence[int] | None, policy: Policy | None) -> tuple[int, int]:
    """Seconds at least and at most before the attempt that takes one of so many retries."""
    backoff = policy.backoff if policy is not None else None
    if policy is None or backoff is None:
        seconds = ceil(interval_after_failure(intervals, retries_left))
        return seconds, seconds
    longest = backoff.longest(policy.attempt(retries_left))
    return 1 if backoff.jitter else longest, longest
