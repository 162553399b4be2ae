"""RateLimit, and a view of who holds its slots and who waits. Taking a slot is part of entering a queue."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from rq.rules.names import check_length
from rq.store import keys, read, slots
from rq.store.call import enqueue_on, run
from rq.store.scripts import load
from rq.utils import current_timestamp

if TYPE_CHECKING:
    from redis import Redis
    from redis.client import Pipeline

#: What RQ calls these scripts. Keys and arguments are those of our verbs, not RQ's.
ACQUIRE_AND_ENQUEUE_SCRIPT = load('fill_slots').text
CLEANUP_REGISTRY_SCRIPT = load('clean_slots').text
RELEASE_AND_ENQUEUE_SCRIPT = RELEASE_STALE_AND_ENQUEUE_SCRIPT = load('free_slot').text


class RateLimit:
    """At most `concurrency` jobs of a key are queued or running at a time, whatever their queues."""

    def __init__(self, key: str, concurrency: int) -> None:
        if not key:
            raise ValueError('a RateLimit needs a key: the name that its jobs share')
        check_length('a RateLimit key', key)
        if key.endswith((':allowed', ':rate_limited')):
            raise ValueError(f'{key!r} cannot be the key of a RateLimit: it is that of the books of another; rename it')
        if not isinstance(concurrency, int) or concurrency < 1:
            raise ValueError(f'concurrency {concurrency!r} must be an integer of at least 1')
        self.key = key
        self.concurrency = concurrency


class RateLimitRegistry:
    """The books of one rate limit."""

    rl_keys_key = keys.LIMITS

    def __init__(self, key: str, connection: Redis) -> None:
        self.key = key
        self.connection: Any = connection
        self._concurrency: int | None = None

    @classmethod
    def all(cls, connection: Redis) -> list[Self]:
        """Every rate limit that is in use."""
        members: Any = connection.smembers(cls.rl_keys_key)
        return [cls(key, connection) for key in read.texts(sorted(members))]

    @classmethod
    def from_job(cls, job: Any) -> Self:
        """That of a job."""
        return cls(job.rate_limit_key, job.connection)

    @property
    def config_key(self) -> str:
        """The key of its configuration."""
        return keys.limit(self.key)

    @property
    def allowed_key(self) -> str:
        """The key of those who hold a slot."""
        return keys.slots(self.key)

    @property
    def rate_limited_key(self) -> str:
        """The key of those who wait for one."""
        return keys.waiting(self.key)

    @property
    def concurrency(self) -> int:
        """The number of slots as registered last, 0 when it is not; kept."""
        if self._concurrency is None:
            self._concurrency = int(self.connection.hget(self.config_key, 'concurrency') or 0)
        return self._concurrency

    def register(self, concurrency: int, pipeline: Pipeline) -> None:
        """Enter the limit into the books, in the given pipeline."""
        pipeline.sadd(self.rl_keys_key, self.key)
        pipeline.hset(self.config_key, 'concurrency', str(concurrency))
        self._concurrency = concurrency

    def add_to_rate_limited(self, job_id: str, pipeline: Pipeline, timestamp: float | None = None) -> None:
        """Let a job wait for a slot, in the given pipeline."""
        pipeline.zadd(self.rate_limited_key, {job_id: current_timestamp() if timestamp is None else timestamp})

    def acquire_and_enqueue(
        self, concurrency: int, enqueued_at: datetime | None = None, pipeline: Pipeline | None = None
    ) -> list[str]:
        """Give free slots to those who wait; returns their ids, nothing with a pipeline."""
        call = slots.fill(self.key, concurrency, now='' if enqueued_at is None else enqueued_at.timestamp())
        if pipeline is not None:
            enqueue_on(pipeline, call)
            return []
        return run(self.connection, call)

    def release_and_enqueue(self, job_id: str) -> list[str]:
        """A job gives its slot back, and the next ones get it; returns their ids."""
        return run(self.connection, slots.free(self.key, job_id))

    def release_stale_and_enqueue(self, job_id: str) -> list[str]:
        """The same, unless the job waits, runs, or holds no slot."""
        return run(self.connection, slots.free(self.key, job_id, 'stale'))

    def cancel(self, job_id: str, pipeline: Pipeline | None = None) -> list[str]:
        """A job waits no longer; without a pipeline it gives a slot back, too, when it is stale."""
        call = slots.free(self.key, job_id, 'waiting')
        if pipeline is not None:
            enqueue_on(pipeline, call)
            return []
        run(self.connection, call)
        return self.release_stale_and_enqueue(job_id)

    def cleanup(self) -> None:
        """Free the slots of jobs that are gone or rest elsewhere; forget the limit when nobody uses it."""
        run(self.connection, slots.clean(self.key))

    def get_allowed_job_ids(self) -> list[str]:
        """Who holds a slot, in the order of taking."""
        return read.texts(self.connection.zrange(self.allowed_key, 0, -1))

    def get_allowed_job_count(self) -> int:
        """How many hold a slot."""
        return int(self.connection.zcard(self.allowed_key))

    def get_rate_limited_job_ids(self) -> list[str]:
        """Who waits, the oldest first."""
        return read.texts(self.connection.zrange(self.rate_limited_key, 0, -1))

    def get_rate_limited_job_count(self) -> int:
        """How many wait."""
        return int(self.connection.zcard(self.rate_limited_key))


def release_slot(job: Any) -> list[str]:
    """A job gives its slot back unless it is queued or runs; returns the ids of those who got one."""
    if not job.has_rate_limit:
        return []
    return RateLimitRegistry.from_job(job).release_stale_and_enqueue(job.id)
