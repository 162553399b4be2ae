"""What a stop signal means, given what came before it and whether a job runs.

Only the decision. Who receives signals, and what is done about them, stands in `rq.worker`.
"""

from __future__ import annotations

from typing import Literal

Shutdown = Literal['leave', 'warm', 'ignore', 'cold']

# Seconds after the first signal in which a second one counts as its echo: a terminal signals the whole
# foreground group, and a pool passes on what its workers have got already.
ECHO_SECONDS = 1.0


def decide(now: float, first: float | None, busy: bool) -> Shutdown:
    """What to do about a signal at `now`, when the first one came at `first` (same steady clock).

    leave: end the loop at once; warm: end after the current job; ignore: an echo; cold: kill the job too.
    """
    if first is None:
        return 'warm' if busy else 'leave'
    return 'ignore' if now - first <= ECHO_SECONDS else 'cold'
