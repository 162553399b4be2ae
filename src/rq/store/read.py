"""Plain reads: records, counts, pages. They decode no payload and change nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from rq.store import keys

if TYPE_CHECKING:
    from redis import Redis


def job(connection: Any, job_id: str) -> dict[bytes, bytes]:
    """The hash of a job; empty when there is none."""
    return dict(connection.hgetall(keys.job(job_id)))


def jobs(connection: Redis, job_ids: Iterable[str]) -> list[Any]:
    """The hashes of many jobs, in order, in one round trip; empty where there is none, or no hash."""
    pipeline = connection.pipeline(transaction=False)
    for job_id in job_ids:
        pipeline.hgetall(keys.job(job_id))
    replies = pipeline.execute(raise_on_error=False)
    return [reply if isinstance(reply, dict) else {} for reply in replies]


def field(connection: Any, job_id: str, name: str) -> bytes | None:
    """One field of a job's hash."""
    value: bytes | None = connection.hget(keys.job(job_id), name)
    return value


def statuses(connection: Any, job_ids: Iterable[str]) -> list[str | None]:
    """The statuses of jobs that exist, as text; None for those that do not."""
    pipeline = connection.pipeline(transaction=False)
    for job_id in job_ids:
        pipeline.hmget(keys.job(job_id), 'status', 'data')
    found: list[str | None] = []
    for status, data in pipeline.execute():
        found.append(status.decode() if status else ('created' if data else None))
    return found


def texts(members: Sequence[bytes | str]) -> list[str]:
    """Ids as text; bytes that are no UTF-8 are shown escaped."""
    return [m if isinstance(m, str) else m.decode('utf-8', errors='backslashreplace') for m in members]


def aside(connection: Redis, queue: str, limit: int = 100) -> dict[str, str]:
    """Members that cannot be worked on, with the reason, up to a limit."""
    found: dict[str, str] = {}
    for member, why in connection.hscan_iter(keys.aside(queue), count=limit):
        found[texts([member])[0]] = texts([why])[0]
        if len(found) >= limit:
            break
    return found
