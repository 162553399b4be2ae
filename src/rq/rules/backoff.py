"""Backoff: waits that grow from attempt to attempt up to a cap, each of them drawn at random where many would meet."""

from __future__ import annotations

from math import ceil, isfinite
from numbers import Real
from typing import Any

#: seconds that a retry may wait at most, whoever says how long
LONGEST_WAIT = 10 * 365 * 86_400


class Backoff:
    """Growing waits: `base` seconds before the first retry, `factor` times as many before each next one, at most `cap`.

    With `jitter` each retry waits a random part of that ("full jitter"), so that jobs that failed together do not come
    back together.
    """

    def __init__(self, base: float = 1, factor: float = 2, cap: float = 600, jitter: bool = True) -> None:
        for word, value in (('base', base), ('factor', factor), ('cap', cap)):
            _check_number(word, value)
        if base <= 0:
            raise ValueError(f'base={base!r} leaves nothing to grow: give the seconds before the first retry, above 0')
        if factor < 1:
            raise ValueError(f'factor={factor!r} lets the waits shrink: give 1 for waits that stay, 2 to double them')
        if cap < base:
            raise ValueError(f'cap={cap!r} is less than base={base!r}: the cap is the longest wait, give more')
        if cap > LONGEST_WAIT:
            raise ValueError(f'cap={cap!r} is more than ten years ({LONGEST_WAIT} seconds): give less')
        self.base, self.factor, self.cap, self.jitter = base, factor, cap, bool(jitter)

    def __repr__(self) -> str:
        return f'Backoff(base={self.base!r}, factor={self.factor!r}, cap={self.cap!r}, jitter={self.jitter!r})'

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Backoff) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash((self.base, self.factor, self.cap, self.jitter))

    def longest(self, attempt: int) -> int:
        """Whole seconds to wait at most after the failure of this attempt, counted from 1."""
        try:
            seconds = self.base * self.factor ** max(attempt - 1, 0)
        except OverflowError:
            seconds = self.cap
        return ceil(min(seconds, self.cap))

    def wait(self, attempt: int, draw: float) -> int:
        """Whole seconds to wait after the failure of this attempt; `draw` is a random number above 0, at most 1."""
        longest = self.longest(attempt)
        return max(ceil(longest * draw), 1) if self.jitter else longest


def _check_number(word: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f'{word}={value!r} ({type(value).__name__}) is no number; give seconds or a factor like 2')
    if not isfinite(value):
        raise ValueError(f'{word}={value!r} is no finite number; give one')
