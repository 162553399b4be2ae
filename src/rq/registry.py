"""The registries: views over the sorted sets of one queue. Counting and listing change nothing; `cleanup` does."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rq import eras, stairs
from rq.defaults import DEFAULT_FAILURE_TTL
from rq.exceptions import InvalidJobOperation, NoSuchJobError
from rq.executions import Execution, living_ids
from rq.failure.orphans import clean_abandoned
from rq.job import Job
from rq.rate_limit import RateLimitRegistry
from rq.rules.names import parse_composite_key, parse_job_id
from rq.rules.status import JobStatus
from rq.rules.timing import from_epoch
from rq.serializers import resolve_serializer
from rq.store import keys, operate, promote, read
from rq.store.call import enqueue_on, run
from rq.timeouts import UnixSignalDeathPenalty
from rq.utils import current_timestamp, missing_keys

if TYPE_CHECKING:
    from redis import Redis
    from redis.client import Pipeline

STEP = 5000  # entries that are dropped at a time


class BaseRegistry:
    """A sorted set of job ids of one queue."""

    job_class: type[Any] = Job
    death_penalty_class: type[Any] = UnixSignalDeathPenalty
    key_template = keys.template(keys.place('registry', '{0}'))
    era: str | None = None
    _expires = False  # whether entries whose score has passed are no longer counted

    def __init__(
        self,
        name: str = 'default',
        connection: Redis | None = None,
        job_class: type[Any] | None = None,
        queue: Any = None,
        serializer: Any = None,
        death_penalty_class: type[Any] | None = None,
    ) -> None:
        if queue is not None:
            name, connection, serializer = queue.name, queue.connection, serializer or queue.serializer
        elif connection is None and eras.stacked():
            connection, self.era = eras.at_hand(), eras.ERA_A
        self.name = name
        self.connection: Any = connection
        self.serializer = resolve_serializer(serializer)
        self.key = self.key_template.format(name)
        self.job_class = job_class or self.job_class
        self.death_penalty_class = death_penalty_class or self.death_penalty_class

    def __len__(self) -> int:
        return self.count

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, BaseRegistry):
            return NotImplemented
        ours, theirs = (one.connection.connection_pool.connection_kwargs for one in (self, other))
        return self.name == other.name and bool(ours == theirs)

    def __hash__(self) -> int:
        return hash((type(self), self.name))

    def __contains__(self, item: Any) -> bool:
        job_id = item.id if isinstance(item, self.job_class) else item
        return self.connection.zscore(self.key, job_id) is not None

    # --- looking ------------------------------------------------------------------------------------------------

    @property
    def count(self) -> int:
        """The number of entries; overdue ones are not counted, and nothing is touched."""
        return self.get_job_count()

    def get_job_count(self, cleanup: bool = True) -> int:
        """The number of entries; `cleanup=False` counts overdue ones too."""
        if cleanup and self._expires:
            return int(self.connection.zcount(self.key, f'({current_timestamp()}', '+inf')) + self._eternal()
        return int(self.connection.zcard(self.key))

    def _eternal(self) -> int:
        return int(self.connection.zcount(self.key, '-inf', '(0'))  # a negative ttl is its own score: for ever

    def get_job_ids(self, start: int = 0, end: int = -1, desc: bool = False, cleanup: bool = True) -> list[str]:
        """Ids by score, a slice of them; overdue ones are left out unless `cleanup=False`."""
        return [self.parse_job_id(entry) for entry in self._entries(start, end, desc, cleanup)]

    def _entries(self, start: int, end: int, desc: bool, cleanup: bool) -> list[str]:
        if not (cleanup and self._expires):
            return read.texts(self.connection.zrange(self.key, start, end, desc=desc))
        eternal, overdue = self._eternal(), int(self.connection.zcount(self.key, 0, current_timestamp()))
        if not overdue:
            return read.texts(self.connection.zrange(self.key, start, end, desc=desc))
        # Overdue entries are one block of ranks behind the eternal ones; the slice is of what stands around it.
        living = range(int(self.connection.zcard(self.key)) - overdue)
        wanted = (living[::-1] if desc else living)[start : None if end == -1 else end + 1]
        first, last = sorted((wanted[0], wanted[-1])) if wanted else (0, -1)
        parts = ((first, min(last, eternal - 1)), (max(first, eternal) + overdue, last + overdue))
        found = [one for low, high in parts if low <= high for one in self.connection.zrange(self.key, low, high)]
        return read.texts(found[::-1] if desc else found)

    @staticmethod
    def parse_job_id(entry: str) -> str:
        """The job id in a member."""
        return entry

    def get_expired_job_ids(self, timestamp: float | None = None) -> list[str]:
        """Ids whose score has come by now, or by a given time (epoch seconds)."""
        until = current_timestamp() if timestamp is None else timestamp
        return [self.parse_job_id(one) for one in read.texts(self.connection.zrangebyscore(self.key, 0, until))]

    def get_expiration_time(self, job: Job) -> datetime:
        """The moment of a job's score (UTC)."""
        score = self.connection.zscore(self.key, job.id)
        return from_epoch(score)

    def get_queue(self) -> Any:
        """The queue of the same name."""
        return stairs.queue_named(self)

    # --- changing -----------------------------------------------------------------------------------------------

    def add(self, job: Job, ttl: int = 0, pipeline: Pipeline | None = None, xx: bool = False) -> int:
        """Put a job in for ttl seconds; -1 for ever."""
        score: float = ttl if ttl < 0 else current_timestamp() + ttl
        target: Any = self.connection if pipeline is None else pipeline
        added: int = target.zadd(self.key, {job.id: math.inf if score == -1 else score}, xx=xx)
        return added

    def remove(self, job: Job | str, pipeline: Pipeline | None = None, delete_job: bool = False) -> Any:
        """Take a job out; with `delete_job` its record too."""
        target: Any = self.connection if pipeline is None else pipeline
        job_id = job if isinstance(job, str) else job.id
        removed = target.zrem(self.key, job_id)
        if delete_job:
            instance = self.job_class.fetch(job, self.connection, self.serializer) if isinstance(job, str) else job
            instance.delete()
        return removed

    def requeue(self, job_or_id: Job | str, at_front: bool = False) -> Job:
        """Queue a job of this registry again; `InvalidJobOperation` when it is not here or runs."""
        job_id = job_or_id if isinstance(job_or_id, str) else job_or_id.id
        answer = run(self.connection, operate.requeue(self.key, job_id, at_front)).answer
        if answer == 'gone':
            raise NoSuchJobError(f'No such job: {job_id}; its record expired or was deleted')
        if answer == 'absent':
            raise InvalidJobOperation(f'Job {job_id} is not in {self.key}, so it cannot be requeued from there')
        if answer == 'started':
            raise InvalidJobOperation(f'Job {job_id} is running; requeue it when it has ended')
        if answer == 'broken':
            raise InvalidJobOperation(f'Job {job_id} cannot be requeued: its key or one of its queue has another type')
        if isinstance(job_or_id, str):
            fetched: Job = self.job_class.fetch(job_id, self.connection, self.serializer)
            return fetched
        job_or_id.refresh()
        job_or_id._exc_info = None
        return job_or_id

    def cleanup(self, timestamp: float | None = None, exception_handlers: list[Any] | None = None) -> None:
        """Drop what has expired; nothing in a registry without expiry."""


