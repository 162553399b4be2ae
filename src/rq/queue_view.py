"""A queue as it is looked at and taken from: identity, counts, pages, removal. Putting in stands in `queue.py`."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterable, Iterator, Sequence
from functools import total_ordering
from typing import TYPE_CHECKING, Any, Self

from rq import eras, stairs
from rq.connections import redact
from rq.exceptions import DequeueTimeout, NoSuchJobError
from rq.intermediate_queue import IntermediateQueue
from rq.job import Job
from rq.registry import (
    CanceledJobRegistry,
    DeferredJobRegistry,
    FailedJobRegistry,
    FinishedJobRegistry,
    ReadyJobRegistry,
    ScheduledJobRegistry,
    StartedJobRegistry,
)
from rq.rules.keeping import keep_words
from rq.rules.names import check_length, import_attribute
from rq.rules.retry import Retry, checked_default
from rq.rules.timing import parse_timeout
from rq.serializers import resolve_serializer
from rq.store import aside, keys, operate, read
from rq.store.call import run
from rq.timeouts import UnixSignalDeathPenalty
from rq.utils import get_version, missing_keys

if TYPE_CHECKING:
    from redis import Redis
    from redis.client import Pipeline

logger = logging.getLogger('rq.queue')


@total_ordering
class QueueView:
    """The list of ids of one queue, and its registries."""

    job_class: type[Any] = Job
    death_penalty_class: type[Any] = UnixSignalDeathPenalty
    DEFAULT_TIMEOUT = 180
    redis_queue_namespace_prefix = keys.QUEUE_PREFIX
    redis_queues_keys = keys.QUEUES
    era: str | None = None
    keep_on_failure: str | None = None
    default_retry: Retry | None = None  # for jobs that are enqueued without a word on retries

    @eras.second_is_timeout
    def __init__(
        self,
        name: str = 'default',
        connection: Any = None,
        default_timeout: int | None = None,
        is_async: bool = True,
        job_class: str | type[Any] | None = None,
        serializer: Any = None,
        death_penalty_class: type[Any] | None = UnixSignalDeathPenalty,
        keep_on_failure: Any = None,
        **kwargs: Any,
    ) -> None:
        if connection is None:
            connection = eras.at_hand("Queue() missing 1 required positional argument: 'connection'")
            self.era = eras.ERA_A
        if 'async' in kwargs:
            is_async = kwargs['async']
            warnings.warn('The `async` keyword is deprecated, use `is_async`', DeprecationWarning, stacklevel=2)
        if 'default_retry' in kwargs:
            self.default_retry = checked_default(kwargs['default_retry'])
        if isinstance(connection, str):
            raise TypeError(f'connection={redact(connection)!r} is a text: write rq.connections.from_url(...)')
        self.connection = connection
        self.name = checked_name(name)
        self._key = f'{self.redis_queue_namespace_prefix}{name}'
        self._default_timeout = parse_timeout(default_timeout) or self.DEFAULT_TIMEOUT
        self._is_async = is_async
        self.keep_on_failure = keep_words(keep_on_failure or self.keep_on_failure) or None
        self.log = logger
        if job_class is not None:
            self.job_class = import_attribute(job_class) if isinstance(job_class, str) else job_class  # type: ignore[assignment]  # a dotted name may lead anywhere
        self.death_penalty_class = death_penalty_class or self.death_penalty_class
        self.serializer = resolve_serializer(serializer)
        self.redis_server_version: tuple[int, int, int] | None = None

    # --- identity -----------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return self.count

    def __bool__(self) -> bool:
        return True

    def __iter__(self) -> Iterator[Self]:
        yield self

    def __eq__(self, other: object) -> bool:
        return self.name == _queue(other).name

    def __lt__(self, other: object) -> bool:
        return self.name < _queue(other).name

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}({self.name!r})'

    def __str__(self) -> str:
        return f'<{self.__class__.__name__} {self.name}>'

    @classmethod
    @eras.finding
    def all(
        cls, connection: Redis, job_class: Any = None, serializer: Any = None, death_penalty_class: Any = None
    ) -> list[Self]:
        """Every queue that was ever used."""
        found = []
        for key in read.texts(list(connection.smembers(cls.redis_queues_keys))):
            try:
                found.append(cls.from_queue_key(key, connection, job_class, serializer, death_penalty_class))
            except ValueError as error:
                logger.warning('%s holds a key that is left out: %s', cls.redis_queues_keys, error)
        return found

    @classmethod
    @eras.finding
    def from_queue_key(
        cls,
        queue_key: str,
        connection: Redis,
        job_class: Any = None,
        serializer: Any = None,
        death_penalty_class: Any = None,
    ) -> Self:
        """The queue of a key; `ValueError` for a key that is none of a queue."""
        prefix = cls.redis_queue_namespace_prefix
        if not queue_key.startswith(prefix):
            raise ValueError(f'Not a valid RQ queue key: {queue_key!r}; it should begin with {prefix!r}')
        return cls(
            queue_key[len(prefix) :], connection=connection, job_class=job_class, serializer=serializer,
            death_penalty_class=death_penalty_class,
        )  # fmt: skip

    @property
    def key(self) -> str:
        """The key of its list."""
        return self._key

    @property
    def is_async(self) -> bool:
        """Whether workers run its jobs; False: they run where they are enqueued."""
        return self._is_async

    # --- looking ------------------------------------------------------------------------------------------------

    @property
    def count(self) -> int:
        """The number of listed jobs."""
        return int(self.connection.llen(self.key))

    def is_empty(self) -> bool:
        """Whether nothing is listed."""
        return self.count == 0

    def get_job_ids(self, offset: int = 0, length: int = -1) -> list[str]:
        """Ids in order, a slice of them; length -1 is all."""
        if length == 0:
            return []
        end = length if length < 0 else offset + length - 1
        return [read_id.split(':')[0] for read_id in read.texts(self.connection.lrange(self.key, offset, end))]

    def get_jobs(self, offset: int = 0, length: int = -1) -> list[Job]:
        """The same as jobs; those without a record that can be read are left out."""
        ids = self.get_job_ids(offset, length)
        try:
            found = self.job_class.fetch_many(ids, connection=self.connection, serializer=self.serializer)
        except (ValueError, NoSuchJobError):
            found = [self._readable(job_id) for job_id in ids]
        return eras.heir(self, [job for job in found if job is not None])

    def _readable(self, job_id: str) -> Job | None:
        try:
            job: Job = self.job_class.fetch(job_id, connection=self.connection, serializer=self.serializer)
        except (ValueError, NoSuchJobError) as error:
            self.log.warning('Queue %s: job %r is left out: %s', self.name, job_id, error)
            return None
        return job

    @property
    def aside(self) -> dict[str, str]:
        """Ids that cannot be worked on, because their records make no sense, with the reasons."""
        return aside.of_queue(self.connection, self.name)

    def return_aside(self, member: str) -> bool:
        """Queue an id that was set aside, once its record was put right; returns whether it is queued now."""
        return run(self.connection, aside.return_aside(self.name, member)).answer == 'ok'

    job_ids = property(lambda self: self.get_job_ids(), doc='All ids, in order.')
    jobs = property(lambda self: self.get_jobs(), doc='All jobs, in order.')

    def fetch_job(self, job_id: str) -> Job | None:
        """The job of an id if this queue is its origin, else None."""
        try:
            job: Job = self.job_class.fetch(job_id, connection=self.connection, serializer=self.serializer)
        except NoSuchJobError:
            self.remove(job_id)
            return None
        return eras.heir(self, job) if job.origin == self.name else None

    def get_job_position(self, job_or_id: Job | str) -> int | None:
        """Its index in the list, or None."""
        position: int | None = self.connection.lpos(self.key, _id(job_or_id))
        return position

    def _registry(self, cls: type[Any]) -> Any:
        return cls(queue=self, job_class=self.job_class, serializer=self.serializer)

    started_job_registry = property(lambda self: self._registry(StartedJobRegistry), doc='Jobs that run.')
    finished_job_registry = property(lambda self: self._registry(FinishedJobRegistry), doc='Jobs that succeeded.')
    failed_job_registry = property(lambda self: self._registry(FailedJobRegistry), doc='Jobs that failed.')
    deferred_job_registry = property(lambda self: self._registry(DeferredJobRegistry), doc='Jobs that wait for others.')
    ready_job_registry = property(lambda self: self._registry(ReadyJobRegistry), doc='Jobs whose dependencies ended.')
    scheduled_job_registry = property(lambda self: self._registry(ScheduledJobRegistry), doc='Jobs that are not due.')
    canceled_job_registry = property(lambda self: self._registry(CanceledJobRegistry), doc='Jobs that were canceled.')

    # --- housekeeping -------------------------------------------------------------------------------------------

    def get_redis_server_version(self) -> tuple[int, int, int]:
        """The version of the server; kept."""
        if self.redis_server_version is None:
            self.redis_server_version = get_version(self.connection)
        return self.redis_server_version

    registry_cleaning_key = property(lambda self: keys.clean_registries(self.name), doc='The key of its cleaning lock.')
    intermediate_queue_key = property(lambda self: keys.intermediate(self.key), doc='Where RQ 3.0 parks an id.')
    intermediate_queue = property(
        lambda self: IntermediateQueue(self.key, self.connection), doc='What RQ 3.0 workers parked there.'
    )

    def acquire_maintenance_lock(self) -> bool:
        """Whether the caller may clean the registries now; nobody else may meanwhile."""
        return bool(self.connection.set(self.registry_cleaning_key, 1, nx=True, ex=899))

    def release_maintenance_lock(self) -> None:
        """The cleaning is over."""
        self.connection.delete(self.registry_cleaning_key)

    @property
    def scheduler_pid(self) -> int | None:
        """The process of the scheduler that serves this queue, or None; workers of ours need none."""
        name = self.connection.get(keys.scheduler_lock(self.name))
        pid = name and self.connection.hget(keys.scheduler(name.decode()), 'pid')
        return int(pid) if pid else None

    # --- taking out ---------------------------------------------------------------------------------------------

    def push_job_id(self, job_id: str, pipeline: Pipeline | None = None, at_front: bool = False) -> Any:
        """List an id; for programs that keep books of their own."""
        target: Any = self.connection if pipeline is None else pipeline
        return target.lpush(self.key, job_id) if at_front else target.rpush(self.key, job_id)

    def pop_job_id(self) -> str | None:
        """Take the first id off the list."""
        found = self.connection.lpop(self.key)
        return None if found is None else read.texts([found])[0]

    def dequeue(self) -> Job | None:
        """Take the first job off the list, with nothing to hold it; deprecated: workers claim."""
        stairs.tell_old('queue.dequeue()', 'a worker, or Queue.dequeue_any()')
        for job_id in iter(self.pop_job_id, None):
            if self.job_class.exists(job_id, self.connection):
                job: Job = self.job_class.fetch(job_id, self.connection, self.serializer)
                return eras.heir(self, job)
        return None

    def remove(self, job_or_id: Job | str, pipeline: Pipeline | None = None) -> Any:
        """Take an id off the list."""
        target: Any = self.connection if pipeline is None else pipeline
        return target.lrem(self.key, 1, _id(job_or_id))

    def empty(self) -> int:
        """Remove all jobs that are listed now with their records; returns how many."""
        removed, listed = 0, self.count
        while removed < listed:
            batch = run(self.connection, operate.empty(self.name, min(1000, listed - removed)))
            if not batch:
                break
            removed += batch
        return removed

    def compact(self) -> None:
        """Drop ids without a record, in place; the order stays."""
        ids = self.job_ids
        for gone in missing_keys(self.connection, [self.job_class.key_for(each) for each in ids]):
            self.connection.lrem(self.key, 0, gone[len(self.job_class.redis_job_namespace_prefix) :])

    # --- taking off, as programs with a way of working of their own do it -----------------------------------------

    @classmethod
    def lpop(cls, queue_keys: Sequence[str], timeout: int | None, connection: Any = None) -> tuple[Any, Any] | None:
        """The first id of the first list that has one, as the client gives (key, id); with a timeout (seconds) wait.

        `DequeueTimeout` when none came in time; `ValueError` for a timeout of 0, which would wait for ever.
        """
        if timeout == 0:
            raise ValueError('a timeout of 0 would wait for ever: give seconds, or None not to wait')
        if timeout is not None:
            found = connection.blpop(list(queue_keys), timeout)
            if found is None:
                raise DequeueTimeout(timeout, queue_keys)
            return tuple(found)
        for key in queue_keys:
            job_id = connection.lpop(key)
            if job_id is not None:
                return key, job_id
        return None

    @classmethod
    def lmove(cls, connection: Any, queue_key: str, timeout: int | None) -> tuple[str, Any] | None:
        """The first id of one list, moved to its intermediate list; the rest as `lpop`."""
        aim = keys.intermediate(queue_key)
        if timeout == 0:
            raise ValueError('a timeout of 0 would wait for ever: give seconds, or None not to wait')
        if timeout is None:
            found = connection.lmove(queue_key, aim, 'LEFT', 'RIGHT')
            return None if found is None else (queue_key, found)
        found = connection.blmove(queue_key, aim, timeout, 'LEFT', 'RIGHT')
        if found is None:
            raise DequeueTimeout(timeout, queue_key)
        return queue_key, found

    @classmethod
    def dequeue_any(
        cls,
        queues: Iterable[Any],
        timeout: int | None,
        connection: Any,
        job_class: Any = None,
        serializer: Any = None,
        death_penalty_class: Any = None,
    ) -> tuple[Any, Any] | None:
        """The next job of these queues and its queue, or None; ids without a record are skipped."""
        job_class = import_attribute(job_class) if isinstance(job_class, str) else job_class or cls.job_class
        queue_keys = [queue.key for queue in queues]
        while True:
            if len(queue_keys) == 1 and get_version(connection) >= (6, 2, 0):
                found = cls.lmove(connection, queue_keys[0], timeout)
            else:
                found = cls.lpop(queue_keys, timeout, connection=connection)
            if found is None:
                return None
            queue_key, job_id = read.texts(found)
            queue = cls.from_queue_key(queue_key, connection, job_class, serializer, death_penalty_class)
            try:
                return job_class.fetch(job_id, connection=connection, serializer=serializer), queue
            except NoSuchJobError:
                continue
            except ValueError as error:  # taken off the list already, and must not be lost
                run(connection, aside.set_aside(queue.name, job_id, str(error)))

    def delete(self, delete_jobs: bool = True) -> None:
        """Forget the queue, and its listed jobs unless told otherwise."""
        if delete_jobs:
            self.empty()
        self.connection.delete(self.key)
        self.connection.srem(self.redis_queues_keys, self.key)


def checked_name(name: str) -> str:
    """A queue name as it is; `ValueError` for one that would be another queue's key."""
    if not isinstance(name, str):
        raise TypeError(f'a queue name must be a str, not {name!r}')
    check_length('a queue name', name)
    if name.endswith(':intermediate') or ':intermediate:first_seen:' in name:
        raise ValueError(f'{name!r} cannot be a queue name: its key is the recovery list of another queue; rename it')
    return name


def _queue(other: object) -> QueueView:
    if not isinstance(other, QueueView):
        raise TypeError(f'Cannot compare a queue to {other!r}')
    return other


def _id(job_or_id: Job | str) -> str:
    return job_or_id if isinstance(job_or_id, str) else job_or_id.id
