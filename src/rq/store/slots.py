"""Slots of rate limits: fill, free, clean. Typed faces; taking one is part of entering a queue."""

from __future__ import annotations

from rq.store import keys
from rq.store.call import Call
from rq.store.read import texts
from rq.store.scripts import load


def fill(limit: str, concurrency: int, now: float | str = '') -> Call[list[str]]:
    """Give free slots to those who wait; answers the ids that are queued now."""
    return Call(load('fill_slots'), [keys.limit(limit)], [now, limit, concurrency], texts)


def free(limit: str, job_id: str, condition: str = 'any', now: float | str = '') -> Call[list[str]]:
    """A job gives its slot back and the next ones get it; answers the ids that are queued now.

    Condition `any`: whether it held one or not; `held`: only then are free slots given away; `stale`: the same, and
    only of a job that neither waits nor runs; `waiting`: it only leaves its place among those who wait.
    """
    return Call(load('free_slot'), [keys.limit(limit)], [now, limit, job_id, condition], texts)


def clean(limit: str, now: float | str = '') -> Call[int]:
    """Slots of jobs that are gone or rest elsewhere are free; an unused limit is forgotten."""
    return Call(load('clean_slots'), [keys.limit(limit)], [now, limit], int)
