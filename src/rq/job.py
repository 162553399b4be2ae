"""Job: a handle on a JobRecord. It adds only what needs a connection; every change of status is a verb of the store."""

from __future__ import annotations

import inspect
import logging
import warnings
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rq import eras, stairs
from rq.attempts import HasAttempts
from rq.callbacks import Callback, HasCallbacks
from rq.dependencies import HasDependencies
from rq.exceptions import NoSuchJobError
from rq.executions import Execution
from rq.perform import context
from rq.results import HasResults
from rq.rules.dependencies import Dependency
from rq.rules.keeping import keep_words
from rq.rules.names import get_call_string, parse_job_id, resolve_function_reference, validate_job_id
from rq.rules.parameters import secret_positions
from rq.rules.payload import UNEVALUATED
from rq.rules.record import JobRecord
from rq.rules.retry import Retry
from rq.rules.status import JobStatus
from rq.rules.timing import parse_timeout, utcformat
from rq.serializers import resolve_serializer
from rq.standing import HasStatus
from rq.store import codec, keys, read
from rq.utils import import_attribute, now
from rq.verbs import HasVerbs, checked_call
from rq.webhook import checked_webhooks

if TYPE_CHECKING:
    from redis import Redis
    from redis.client import Pipeline


__all__ = [
    'UNEVALUATED', 'Callback', 'Dependency', 'Job', 'JobStatus', 'Retry', 'cancel_job', 'get_current_job',
    'parse_job_id', 'requeue_job', 'validate_job_id',
]  # fmt: skip

logger = logging.getLogger('rq.job')


def get_current_job(connection: Redis | None = None, job_class: Any = None) -> Job | None:
    """The job running in this context, or None; the arguments are deprecated and ignored."""
    if connection is not None or job_class is not None:
        warnings.warn('the arguments of get_current_job() are ignored', DeprecationWarning, stacklevel=2)
    job: Job | None = context.current()
    return job


@eras.finding
def cancel_job(job_id: str, connection: Redis, serializer: Any = None, enqueue_dependents: bool = False) -> None:
    """Fetch a job and cancel it."""
    Job.fetch(job_id, connection=connection, serializer=serializer).cancel(enqueue_dependents=enqueue_dependents)


@eras.instead(stairs.requeue_of_old, 'job_class')
def requeue_job(job_id: str, connection: Redis, serializer: Any = None) -> Job:
    """Fetch a failed job and queue it again."""
    return Job.fetch(job_id, connection=connection, serializer=serializer).requeue()


