"""The book of cron jobs: their names, by the time of the latest enqueue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rq.defaults import DEFAULT_CRON_JOB_HISTORY_TTL
from rq.store import keys, read
from rq.utils import now

if TYPE_CHECKING:
    from redis import Redis
    from redis.client import Pipeline


def get_registry_key() -> str:
    """The key of the sorted set of cron job names."""
    return keys.CRON_JOBS


def add(name: str, connection: Redis | Pipeline, enqueue_timestamp: float | None = None) -> None:
    """Note that a cron job was enqueued, now or at a time (epoch seconds)."""
    at = now().timestamp() if enqueue_timestamp is None else enqueue_timestamp
    connection.zadd(get_registry_key(), {name: at})


def get_names(connection: Redis, cleanup: bool = True) -> list[str]:
    """The names, oldest activity first; stale ones are removed before, unless told not to."""
    if cleanup:
        remove_stale_entries(connection)
    members: Any = connection.zrange(get_registry_key(), 0, -1)
    return read.texts(members)


def remove_stale_entries(connection: Redis, threshold: int = DEFAULT_CRON_JOB_HISTORY_TTL) -> int:
    """Take out names without activity for more than `threshold` seconds; returns how many."""
    return int(connection.zremrangebyscore(get_registry_key(), '-inf', now().timestamp() - threshold))
