"""What need not wait any longer, for a time or for other jobs, becomes queued. Typed faces."""

from __future__ import annotations

from collections.abc import Sequence

from rq.store import keys
from rq.store.call import Call, text
from rq.store.scripts import load

#: due jobs in one step: what a server does within some milliseconds, and others want it, too
BATCH = 200


def by_queue(pairs: Sequence[bytes]) -> dict[str, list[str]]:
    """Ids by the name of their queue."""
    found: dict[str, list[str]] = {}
    for queue, job_id in zip(pairs[::2], pairs[1::2], strict=True):
        found.setdefault(text(queue), []).append(text(job_id))
    return found


def promote_due(queue: str, limit: int = 100, now: float | str = '') -> Call[int]:
    """Queue up to `limit` due jobs; answers how many entries were handled."""
    names = [keys.place('scheduled', queue), keys.queue(queue), keys.wake(queue), keys.scheduler_lock(queue)]
    return Call(load('promote_due'), names, [now, queue, limit], int)


def promote_ready(job_ids: Sequence[str], which: str = 'deferred', now: float | str = '') -> Call[dict[str, list[str]]]:
    """Of these jobs, queue those that are `ready`, and `deferred` ones that wait for nothing any more.

    Those to be `healed` are deferred although every job they wait for has ended: somebody died who should have told.
    """
    return Call(load('promote_ready'), [keys.job(job_ids[0])], [now, which, *job_ids], by_queue)


def promote_dependents(limit: int = BATCH, now: float | str = '') -> Call[int]:
    """Go on with one job that has very many dependents; answers how many such jobs are left."""
    return Call(load('promote_dependents'), [keys.RELEASING], [now, limit], int)


def make_ready(parent: str, job_ids: Sequence[str], now: float | str = '') -> Call[dict[str, list[str]]]:
    """Move deferred jobs to the ready registries of their queues."""
    return Call(load('make_ready'), [keys.dependents(parent)], [now, *job_ids], by_queue)