class Job(HasVerbs, HasCallbacks, HasResults, HasAttempts, HasStatus, HasDependencies):
    """A function call and its bookkeeping, mirrored in a Redis hash."""

    redis_job_namespace_prefix = keys.JOB_PREFIX
    log = logger
    era: str | None = None

    def __init__(self, id: str | None = None, connection: Redis | None = None, serializer: Any = None) -> None:
        if connection is None:
            connection = eras.at_hand("Job.__init__() missing 1 required argument: 'connection'")
            self.era = eras.ERA_A
        super().__init__('', resolve_serializer(serializer))
        self.connection = connection
        self.created_at, self._status = now(), JobStatus.CREATED
        if id is not None:
            self.id = id
        self._broken: dict[str, str] = {}
        self._before: dict[str, Any] = {}
        self._stored_status: JobStatus | None = None
        self._called = False
        self._failure: Any = None
        self._packed_result: bytes | None = None
        self._new_warning = ''

    # --- making -------------------------------------------------------------------------------------------------

    @classmethod
    def create(
        cls,
        func: Any,
        args: list[Any] | tuple[Any, ...] | None = None,
        kwargs: dict[str, Any] | None = None,
        connection: Redis | None = None,
        result_ttl: int | None = None,
        ttl: int | None = None,
        status: JobStatus | None = None,
        description: str | None = None,
        depends_on: Any = None,
        timeout: int | None = None,
        retry: Retry | None = None,
        id: str | None = None,
        origin: str = '',
        meta: dict[str, Any] | None = None,
        failure_ttl: int | None = None,
        serializer: Any = None,
        group_id: str | None = None,
        *,
        on_success: Any = None,
        on_failure: Any = None,
        on_stopped: Any = None,
        webhooks: Any = None,
        on_final_failure: Any = None,
        keep_on_failure: Any = None,
    ) -> Job:
        """Build a job without saving it."""
        args, kwargs = checked_call(args, kwargs)
        job = cls(id=id, connection=connection, serializer=serializer)
        job._instance, job._func_name = resolve_function_reference(func)
        job._args, job._kwargs = args, kwargs
        job.origin, job.meta, job._status = origin, meta or {}, JobStatus(status or JobStatus.CREATED)
        job.result_ttl, job.ttl = parse_timeout(result_ttl), parse_timeout(ttl)
        job.failure_ttl = parse_timeout(failure_ttl)
        job.timeout = parse_timeout(timeout)
        job.description = description or job.get_call_string()
        job._take_callbacks(
            on_success=on_success, on_failure=on_failure, on_stopped=on_stopped, on_final_failure=on_final_failure
        )
        if retry is not None:
            job.adopt_retry(retry)
        job.webhooks, job.group_id = checked_webhooks(webhooks), group_id
        job.keep_on_failure = keep_words(keep_on_failure) or None
        if depends_on is not None:
            job.process_dependencies(depends_on)
        return job

    @classmethod
    def fetch(cls, id: str, connection: Redis | None = None, serializer: Any = None) -> Job:
        """The stored job of an id or composite key; `NoSuchJobError` when there is none."""
        job = cls(parse_job_id(id) if isinstance(id, str) else id, connection, serializer)
        job.refresh()
        return job

    @classmethod
    def fetch_many(cls, job_ids: Iterable[str], connection: Redis, serializer: Any = None) -> list[Job | None]:
        """The jobs of many ids in one round trip, None for each that is missing."""
        ids = [parse_job_id(job_id) for job_id in job_ids]
        jobs: list[Job | None] = []
        for job_id, raw in zip(ids, read.jobs(connection, ids), strict=True):
            if isinstance(raw, Exception):
                raise raw
            job = cls(job_id, connection, serializer) if raw else None
            if job:
                job.restore(raw)
            jobs.append(job)
        return jobs

    @classmethod
    @eras.finding
    def exists(cls, job_id: str, connection: Redis) -> bool:
        """Whether there is a record of this id."""
        return bool(connection.exists(cls.key_for(job_id)))

    @classmethod
    def key_for(cls, job_id: str) -> str:
        """The key of a job's hash."""
        return f'{cls.redis_job_namespace_prefix}{job_id}'

    # --- identity -----------------------------------------------------------------------------------------------

    @property
    def key(self) -> str:
        """The key of its hash."""
        return self.key_for(self.id)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, self.__class__) and self.id == other.id

    def __hash__(self) -> int:
        return hash(self.id)

    def __str__(self) -> str:
        return f'<{self.__class__.__name__} {self.id}: {self.description}>'

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}({self.id!r}, enqueued_at={self.enqueued_at!r})'

    # --- the record ---------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Read the record again; `NoSuchJobError` when it is gone, `ValueError` when a field cannot be read."""
        self._restore_fresh(read.job(self.connection, self.id))

    def _restore_fresh(self, raw: Any) -> None:
        if not raw:
            raise NoSuchJobError(f'No such job: {self.key}; it expired, was deleted, or the id is wrong')
        created_at = self.created_at
        JobRecord.__init__(self, self._id, self.serializer)  # what has left the hash must not linger here
        self.created_at = created_at
        self.restore(raw)

    def restore(self, raw_data: Any) -> None:
        """Set the attributes from a hash."""
        raw = {name.encode() if isinstance(name, str) else name: value for name, value in raw_data.items()}
        if b'data' not in raw:
            raise NoSuchJobError(f'Unexpected job format: {self.key} has no payload (field "data")')
        broken = codec.decode(self, raw)
        self._forget_callbacks()
        self._stored_status = self._status
        if broken:
            name, why = next(iter(broken.items()))
            raise ValueError(f'Job {self.id}: field {name} cannot be read: {why}')

    def restore_claimed(self, raw: dict[bytes, bytes]) -> None:
        """As `restore`, for the worker that runs it: what cannot be read is the job's failure, not the worker's."""
        self._broken = codec.decode(self, raw)
        self._forget_callbacks()
        self._before = self.snapshot()
        self._status = self._stored_status = JobStatus.STARTED

    def to_dict(self, include_meta: bool = True, include_result: bool = True) -> dict[str, Any]:
        """The fields as RQ stores them; an enqueued job has no empty ones."""
        fields: dict[str, Any] = {**codec.EMPTY, **codec.encode(self, include_meta, include_result)}
        if self._status is not None:
            fields['status'] = self._status
        fields['data'] = codec.compress(self.data)  # those who ask for fields may expect zlib, as of RQ
        return fields

    def save(self, pipeline: Pipeline | None = None, include_meta: bool = True, include_result: bool = True) -> None:
        """Write all fields; `status` only when this object set it or the record is new."""
        target: Any = self.connection if pipeline is None else pipeline
        fields = self.to_dict(include_meta, include_result)
        if self._status is self._stored_status:
            # somebody may have moved the job on since it was read
            fields = {name: value for name, value in fields.items() if value != '' and name != 'status'}
        target.hset(self.key, mapping=fields)
        self._stored_status = self._status

    def save_meta(self) -> None:
        """Write `meta` only."""
        self.connection.hset(self.key, 'meta', codec.encode_meta(self))

    def get_meta(self, refresh: bool = True) -> dict[Any, Any]:
        """The job's own notes, read again unless `refresh=False`."""
        if refresh:
            self._take_meta(read.field(self.connection, self.id, 'meta'))
        return self.meta

    def _take_meta(self, stored: bytes | None) -> None:
        codec.decode(self, {b'meta': stored or b'', b'status': (self._status or JobStatus.CREATED).value.encode()})

    def cleanup(self, ttl: int | None = None, pipeline: Pipeline | None = None, remove_from_queue: bool = True) -> None:
        """Delete at once for 0, expire after so many seconds, keep for None and negative values."""
        if ttl == 0:
            self.delete(pipeline=pipeline, remove_from_queue=remove_from_queue)
        elif ttl and ttl > 0:
            target: Any = self.connection if pipeline is None else pipeline
            for key in (self.key, keys.dependents(self.id), keys.dependencies(self.id)):
                target.expire(key, ttl)

    def heartbeat(self, timestamp: datetime, ttl: int, pipeline: Pipeline | None = None, xx: bool = False) -> None:
        """Note that the job lives."""
        self.last_heartbeat = timestamp
        target: Any = self.connection if pipeline is None else pipeline
        target.hset(self.key, 'last_heartbeat', utcformat(timestamp))

    # --- running ------------------------------------------------------------------------------------------------

    def perform(self) -> Any:
        """Call the function, with this job as the current one; returns and keeps its result."""
        token = context.enter(self)
        try:
            self._called = type(self)._execute is not Job._execute  # what another one imports is part of its call
            self._result = self._execute()
            return self._result
        finally:
            context.leave(token)

    def _execute(self) -> Any:  # subclasses of packages replace it (spec/seams.md)
        function, args, kwargs = self.func, self.args, self.kwargs
        self._called = True
        result = function(*args, **kwargs)
        return context.outcome_of(result) if inspect.iscoroutine(result) else result

    # --- what was called, what came out -------------------------------------------------------------------------

    @property
    def func(self) -> Any:
        """The callable: attribute of the instance, or import of `func_name`."""
        return getattr(self.instance, self.func_name) if self.instance is not None else import_attribute(self.func_name)

    def get_call_string(self) -> str | None:
        """The call as one would write it."""
        hidden = secret_positions(self.func_name, self.instance)
        return get_call_string(self.func_name, self.args, self.kwargs, max_length=75, hidden=hidden)

    def get_position(self) -> int | None:
        """Its index in its queue, or None."""
        position: int | None = stairs.queue_of(self).get_job_position(self.id)
        return position

    def get_executions(self) -> list[Execution]:
        """Its living executions."""
        executions: list[Execution] = self.execution_registry.get_executions()
        return executions

    @property
    def execution_registry(self) -> Any:
        """The registry of its living executions."""
        return stairs.execution_registry_class()(self.id, connection=self.connection)

    failed_job_registry = property(lambda self: stairs.registry_of(self, 'failed'), doc='That of its queue.')
    finished_job_registry = property(lambda self: stairs.registry_of(self, 'finished'), doc='That of its queue.')
    started_job_registry = property(lambda self: stairs.registry_of(self, 'started'), doc='That of its queue.')
