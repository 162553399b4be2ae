"""The failed queue of 0.x: a view of the FailedJobRegistries of all queues, which stay the only truth.

The list `rq:queue:failed` that an old version left is read and emptied here, and never written to.
"""

from __future__ import annotations

import logging
import traceback
from typing import TYPE_CHECKING, Any

from rq import eras
from rq.defaults import DEFAULT_FAILURE_TTL
from rq.exceptions import InvalidJobOperation, InvalidJobOperationError, NoSuchJobError
from rq.failure.outcome import times
from rq.job import Job
from rq.queue import Queue
from rq.registry import FailedJobRegistry
from rq.store import keys, operate, read
from rq.store.call import run
from rq.store.quarantine import quarantine
from rq.utils import current_timestamp

if TYPE_CHECKING:
    from redis import Redis
    from redis.client import Pipeline

NAME = 'failed'
logger = logging.getLogger('rq.worker')


def get_failed_queue(connection: Redis | None = None, job_class: Any = None) -> FailedQueue:
    """The failed queue of a connection; deprecated: look into `queue.failed_job_registry`."""
    return FailedQueue(connection, job_class)


class FailedQueue(Queue):
    """The jobs that failed, of all queues, the oldest failure first; deprecated: use `FailedJobRegistry`."""

    def __init__(self, connection: Redis | None = None, job_class: Any = None, **words: Any) -> None:
        super().__init__(NAME, connection=connection, job_class=job_class, **words)
        self.era = eras.ERA_A

    # --- looking ------------------------------------------------------------------------------------------------

    @property
    def count(self) -> int:
        """The number of failed jobs."""
        return len(self.get_job_ids())

    def get_job_ids(self, offset: int = 0, length: int = -1) -> list[str]:
        """Ids of failed jobs, a slice of them; length -1 is all."""
        ids = self._left_ids() + self._registered_ids()
        ids = list(dict.fromkeys(ids))
        return ids[offset:] if length < 0 else ids[offset : offset + length]

    def _registries(self) -> list[FailedJobRegistry]:
        prefix = self.redis_queue_namespace_prefix
        names = {key.removeprefix(prefix) for key in read.texts(list(self.connection.smembers(keys.QUEUES)))}
        return [self._registry_of(name) for name in sorted(names)]

    def _registry_of(self, name: str) -> FailedJobRegistry:
        return FailedJobRegistry(name, self.connection, self.job_class, serializer=self.serializer)

    def _left_ids(self) -> list[str]:
        """What an old version left in its list; jobs enqueued on a queue of this name today stand there, too."""
        ids = super().get_job_ids()
        seen = self._read(ids, 'data', 'status', 'origin')
        return [job_id for job_id in ids if seen[job_id][0] and seen[job_id][1:] != [b'queued', NAME.encode()]]

    def _registered_ids(self) -> list[str]:
        ids = [job_id for registry in self._registries() for job_id in registry.get_job_ids()]
        seen = self._read(ids, 'data', 'ended_at', 'last_heartbeat')
        found = [job_id for job_id in ids if seen[job_id][0]]
        # A score tells when the entry expires; when the job failed is told by its record, in texts that sort by time.
        return sorted(found, key=lambda job_id: max(moment or b'' for moment in seen[job_id][1:]))

    def _read(self, ids: list[str], *fields: str) -> dict[str, list[bytes | None]]:
        pipeline = self.connection.pipeline(transaction=False)
        for job_id in ids:
            pipeline.hmget(keys.job(job_id), *fields)
        return dict(zip(ids, pipeline.execute(), strict=True))

    def fetch_job(self, job_id: str) -> Job | None:
        """The job of an id if it has failed, else None."""
        try:
            job: Job = self.job_class.fetch(job_id, connection=self.connection, serializer=self.serializer)
        except NoSuchJobError:
            self.remove(job_id)
            return None
        wanted = job.origin == self.name or job in self._registry_of(job.origin) or job.id in self._left_ids()
        return eras.mark(job) if wanted else None

    def get_job_position(self, job_or_id: Job | str) -> int | None:
        """Its index among the failed ones, or None."""
        ids, job_id = self.get_job_ids(), _id(job_or_id)
        return ids.index(job_id) if job_id in ids else None

    # --- in and out ---------------------------------------------------------------------------------------------

    def quarantine(self, job: Job, exc_info: Any) -> Job:
        """Put a job among the failed ones, with a text; it is saved. What runs now is left to its worker."""
        store(job, str(exc_info), self.connection)
        return job

    def requeue(self, job_or_id: Job | str) -> Job | None:
        """Queue a failed job again, where it came from; None for an unknown id, an error for one that did not fail."""
        job_id = _id(job_or_id)
        try:
            job: Job = self.job_class.fetch(job_id, connection=self.connection, serializer=self.serializer)
        except NoSuchJobError:
            self.remove(job_id)
            return None
        registry = self._registry_of(job.origin or 'default')
        if job_id in self._left_ids():
            # A registry has the verb that requeues. Between the two lines it stands in both places, which is no harm.
            self.connection.zadd(registry.key, {job_id: current_timestamp() + DEFAULT_FAILURE_TTL})
            self.connection.lrem(self.key, 0, job_id)
        try:
            registry.requeue(job)
        except InvalidJobOperation as error:
            raise InvalidJobOperationError('Cannot requeue non-failed jobs') from error
        eras.mark(job)
        return job

    def remove(self, job_or_id: Job | str, pipeline: Pipeline | None = None) -> Any:
        """Take a job out, without deleting it; returns how many were there."""
        own = pipeline is None
        target: Any = self.connection.pipeline() if own else pipeline
        target.lrem(self.key, 0, _id(job_or_id))
        for registry in self._registries():
            target.zrem(registry.key, _id(job_or_id))
        return int(any(target.execute())) if own else target

    def empty(self) -> int:
        """Delete all failed jobs; returns how many."""
        left, ids = self._left_ids(), self.get_job_ids()
        for job_id in ids:
            run(self.connection, operate.delete(job_id))
        for job_id in left:
            self.connection.lrem(self.key, 0, job_id)
        for registry in self._registries() if ids else ():
            self.connection.zrem(registry.key, *ids)
        return len(ids)


def store(job: Any, text: str, connection: Any, only_failed: bool = False) -> str:
    """Put a job among the failed ones; tells what became of that."""
    job.id  # noqa: B018 - makes the id
    job._exc_info = text
    ttl = DEFAULT_FAILURE_TTL if job.failure_ttl is None else job.failure_ttl
    # Of an attempt that a worker has just settled, the result tells which one it was.
    execution = getattr(job, '_settled_execution', '')
    return run(connection, quarantine(job, ttl, text, execution, times(job), only_failed))


def move_to_failed_queue(job: Any, *exc_info: Any) -> None:
    """The default exception handler: the failure is stored. What a handler before it queued again is let alone."""
    failure = job._failure
    text = failure.full_text if failure is not None else ''.join(traceback.format_exception(*exc_info))
    if store(job, text, job.connection, only_failed=True) == 'ok':
        logger.warning('Moving job %s to the failed queue, which is FailedJobRegistry %r today', job.id, job.origin)


def _id(job_or_id: Job | str) -> str:
    return job_or_id if isinstance(job_or_id, str) else job_or_id.id