class _ExpiringRegistry(BaseRegistry):
    _expires = True

    def cleanup(self, timestamp: float | None = None, exception_handlers: list[Any] | None = None) -> None:
        """Drop entries whose time is over."""
        until = current_timestamp() if timestamp is None else timestamp
        # step by step: of a million in one go the server would have to be waited for
        while found := self.connection.zrangebyscore(self.key, 0, until, STEP, 1, withscores=True):
            self.connection.zremrangebyscore(self.key, 0, found[0][1])
        self.connection.zremrangebyscore(self.key, 0, until)


class FinishedJobRegistry(_ExpiringRegistry):
    """Jobs that succeeded; score = end of their result_ttl."""

    key_template = keys.template(keys.place('finished', '{0}'))


class FailedJobRegistry(_ExpiringRegistry):
    """Jobs that failed or were stopped; score = end of their failure_ttl."""

    key_template = keys.template(keys.place('failed', '{0}'))

    def add(  # type: ignore[override]  # RQ's own signature differs from the base
        self, job: Job, ttl: int | None = None, exc_string: str = '', pipeline: Pipeline | None = None
    ) -> None:
        """Put a job in, save it with its text, and let it expire after ttl seconds (one year)."""
        if ttl is None:
            ttl = DEFAULT_FAILURE_TTL
        own = pipeline is None
        target: Any = self.connection.pipeline() if own else pipeline
        job._exc_info = exc_string
        job.save(pipeline=target, include_meta=False)
        job.cleanup(ttl=ttl, pipeline=target)
        target.zadd(self.key, {job.id: ttl if ttl < 0 else current_timestamp() + ttl})
        if own:
            target.execute()


