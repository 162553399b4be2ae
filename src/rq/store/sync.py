"""is_async=False: one MULTI pipeline and no Lua, because such queues must work with plain fakeredis."""

from __future__ import annotations

from typing import Any

from rq.rules.record import JobRecord
from rq.rules.status import JobStatus
from rq.rules.timing import utcformat
from rq.store import codec, keys
from rq.utils import now


def reserve(connection: Any, record: JobRecord) -> bool:
    """The id of a unique job becomes ours, unless a record of it exists."""
    return bool(connection.hsetnx(keys.job(record.id), 'created_at', utcformat(record.created_at or now())))


def enter(connection: Any, record: JobRecord, status: JobStatus) -> None:
    """The record is stored with its status, but listed nowhere."""
    pipeline = connection.pipeline()
    pipeline.sadd(keys.QUEUES, keys.queue(record.origin))
    for kind in keys.PLACES:  # an id that was used before leaves the place of its old outcome
        pipeline.zrem(keys.place(kind, record.origin), record._id)
    pipeline.hset(keys.job(record._id), mapping={**codec.encode(record), 'status': status.value})
    pipeline.execute()


def settle(connection: Any, record: JobRecord, status: JobStatus, ttl: int, result: dict[str, Any], now: int) -> None:
    """The outcome, with its registry entry and result; ttl 0 removes a finished job."""
    pipeline = connection.pipeline()
    key, stream = keys.job(record._id), keys.results(record._id)
    if status is JobStatus.FINISHED and ttl == 0:
        pipeline.delete(key, stream)
        pipeline.execute()
        return
    fields = codec.encode(record, include_meta=False, include_result=False)
    pipeline.hset(key, mapping={**fields, 'status': status.value})
    pipeline.xadd(stream, result, maxlen=10)
    place = keys.place(status.value, record.origin)
    pipeline.zadd(place, {record._id: now + ttl if ttl >= 0 else ('+inf' if ttl == -1 else ttl)})
    if ttl >= 0:
        pipeline.expire(key, ttl)
        pipeline.expire(stream, ttl)
    pipeline.execute()
