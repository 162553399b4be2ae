"""Plain reads: records, counts, pages. They decode no payload and change nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from rq.store import codec, keys
from rq.store.call import ResponseError

if TYPE_CHECKING:
    from redis import Redis


#: the fields of a job's hash that hold its latest failed attempts
ATTEMPTS = [f'attempt:{number}' for number in range(10)]


def job(connection: Any, job_id: str) -> dict[bytes, bytes]:
    """The hash of a job; empty when there is none, `ValueError` when its key holds something else."""
    try:
        return dict(connection.hgetall(keys.job(job_id)))
    except ResponseError as error:
        raise _no_hash(job_id, error) from error


def _no_hash(job_id: str, error: ResponseError) -> Exception:
    if not str(error).startswith('WRONGTYPE'):
        return error
    return ValueError(f'{keys.job(job_id)} holds another type than the record of a job: repair the key, or delete it')


def jobs(connection: Redis, job_ids: Iterable[str]) -> list[Any]:
    """The hashes of many jobs, in order, in one round trip; empty where there is none, or no hash."""
    pipeline = connection.pipeline(transaction=False)
    for job_id in job_ids:
        pipeline.hgetall(keys.job(job_id))
    replies = pipeline.execute(raise_on_error=False)
    return [reply if isinstance(reply, dict) else {} for reply in replies]


def field(connection: Any, job_id: str, name: str) -> bytes | None:
    """One field of a job's hash; `ValueError` when its key holds something else."""
    try:
        value: bytes | None = connection.hget(keys.job(job_id), name)
    except ResponseError as error:
        raise _no_hash(job_id, error) from error
    return value


def attempts(connection: Any, job_id: str) -> list[dict[str, Any]]:
    """What is remembered of the latest failed attempts of a job, the first one first."""
    return codec.attempts(connection.hmget(keys.job(job_id), ATTEMPTS))


def statuses(connection: Any, job_ids: Iterable[str]) -> list[str | None]:
    """The statuses of jobs that exist, as text; None for those that do not."""
    pipeline = connection.pipeline(transaction=False)
    for job_id in job_ids:
        pipeline.hmget(keys.job(job_id), 'status', 'data')
    found: list[str | None] = []
    for reply in pipeline.execute(raise_on_error=False):
        if isinstance(reply, Exception) and not isinstance(reply, ResponseError):
            raise reply
        status, data = (None, None) if isinstance(reply, Exception) else reply  # no hash is no job
        found.append(shown(status) if status else ('created' if data else None))
    return found


def delayed(connection: Any, queues: Iterable[str]) -> int:
    """How many jobs of these queues wait for their time; a key of another type counts as nothing."""
    pipeline = connection.pipeline(transaction=False)
    for queue in queues:
        pipeline.zcard(keys.place('scheduled', queue))
    replies = pipeline.execute(raise_on_error=False)
    for reply in replies:
        if isinstance(reply, Exception) and not isinstance(reply, ResponseError):
            raise reply
    return sum(reply for reply in replies if isinstance(reply, int))


def server_time(connection: Any) -> float:
    """The server's clock, in seconds: ours may lie."""
    seconds, micros = connection.time()
    return float(seconds) + float(micros) / 1e6


def texts(members: Sequence[bytes | str]) -> list[str]:
    """Ids as text; bytes that are no UTF-8 are shown escaped."""
    return [shown(member) for member in members]


def shown(raw: bytes | str) -> str:
    """A text that may be none: bytes that are no UTF-8 are escaped, so that one of them hides nothing else."""
    return raw if isinstance(raw, str) else raw.decode('utf-8', errors='backslashreplace')