class StartedJobRegistry(BaseRegistry):
    """Jobs that run; members are `<job>:<execution>`, score = when the heartbeat is overdue."""

    key_template = keys.template(keys.place('wip', '{0}'))
    _expires = True

    def __contains__(self, item: Any) -> bool:
        job_id = item.id if isinstance(item, self.job_class) else item
        return job_id in self.get_job_ids(cleanup=False)

    @staticmethod
    def parse_job_id(entry: str) -> str:
        """The job id in a composite key."""
        return parse_job_id(entry)

    def add(self, job: Job, ttl: int = 0, pipeline: Pipeline | None = None, xx: bool = False) -> int:
        """Not possible: an execution is needed."""
        raise NotImplementedError('a started job is registered by its execution: use add_execution')

    def remove(self, job: Job | str, pipeline: Pipeline | None = None, delete_job: bool = False) -> None:
        """Not possible: an execution is needed."""
        raise NotImplementedError('a started job is registered by its execution: use remove_execution')

    def add_execution(self, execution: Execution, pipeline: Pipeline, ttl: int = 0, xx: bool = False) -> int:
        """Put an execution in, in the given pipeline."""
        score: float = ttl if ttl < 0 else current_timestamp() + ttl
        added: Any = pipeline.zadd(self.key, {execution.composite_key: math.inf if score == -1 else score}, xx=xx)
        return added  # type: ignore[no-any-return]  # a pipeline gives itself

    def remove_execution(
        self, execution: Execution, job: Job | None = None, pipeline: Pipeline | None = None, delete_job: bool = False
    ) -> None:
        """Take one execution out."""
        target: Any = self.connection if pipeline is None else pipeline
        target.zrem(self.key, execution.composite_key)
        if delete_job and job:
            job.delete()

    def remove_executions(self, job: Job, pipeline: Pipeline | None = None) -> None:
        """Take all living executions of a job out."""
        target: Any = self.connection if pipeline is None else pipeline
        for execution_id in living_ids(self.connection, job.id):
            target.zrem(self.key, f'{job.id}:{execution_id}')

    def get_job_and_execution_ids(
        self, start: int = 0, end: int = -1, desc: bool = False, cleanup: bool = True
    ) -> list[tuple[str, str]]:
        """Pairs of job id and execution id."""
        return [parse_composite_key(entry) for entry in self._entries(start, end, desc, cleanup)]

    def cleanup(self, timestamp: float | None = None, exception_handlers: list[Any] | None = None) -> None:
        """Fail or retry, here and now, jobs whose heartbeat is overdue; their callbacks and these handlers are told."""
        clean_abandoned(self, timestamp, exception_handlers or [])


class DeferredJobRegistry(BaseRegistry):
    """Jobs that wait for others; score = time of registration."""

    key_template = keys.template(keys.place('deferred', '{0}'))

    def add(self, job: Job, ttl: int | None = None, pipeline: Pipeline | None = None, xx: bool = False) -> int:
        """Put a job in."""
        target: Any = self.connection if pipeline is None else pipeline
        added: int = target.zadd(self.key, {job.id: current_timestamp()}, xx=xx)
        return added

    def cleanup(self, timestamp: float | None = None, exception_handlers: list[Any] | None = None) -> None:
        """Nothing: who waits for others does so for as long as it takes."""


class ReadyJobRegistry(BaseRegistry):
    """Jobs whose dependencies have ended, on their way to the queue; score = since when."""

    key_template = keys.template(keys.place('ready', '{0}'))

    def add(self, job: Job, ttl: int | None = None, pipeline: Pipeline | None = None, xx: bool = False) -> int:
        """Put a job in."""
        target: Any = self.connection if pipeline is None else pipeline
        added: int = target.zadd(self.key, {job.id: current_timestamp()}, xx=xx)
        return added

    def register_jobs(self, jobs: Sequence[Job], pipeline: Pipeline) -> None:
        """Move deferred jobs here, in the given pipeline."""
        for job in jobs:
            enqueue_on(pipeline, promote.make_ready('', [job.id]))
            job._status = job._stored_status = JobStatus.READY_TO_ENQUEUE

    def enqueue_jobs(self, job_ids: list[str]) -> list[Job]:
        """Enqueue those of the given jobs that are still ready; returns them."""
        if not job_ids:
            return []
        by_queue = run(self.connection, promote.promote_ready(job_ids, 'ready'))
        went = [job_id for ids in by_queue.values() for job_id in ids]
        found = self.job_class.fetch_many(went, self.connection, self.serializer)
        return [job for job in found if job is not None]

    def cleanup(  # type: ignore[override]  # RQ's own answer differs from the base's
        self, timestamp: float | None = None, exception_handlers: list[Any] | None = None
    ) -> list[Job]:
        """Enqueue everything in here, and drop ids that have no business here."""
        enqueued: list[Job] = []
        left = 0  # what cannot be read, or is of a newer version, stays
        while ids := read.texts(self.connection.zrange(self.key, left, left + 499)):
            enqueued += self.enqueue_jobs(ids)
            gone = {key.removeprefix(keys.JOB_PREFIX) for key in missing_keys(self.connection, [*map(keys.job, ids)])}
            known = zip(ids, read.statuses(self.connection, ids), strict=True)
            out = [one for one, status in known if one in gone or status in set(JobStatus)]
            if out:
                self.connection.zrem(self.key, *out)
            left += len(ids) - len(out)
        return enqueued


