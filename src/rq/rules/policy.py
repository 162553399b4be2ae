"""Policy: what a Retry says beyond a number and a list of intervals, as it is stored in the field `retry_policy`."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import lru_cache
from math import isfinite
from typing import Any

from rq.rules.backoff import Backoff

MAX_NAMES = 32
MAX_TEXT = 16 * 1024  # of a stored policy; more is nobody's


@dataclass(frozen=True)
class Policy:
    """The words of a Retry that RQ 3.0 does not know; a worker of RQ 3.0 goes by the intervals stored beside it."""

    max: int
    backoff: Backoff | None = None
    function: str = ''  # dotted name; it is asked how long to wait
    on: tuple[str, ...] = ()  # dotted names of exceptions; with none, all are tried again
    never: tuple[str, ...] = ()
    deadline: float | None = None  # seconds after the job was first enqueued
    moment: float | None = None  # a deadline as given, in epoch seconds
    until: float | None = None  # the deadline in force, known since the first failure

    def covers(self, mro: Collection[str]) -> bool:
        """Whether a failure is tried again whose class and ancestors have these dotted names."""
        if any(name in mro for name in self.never):
            return False
        return not self.on or any(name in mro for name in self.on)

    def attempt(self, retries_left: int) -> int:
        """The number of the attempt at hand, counted from 1."""
        return max(self.max - retries_left + 1, 1)

    @property
    def has_deadline(self) -> bool:
        """Whether attempts end at some time."""
        return self.deadline is not None or self.moment is not None

    def end(self, enqueued: float | None) -> float | None:
        """When the last attempt may start, of a job first enqueued then."""
        if self.until is not None:
            return self.until
        ends = [] if self.moment is None else [self.moment]
        if self.deadline is not None and enqueued is not None:
            ends.append(enqueued + self.deadline)
        return min(ends, default=None)

    def bound(self, enqueued: float | None) -> Policy:
        """With the deadline in force from now on: each attempt is enqueued anew, and only the first one counts."""
        end = self.end(enqueued)
        return self if end == self.until else replace(self, until=round(end, 3) if end is not None else None)

    def unbound(self) -> Policy:
        """As it was given: who requeues the job begins anew."""
        return self if self.until is None else replace(self, until=None)

    def endless(self) -> Policy:
        """Without its deadlines."""
        return replace(self, deadline=None, moment=None, until=None)


def policy_text(policy: Policy) -> str:
    """A policy as it is stored: short names, nothing that is not said."""
    backoff = policy.backoff
    numbers = backoff and [*map(_short, (backoff.base, backoff.factor, backoff.cap)), int(backoff.jitter)]
    words = {'m': policy.max, 'b': numbers, 'f': policy.function, 'o': policy.on, 'n': policy.never}
    words |= {'d': _short(policy.deadline), 'a': _short(policy.moment), 'u': _short(policy.until)}
    return json.dumps(
        {name: value for name, value in words.items() if value not in (None, '', ())}, separators=(',', ':')
    )


@lru_cache(256)
def read_policy(text: str) -> Policy:
    """The policy of a stored text; `ValueError` for what is none. What newer versions add is passed over."""
    if len(text) > MAX_TEXT:
        raise ValueError(f'{len(text):,} characters are too many for a retry policy')
    try:
        words = json.loads(text)
        numbers = words.get('b')
        return Policy(
            max=max(int(words['m']), 1),
            backoff=Backoff(numbers[0], numbers[1], numbers[2], bool(numbers[3])) if numbers else None,
            function=_text(words.get('f', '')),
            on=_names(words.get('o', [])),
            never=_names(words.get('n', [])),
            deadline=_seconds(words.get('d')),
            moment=_seconds(words.get('a')),
            until=_seconds(words.get('u')),
        )
    except (TypeError, KeyError, IndexError, AttributeError, OverflowError, RecursionError) as error:
        raise ValueError(f'{text[:80]!r} is no retry policy: {type(error).__name__}') from error


def _short(value: Any) -> Any:
    if value is None or isinstance(value, int):
        return value
    seconds = float(value)  # a number of another kind, such as a Fraction or numpy's, has no JSON
    return int(seconds) if seconds.is_integer() else seconds


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _names(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise TypeError
    return tuple(_text(each) for each in value[:MAX_NAMES])


def _seconds(value: Any) -> float | None:
    if value is not None and (type(value) not in (int, float) or not isfinite(value)):
        raise TypeError
    seconds: float | None = value
    return seconds
