"""The outbox: news of outcomes that survive their process until somebody has told them. Typed faces.

They are put there by the script that writes the outcome (`post` in lua/lib/leave_started.lua).
"""

from __future__ import annotations

from typing import Any

from rq.store import keys
from rq.store.call import Call
from rq.store.read import texts
from rq.store.scripts import load


def take(limit: int, hold_seconds: float = 120, now: float | str = '') -> Call[list[str]]:
    """News that nobody tells at the moment; they are the caller's for so long."""
    return Call(load('take_news'), [keys.OUTBOX], [now, limit, int(hold_seconds * 1000)], texts)


def remove(connection: Any, news: str) -> None:
    """They have been told."""
    connection.zrem(keys.OUTBOX, news)