class ScheduledJobRegistry(BaseRegistry):
    """Jobs that wait for a time; score = that time."""

    key_template = keys.template(keys.place('scheduled', '{0}'))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.get_jobs_to_enqueue = self.get_expired_job_ids

    def schedule(self, job: Job, scheduled_datetime: datetime, pipeline: Pipeline | None = None) -> Any:
        """Put a job in for a moment; a naive one is local time."""
        target: Any = self.connection if pipeline is None else pipeline
        return target.zadd(self.key, {job.id: due_second(scheduled_datetime)})

    def get_jobs_to_schedule(self, timestamp: int | None = None, chunk_size: int = 1000) -> list[str]:
        """Ids whose time has come, at most `chunk_size`."""
        until = current_timestamp() if timestamp is None else timestamp
        return read.texts(self.connection.zrangebyscore(self.key, 0, until, 0, chunk_size))

    def remove_jobs(self, timestamp: int | None = None, pipeline: Pipeline | None = None) -> Any:
        """Drop ids whose time has come; deprecated."""
        warnings.warn('ScheduledJobRegistry.remove_jobs is deprecated', DeprecationWarning, stacklevel=2)
        target: Any = self.connection if pipeline is None else pipeline
        return target.zremrangebyscore(self.key, 0, current_timestamp() if timestamp is None else timestamp)

    def get_scheduled_time(self, job_or_id: Job | str) -> datetime:
        """When a job is due (UTC); `NoSuchJobError` when it is not here."""
        job_id = job_or_id if isinstance(job_or_id, str) else job_or_id.id
        score = self.connection.zscore(self.key, job_id)
        if score is None:
            raise NoSuchJobError(f'Job {job_id} is not scheduled on queue {self.name}')
        return from_epoch(score)


class CanceledJobRegistry(BaseRegistry):
    """Jobs that were canceled; score = when."""

    key_template = keys.template(keys.place('canceled', '{0}'))

    def get_expired_job_ids(self, timestamp: float | None = None) -> list[str]:
        """Not possible: canceled jobs do not expire."""
        raise NotImplementedError('canceled jobs have no expiry')


def due_second(moment: datetime) -> int:
    """The epoch second a job is due; a naive moment is local time."""
    return int(moment.astimezone().timestamp()) if moment.tzinfo is None else int(moment.timestamp())


def clean_registries(queue: Any, exception_handlers: list[Any] | None = None) -> None:
    """Drop what has expired in the registries of a queue, take care of its abandoned jobs, then of all rate limits."""
    registry = StartedJobRegistry(queue=queue, job_class=queue.job_class, serializer=queue.serializer)
    registry.cleanup(exception_handlers=exception_handlers)
    clean_beside_started(queue)


def clean_beside_started(queue: Any) -> None:
    """The same but for abandoned jobs, which a working worker leaves to its clock. By the server's time."""
    moment = read.server_time(queue.connection)
    for cls in (FinishedJobRegistry, FailedJobRegistry, DeferredJobRegistry, ReadyJobRegistry):
        cls(queue=queue, job_class=queue.job_class, serializer=queue.serializer).cleanup(moment)
    heal_deferred(queue)
    for limit in RateLimitRegistry.all(queue.connection):
        limit.cleanup()


def heal_deferred(queue: Any) -> None:
    """Queue deferred jobs although nobody told them that all they wait for has ended; up to 10,000 are looked at."""
    for start in range(0, 10_000, 500):
        ids = queue.deferred_job_registry.get_job_ids(start, start + 499)
        if not ids:
            return
        run(queue.connection, promote.promote_ready(ids, 'healed'))
