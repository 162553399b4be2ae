"""What people do to jobs: cancel, requeue, delete, empty. Typed faces."""

from __future__ import annotations

from typing import Any, NamedTuple

from rq.store import keys
from rq.store.call import Call, text
from rq.store.scripts import load


class Requeued(NamedTuple):
    """ok, absent (not in that registry), gone (no such job), started (it runs); and the server's time."""

    answer: str
    at: float


def cancel(job_id: str, now: float | str = '') -> Call[str]:
    """Answers ok, canceled (it was already) or gone."""
    return Call(load('cancel'), [keys.job(job_id)], [now, job_id], text)


def requeue(registry_key: str, job_id: str, front: bool = False, now: float | str = '') -> Call[Requeued]:
    """A job of the registry goes to the queue of its origin."""

    def decode(reply: list[Any]) -> Requeued:
        return Requeued(reply[0].decode(), int(reply[1]) / 1e6)

    return Call(load('requeue'), [registry_key, keys.job(job_id)], [now, job_id, int(front)], decode)


def delete(job_id: str, remove_from_queue: bool = True) -> Call[str]:
    """Answers ok or gone."""
    return Call(load('delete'), [keys.job(job_id)], ['', job_id, int(remove_from_queue)], text)


def empty(queue: str, limit: int = 1000) -> Call[int]:
    """Removes up to `limit` queued jobs; answers how many."""
    return Call(load('empty'), [keys.queue(queue)], ['', limit], int)
