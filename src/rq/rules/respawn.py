"""When a pool may replace a worker that ended: at once, but not for ever when workers die as soon as they start."""

from __future__ import annotations

#: a worker that lived so long was not stillborn
QUICK_SECONDS = 10.0
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0


class Respawn:
    """Counts the deaths in a row that came soon after birth; `free` of them cost nothing."""

    def __init__(self, free: int) -> None:
        self._free = free
        self._streak = 0
        self._not_before = 0.0

    def died(self, born: float, now: float) -> float:
        """A worker that was born then is dead now; returns the pause before the next one, in seconds."""
        self._streak = self._streak + 1 if now - born < QUICK_SECONDS else 0
        excess = self._streak - self._free
        # the exponent is bounded, because the streak is not
        pause = 0.0 if excess <= 0 else min(FIRST_PAUSE * 2 ** min(excess - 1, 16), LONGEST_PAUSE)
        self._not_before = now + pause
        return pause

    def failed(self, now: float) -> float:
        """No worker could be started at all; returns the pause before the next try, in seconds."""
        self._streak = max(self._streak, self._free)
        return self.died(now, now)

    def may(self, now: float) -> bool:
        """Whether the pause is over."""
        return now >= self._not_before
