"""What is due becomes queued. Typed face."""

from __future__ import annotations

from rq.store import keys
from rq.store.call import Call
from rq.store.scripts import load


def promote_due(queue: str, limit: int = 100, now: float | str = '') -> Call[int]:
    """Queue up to `limit` due jobs; answers how many entries were handled."""
    names = [keys.place('scheduled', queue), keys.queue(queue), keys.wake(queue), keys.scheduler_lock(queue)]
    return Call(load('promote_due'), names, [now, queue, limit], int)
