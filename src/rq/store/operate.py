"""What people do to jobs: cancel, requeue, delete, empty. Typed faces."""

from __future__ import annotations

from typing import Any, NamedTuple

from rq.store import keys
from rq.store.call import Argument, Call, text
from rq.store.promote import by_queue
from rq.store.scripts import load


class Canceled(NamedTuple):
    """ok, canceled (it was already) or gone; and the dependents that went on, by queue."""

    answer: str
    released: dict[str, list[str]]


class Requeued(NamedTuple):
    """ok, absent (not in that registry), gone (no such job), started (it runs), broken (no hash); the server's time."""

    answer: str
    at: float


def cancel(
    job_id: str, release_dependents: bool = False, forget_dependencies: bool = False, now: float | str = ''
) -> Call[Canceled]:
    """Its dependents may be released, and its dependencies forget it."""

    def decode(reply: list[bytes]) -> Canceled:
        return Canceled(reply[0].decode(), by_queue(reply[1:]))

    arguments: list[Argument] = [now, job_id, int(release_dependents), int(forget_dependencies)]
    return Call(load('cancel'), [keys.job(job_id)], arguments, decode)


def requeue(registry_key: str, job_id: str, front: bool = False, now: float | str = '') -> Call[Requeued]:
    """A job of the registry goes to the queue of its origin."""

    def decode(reply: list[Any]) -> Requeued:
        return Requeued(reply[0].decode(), int(reply[1]) / 1e6)

    return Call(load('requeue'), [registry_key, keys.job(job_id)], [now, job_id, int(front)], decode)


def delete(
    job_id: str, remove_from_queue: bool = True, with_dependents: bool = False, now: float | str = ''
) -> Call[str]:
    """Answers ok or gone. Those who waited for the job go on, or are deleted with it."""
    arguments: list[Argument] = [now, job_id, int(remove_from_queue), int(with_dependents)]
    return Call(load('delete'), [keys.job(job_id)], arguments, text)


def empty(queue: str, limit: int = 1000, now: float | str = '') -> Call[int]:
    """Removes up to `limit` queued jobs; answers how many."""
    return Call(load('empty'), [keys.queue(queue)], [now, limit], int)
