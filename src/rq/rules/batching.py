"""How many short jobs to claim at once, so that their work together stays within a bound."""

from __future__ import annotations

from rq.defaults import MOST_IN_BATCH

#: of the bound, the part that is planned for; the rest is for jobs that take longer than those before them
PLANNED = 0.5


class BatchSize:
    """Learns from what batches took. It grows step by step, and shrinks at once when jobs turn out longer."""

    def __init__(self, bound: float) -> None:
        self._bound = bound  # seconds
        self.size = 1

    def learn(self, jobs: int, seconds: float) -> None:
        """So many jobs took so long, their claim and settling left out."""
        if jobs < 1:
            return
        each = max(seconds / jobs, 1e-6)
        self.size = max(1, min(int(self._bound * PLANNED / each), self.size * 2, MOST_IN_BATCH))
