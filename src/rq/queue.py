"""Queue: put jobs in, look at them. It turns words into a record and calls the store; it holds no other logic."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from rq.exceptions import DuplicateJobError, InvalidJobOperation, StorageFullError
from rq.job import Job
from rq.perform import sync
from rq.queue_view import QueueView, logger
from rq.registry import due_second
from rq.rules.arguments import EnqueueArgs, checked_timeout, checked_ttl, parse, refuse_unbuilt
from rq.rules.status import JobStatus
from rq.rules.timing import from_epoch, parse_timeout
from rq.store import enter
from rq.store.call import ResponseError, enqueue_on, is_full, run, run_many
from rq.utils import now

if TYPE_CHECKING:
    from redis.client import Pipeline

__all__ = ['EnqueueArgs', 'EnqueueData', 'Queue', 'logger']

BULK = 500  # jobs per write of enqueue_many


class EnqueueData(NamedTuple):
    """One job for `enqueue_many`, made by `Queue.prepare_data`."""

    func: Any
    args: Any
    kwargs: Any
    timeout: Any
    result_ttl: Any
    ttl: Any
    failure_ttl: Any
    description: Any
    depends_on: Any
    job_id: Any
    at_front: Any
    meta: Any
    retry: Any
    on_success: Any
    on_failure: Any
    on_stopped: Any
    repeat: Any
    webhooks: Any


class Queue(QueueView):
    """A list of jobs, first in, first out."""

    # --- putting in ---------------------------------------------------------------------------------------------

    def create_job(
        self,
        func: Any,
        args: Any = None,
        kwargs: dict[str, Any] | None = None,
        timeout: Any = None,
        result_ttl: Any = None,
        ttl: Any = None,
        failure_ttl: Any = None,
        description: str | None = None,
        depends_on: Any = None,
        job_id: str | None = None,
        meta: dict[str, Any] | None = None,
        status: JobStatus = JobStatus.QUEUED,
        retry: Any = None,
        repeat: Any = None,
        *,
        on_success: Any = None,
        on_failure: Any = None,
        on_stopped: Any = None,
        webhooks: Any = None,
        group_id: str | None = None,
        rate_limit: Any = None,
    ) -> Job:
        """A job for this queue, not stored yet."""
        refuse_unbuilt(repeat=repeat, rate_limit=rate_limit)
        job: Job = self.job_class.create(
            func, args=args, kwargs=kwargs, connection=self.connection, result_ttl=parse_timeout(result_ttl),
            ttl=checked_ttl(ttl), failure_ttl=parse_timeout(failure_ttl), status=status, description=description,
            depends_on=depends_on, timeout=checked_timeout(timeout, self._default_timeout), retry=retry, id=job_id,
            origin=self.name, meta=meta, serializer=self.serializer, on_success=on_success, on_failure=on_failure,
            on_stopped=on_stopped, webhooks=webhooks, group_id=group_id,
        )  # fmt: skip
        return job

    def enqueue_call(
        self,
        func: Any,
        args: Any = None,
        kwargs: dict[str, Any] | None = None,
        timeout: Any = None,
        result_ttl: Any = None,
        ttl: Any = None,
        failure_ttl: Any = None,
        description: str | None = None,
        depends_on: Any = None,
        job_id: str | None = None,
        at_front: bool = False,
        meta: dict[str, Any] | None = None,
        retry: Any = None,
        repeat: Any = None,
        on_success: Any = None,
        on_failure: Any = None,
        on_stopped: Any = None,
        rate_limit: Any = None,
        pipeline: Pipeline | None = None,
        unique: bool = False,
        webhooks: Any = None,
    ) -> Job:
        """Enqueue a call given in parts."""
        if unique and not job_id:
            raise ValueError('unique=True needs a job_id, because the id is what is unique')
        job = self.create_job(
            func, args, kwargs, timeout, result_ttl, ttl, failure_ttl, description, depends_on, job_id, meta,
            JobStatus.QUEUED, retry, repeat, on_success=on_success, on_failure=on_failure, on_stopped=on_stopped,
            webhooks=webhooks, rate_limit=rate_limit,
        )  # fmt: skip
        return self.enqueue_job(job, pipeline=pipeline, at_front=at_front, unique=unique)

    @staticmethod
    def prepare_data(
        func: Any,
        args: Any = None,
        kwargs: dict[str, Any] | None = None,
        timeout: Any = None,
        result_ttl: Any = None,
        ttl: Any = None,
        failure_ttl: Any = None,
        description: str | None = None,
        depends_on: Any = None,
        job_id: str | None = None,
        at_front: bool = False,
        meta: dict[str, Any] | None = None,
        retry: Any = None,
        on_success: Any = None,
        on_failure: Any = None,
        on_stopped: Any = None,
        repeat: Any = None,
        webhooks: Any = None,
    ) -> EnqueueData:
        """One entry for `enqueue_many`."""
        return EnqueueData(
            func, args, kwargs, timeout, result_ttl, ttl, failure_ttl, description, depends_on, job_id, at_front, meta,
            retry, on_success, on_failure, on_stopped, repeat, webhooks,
        )  # fmt: skip

    @classmethod
    def parse_args(cls, f: Any, *args: Any, **kwargs: Any) -> EnqueueArgs:
        """Split the words of `enqueue` into ours and the function's."""
        return parse(f, args, kwargs)

    def enqueue(self, f: Any, *args: Any, **kwargs: Any) -> Job:
        """Enqueue a call of `f`; the words that are ours stand in the guide, all others go to `f`."""
        words = self.parse_args(f, *args, **kwargs)._asdict()
        return self.enqueue_call(**words)

    def enqueue_at(self, datetime: datetime, f: Any, *args: Any, **kwargs: Any) -> Job:
        """Enqueue at a moment; a naive one is local time."""
        if not hasattr(datetime, 'tzinfo'):
            raise TypeError(f'enqueue_at takes a datetime, not {datetime!r}')
        words = self.parse_args(f, *args, **kwargs)._asdict()
        at_front, unique, pipeline = words.pop('at_front'), words.pop('unique'), words.pop('pipeline')
        job = self.create_job(status=JobStatus.SCHEDULED, **words)
        if at_front:
            job.enqueue_at_front = True
        return self.schedule_job(job, datetime, pipeline=pipeline, unique=unique)

    def enqueue_in(self, time_delta: timedelta, func: Any, *args: Any, **kwargs: Any) -> Job:
        """Enqueue after a while."""
        if not isinstance(time_delta, timedelta):
            raise TypeError(f'enqueue_in takes a timedelta, not {time_delta!r}; write timedelta(seconds=...)')
        return self.enqueue_at(now() + time_delta, func, *args, **kwargs)

    def schedule_job(self, job: Job, datetime: datetime, pipeline: Pipeline | None = None, unique: bool = False) -> Job:
        """Put a job into the ScheduledJobRegistry."""
        job.origin, job._status = self.name, JobStatus.SCHEDULED
        job.id  # noqa: B018 - makes the id
        call = enter.schedule(job, due_second(datetime), unique)
        if pipeline is not None:
            enqueue_on(pipeline, call)
        else:
            _refuse(job, self._run(call))
        job._stored_status = job._status
        return job

    def setup_dependencies(self, job: Job, pipeline: Pipeline | None = None) -> Job:
        """The point where a job with unmet dependencies becomes deferred; tracers replace it."""
        return job

    def enqueue_job(
        self, job: Job, pipeline: Pipeline | None = None, at_front: bool = False, unique: bool = False
    ) -> Job:
        """Enqueue an existing job."""
        job.origin = self.name
        job = self.setup_dependencies(job, pipeline=pipeline)
        return self._enqueue_job(job, pipeline=pipeline, at_front=at_front, unique=unique)

    def _enqueue_job(
        self, job: Job, pipeline: Pipeline | None = None, at_front: bool = False, unique: bool = False
    ) -> Job:
        job.enqueued_at, job._status = now(), JobStatus.QUEUED
        job.timeout = job.timeout or self._default_timeout
        job.id  # noqa: B018 - makes the id
        if not self._is_async:
            return self.run_sync(job)
        call = enter.enqueue(job, at_front, unique)
        if pipeline is not None:
            enqueue_on(pipeline, call)
        else:
            entered = self._run(call)
            _refuse(job, entered.answer)
            job.enqueued_at = from_epoch(entered.at)
        job._stored_status = job._status
        return job

    def _run(self, call: Any) -> Any:
        try:
            return run(self.connection, call)
        except ResponseError as error:
            if is_full(error):
                raise StorageFullError(f'The server has no memory left and refused the job: {error}') from error
            raise

    def enqueue_many(
        self, job_datas: Iterable[EnqueueData], pipeline: Pipeline | None = None, group_id: str | None = None
    ) -> list[Job]:
        """Enqueue many jobs in few writes; `ValueError` for an id given twice, before anything is written."""
        datas = list(job_datas)
        ids = [data.job_id for data in datas if data.job_id]
        if len(ids) != len(set(ids)):
            raise ValueError('job_id values must be unique within one enqueue_many; one is given twice')
        jobs = [self._of_data(data, group_id) for data in datas]
        if pipeline is not None or not self._is_async:
            return [self.enqueue_job(job, pipeline, bool(data.at_front)) for job, data in zip(jobs, datas, strict=True)]
        moment = now()
        calls = []  # all are built before the first is sent: a payload that cannot be stored keeps out the others too
        for job, data in zip(jobs, datas, strict=True):
            job.enqueued_at, job._stored_status = moment, job._status
            job.id  # noqa: B018 - makes the id
            calls.append(enter.enqueue(job, bool(data.at_front)))
        for start in range(0, len(calls), BULK):
            run_many(self.connection, calls[start : start + BULK])
        return jobs

    def _of_data(self, data: EnqueueData, group_id: str | None) -> Job:
        words = data._asdict()
        del words['at_front']
        return self.create_job(group_id=group_id, status=JobStatus.QUEUED, **words)

    # --- synchronous queues -------------------------------------------------------------------------------------

    def run_sync(self, job: Job) -> Job:
        """Run a job in this process, with its callbacks; its exception is recorded, not raised."""
        sync.run(job)
        return job


def _refuse(job: Job, answer: str) -> None:
    if answer == 'duplicate':
        raise DuplicateJobError(f'A job with id {job.id} exists already; unique=True allows one at a time')
    if answer == 'started':
        raise InvalidJobOperation(f'Job {job.id} is running; schedule it when it has ended')
