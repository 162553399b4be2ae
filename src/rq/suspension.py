"""Suspension: one key that keeps every worker of the database from taking new jobs. Running jobs go on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rq.store import keys

if TYPE_CHECKING:
    from redis import Redis

WORKERS_SUSPENDED = keys.SUSPENDED


def is_suspended(connection: Redis, worker: Any = None) -> int:
    """Whether workers are suspended; a worker that asks says in the same round trip that it is alive."""
    if worker is None:
        return int(connection.exists(WORKERS_SUSPENDED))
    pipeline = connection.pipeline(transaction=False)
    worker.heartbeat(pipeline=pipeline)
    pipeline.exists(WORKERS_SUSPENDED)
    return int(pipeline.execute()[-1])


def suspend(connection: Redis, ttl: int | None = None) -> None:
    """Keep workers from taking new jobs, for `ttl` seconds or until `resume`."""
    # In one transaction: a suspension that lost its end would last for ever.
    pipeline = connection.pipeline(transaction=True)
    pipeline.set(WORKERS_SUSPENDED, 1)
    if ttl is not None:
        pipeline.expire(WORKERS_SUSPENDED, ttl)
    pipeline.execute()


def resume(connection: Redis) -> None:
    """Let workers take jobs again."""
    connection.delete(WORKERS_SUSPENDED)
