"""The outbox: news of outcomes that survive their process until somebody has told them. Typed faces.

They are put there by the script that writes the outcome (`post` in lua/lib/leave_started.lua).
"""

from __future__ import annotations

import json
from typing import Any

from rq.defaults import DELIVERIES_KEPT, DELIVERIES_TTL, MAX_NEWS
from rq.store import keys
from rq.store.call import Call
from rq.store.read import texts
from rq.store.scripts import load

HOLD_SECONDS = 45.0  # as soon as the jobs of a lost worker, its news are told by another
News = str | bytes


def take(limit: int, hold_seconds: float = HOLD_SECONDS, now: float | str = '') -> Call[list[News]]:
    """News that nobody tells at the moment; they are the caller's for so long."""
    return Call(load('take_news'), [keys.OUTBOX], [now, limit, int(hold_seconds * 1000)], _as_they_are)


def _as_they_are(members: list[Any]) -> list[News]:
    """Junk stays bytes: as text it could not be removed."""
    found: list[News] = []
    for one in members:
        try:
            found.append(one if isinstance(one, str) else one.decode())
        except UnicodeDecodeError:
            found.append(one)
    return found


def hold(news: News, seconds: float, only_due: bool = False, now: float | str = '') -> Call[bool]:
    """These are the caller's for so long, or nobody's until then; False when they are gone (or not due)."""
    return Call(load('hold_news'), [keys.OUTBOX], [now, news, int(seconds * 1000), int(only_due)], bool)


def exchange(
    news: News,
    record: str = '',
    pause: float = 0,
    rest: list[str] | None = None,
    most: int = MAX_NEWS,
    now: float | str = '',
) -> Call[int]:
    """They were told, or told in vain: `rest` is to be told after the pause. Gives how many others were dropped."""
    words = [now, news, int(pause * 1000), record, most, DELIVERIES_KEPT, DELIVERIES_TTL, *(rest or [])]
    return Call(load('exchange_news'), [keys.OUTBOX, keys.DELIVERIES], words, int)


def count(connection: Any) -> int:
    """How many news wait, or are being told."""
    return int(connection.zcard(keys.OUTBOX))


def deliveries(connection: Any, limit: int) -> list[tuple[float, dict[str, Any]]]:
    """The latest tries: when (epoch seconds of the server), and what is on record of them."""
    found = []
    for entry in texts(connection.lrange(keys.DELIVERIES, 0, max(limit, 0) - 1) if limit > 0 else []):
        moment, _, record = entry.partition(' ')
        try:
            found.append((int(moment) / 1000, dict(json.loads(record))))
        except (ValueError, TypeError):
            continue  # somebody else's writing
    return found
