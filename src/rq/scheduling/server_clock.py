"""The server's time for a cron scheduler at work: asked for in each round, kept by a steady clock meanwhile.

So the clock of this machine may be wrong, or be set while jobs are due; and a slip of the server's is not followed.
"""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

from rq.rules.timing import from_epoch
from rq.store import read

DRIFT = 2.0  # seconds from one look to the next: clocks that are steered, slow replies
DOUBT = 30.0  # seconds for which a clock must stay changed before it is believed
LOOK_AGAIN = 5.0


class ServerClock:
    """Seconds of the server's clock. One jump of it is told once."""

    def __init__(self) -> None:
        self._ahead: float | None = None
        self._doubted_at: float | None = None

    @property
    def is_known(self) -> bool:
        """Whether the server was asked."""
        return self._ahead is not None

    def now(self) -> datetime:
        """The moment, aware, UTC."""
        return from_epoch(time.monotonic() + (self._ahead or 0.0))

    def look(self, connection: Any) -> float:
        """Ask the server; answers by how many seconds its clock was changed, once that is believed."""
        asked_at = time.monotonic()
        seen = read.server_time(connection) - (asked_at + time.monotonic()) / 2
        change = 0.0 if self._ahead is None else seen - self._ahead
        if abs(change) <= DRIFT:
            self._ahead, self._doubted_at = seen, None
            return 0.0
        self._doubted_at = asked_at if self._doubted_at is None else self._doubted_at
        if asked_at - self._doubted_at < DOUBT:
            return 0.0
        self._ahead, self._doubted_at = seen, None
        return change

    def at_most(self, seconds: float) -> float:
        """How long to sleep: a clock in doubt is looked at again soon."""
        return seconds if self._doubted_at is None else min(seconds, LOOK_AGAIN)
