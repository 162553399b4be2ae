"""The book of cron schedulers: who lives, by the time of the latest heartbeat."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rq.defaults import DEFAULT_CRON_SCHEDULER_TTL
from rq.exceptions import DuplicateSchedulerError, SchedulerNotFound
from rq.store import keys, read
from rq.utils import now

if TYPE_CHECKING:
    from redis import Redis
    from redis.client import Pipeline


def get_registry_key() -> str:
    """The key of the sorted set of cron schedulers."""
    return keys.CRON_SCHEDULERS


def register(cron_scheduler: Any, pipeline: Pipeline | None = None) -> None:
    """Enter a scheduler; `DuplicateSchedulerError` when its name is taken (not seen through a pipeline)."""
    target: Any = cron_scheduler.connection if pipeline is None else pipeline
    added = target.zadd(get_registry_key(), {cron_scheduler.name: now().timestamp()}, nx=True)
    if pipeline is None and not added:
        raise DuplicateSchedulerError(f'a cron scheduler named {cron_scheduler.name!r} is registered already')


def unregister(cron_scheduler: Any, pipeline: Pipeline | None = None) -> None:
    """Take a scheduler out; `SchedulerNotFound` when it was not there (not seen through a pipeline)."""
    target: Any = cron_scheduler.connection if pipeline is None else pipeline
    removed = target.zrem(get_registry_key(), cron_scheduler.name)
    if pipeline is None and not removed:
        raise SchedulerNotFound(f'no cron scheduler named {cron_scheduler.name!r} is registered')


def get_keys(connection: Redis) -> list[str]:
    """The names of the registered schedulers, the longest silent first."""
    members: Any = connection.zrange(get_registry_key(), 0, -1)
    return read.texts(members)


def cleanup(connection: Redis, threshold: int = DEFAULT_CRON_SCHEDULER_TTL) -> int:
    """Take out schedulers silent for more than `threshold` seconds; returns how many."""
    return int(connection.zremrangebyscore(get_registry_key(), '-inf', now().timestamp() - threshold))
