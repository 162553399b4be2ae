"""Queue: put jobs in, look at them. It turns words into a record and calls the store; it holds no other logic."""

from __future__ import annotations

from collections.abc import Iterable, Sized
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from rq import entering, eras, express, stairs
from rq.entering_many import Crowd
from rq.job import Job
from rq.perform import sync
from rq.provenance import remembering
from rq.queue_dependents import BULK, ReleasesDependents, are_met, begin_multi
from rq.queue_view import logger
from rq.rate_limit import RateLimit
from rq.rules.arguments import EnqueueArgs, checked_timeout, checked_ttl, given, parse
from rq.rules.repeat import Repeat
from rq.rules.status import JobStatus
from rq.rules.timing import parse_timeout
from rq.store import sync as store_sync
from rq.store.call import Batch, ResponseError, enqueue_on, run, run_many
from rq.store.flow import run_in_turn

if TYPE_CHECKING:
    from redis.client import Pipeline

__all__ = ['EnqueueArgs', 'EnqueueData', 'Queue', 'logger']


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
    on_final_failure: Any = None
    keep_on_failure: Any = None


class Queue(ReleasesDependents):
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
        on_final_failure: Any = None,
        keep_on_failure: Any = None,
    ) -> Job:
        """A job for this queue, not stored yet."""
        if retry is None:
            retry = self.default_retry
        job: Job = self.job_class.create(
            func, args=args, kwargs=kwargs, connection=self.connection, result_ttl=parse_timeout(result_ttl),
            ttl=None if ttl == -1 and self.era else checked_ttl(ttl),
            failure_ttl=parse_timeout(failure_ttl), status=status, description=description,
            depends_on=depends_on, timeout=checked_timeout(timeout, self._default_timeout), retry=retry, id=job_id,
            origin=self.name, meta=meta, serializer=self.serializer, on_success=on_success, on_failure=on_failure,
            on_stopped=on_stopped, webhooks=webhooks, group_id=group_id,
            **given(on_final_failure=on_final_failure, keep_on_failure=keep_on_failure),
        )  # fmt: skip
        if repeat is not None:
            if not isinstance(repeat, Repeat):
                raise TypeError(f'repeat={repeat!r} is no Repeat; write repeat=Repeat(times=3)')
            job.repeats_left, job.repeat_intervals = repeat.times, list(repeat.intervals)
        if rate_limit is not None:
            if not isinstance(rate_limit, RateLimit):
                raise TypeError(f'rate_limit={rate_limit!r} is no RateLimit; write RateLimit(key, concurrency=1)')
            job.rate_limit_key, job.rate_limit_concurrency = rate_limit.key, rate_limit.concurrency
        return eras.heir(self, job)

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
        on_final_failure: Any = None,
        keep_on_failure: Any = None,
    ) -> Job:
        """Enqueue a call given in parts."""
        if unique and not job_id:
            raise ValueError('unique=True needs a job_id, because the id is what is unique')
        job = self.create_job(
            func, args, kwargs, timeout, result_ttl, ttl, failure_ttl, description, depends_on, job_id, meta,
            JobStatus.QUEUED, retry, repeat, on_success=on_success, on_failure=on_failure, on_stopped=on_stopped,
            webhooks=webhooks, rate_limit=rate_limit,
            **given(on_final_failure=on_final_failure, keep_on_failure=keep_on_failure),
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
        on_final_failure: Any = None,
        keep_on_failure: Any = None,
    ) -> EnqueueData:
        """One entry for `enqueue_many`."""
        return EnqueueData(
            func, args, kwargs, timeout, result_ttl, ttl, failure_ttl, description, depends_on, job_id, at_front, meta,
            retry, on_success, on_failure, on_stopped, repeat, webhooks, on_final_failure, keep_on_failure,
        )  # fmt: skip

    @classmethod
    def parse_args(cls, f: Any, *args: Any, **kwargs: Any) -> EnqueueArgs:
        """Split the words of `enqueue` into ours and the function's."""
        return parse(f, args, kwargs)

    def enqueue(self, f: Any, *args: Any, **kwargs: Any) -> Job:
        """Enqueue a call of `f`; the words that are ours stand in the guide, all others go to `f`."""
        if self.era and 'timeout' in kwargs:
            stairs.tell_old('queue.enqueue(timeout=...)', 'job_timeout=...')
            kwargs.setdefault('job_timeout', kwargs.pop('timeout'))
        if SEAMS.are_closed(self) and express.is_plain(kwargs) and express.takes(self):
            prepared = express.prepared(self, f, args, kwargs)
            if prepared is not None:
                job: Job = prepared[0]
                entering.entered(job, self._run(prepared[1]))
                return job
        words = self.parse_args(f, *args, **kwargs)._asdict()
        return self.enqueue_call(**words)

    def enqueue_at(self, datetime: datetime, f: Any, *args: Any, **kwargs: Any) -> Job:
        """Enqueue at a moment; a naive one is local time."""
        if not hasattr(datetime, 'tzinfo'):
            raise TypeError(f'enqueue_at takes a datetime, not {datetime!r}')
        job, unique, pipeline = entering.for_later(self, f, args, kwargs)
        return self.schedule_job(job, datetime, pipeline=pipeline, unique=unique)

    def enqueue_in(self, time_delta: timedelta, func: Any, *args: Any, **kwargs: Any) -> Job:
        """Enqueue after a while."""
        if not isinstance(time_delta, timedelta):
            raise TypeError(f'enqueue_in takes a timedelta, not {time_delta!r}; write timedelta(seconds=...)')
        return self.enqueue_at(entering.from_now(time_delta), func, *args, **kwargs)

    def schedule_job(self, job: Job, datetime: datetime, pipeline: Pipeline | None = None, unique: bool = False) -> Job:
        """Put a job into the ScheduledJobRegistry."""
        call = entering.appointment(self, job, datetime, unique)
        if pipeline is not None and not unique:
            enqueue_on(pipeline, call)
        else:
            entering.refuse(job, self._run(call))
        job._stored_status = job._status
        return job

    def _schedule_in(self, job: Job, seconds: float, pipeline: Pipeline | None = None) -> datetime:
        moment = entering.from_now(timedelta(seconds=seconds))
        self.schedule_job(job, moment, pipeline=pipeline)
        return moment

    @eras.hiding('timeout', 'set_meta_data')
    def enqueue_job(
        self, job: Job, pipeline: Pipeline | None = None, at_front: bool = False, unique: bool = False,
        timeout: Any = None, set_meta_data: bool = True,
    ) -> Job:  # fmt: skip
        """Enqueue an existing job: it is deferred while jobs it depends on are missing, or waits for a slot."""
        if timeout is not None or not set_meta_data or isinstance(pipeline, int):
            return stairs.enqueue_as_of_old(self, job, pipeline, at_front, timeout, set_meta_data)
        entering.check(self, job, unique)
        if job.has_rate_limit:
            self._check_rate_limit(pipeline)
        job.origin, wished = self.name, job.enqueue_at_front
        if job._dependency_ids and at_front:
            job.enqueue_at_front = True  # for the day when it need not wait any more
        job = self.setup_dependencies(job, pipeline=pipeline)
        if job._dependency_ids and job._status is JobStatus.DEFERRED:
            return job
        job.enqueue_at_front = wished
        return self._enqueue_job(job, pipeline=pipeline, at_front=at_front, unique=unique)

    def setup_dependencies(self, job: Job, pipeline: Pipeline | None = None) -> Job:
        """Defer a job while jobs it depends on are missing; a pipeline watches them, and is in MULTI afterwards."""
        if not job._dependency_ids:
            begin_multi(pipeline)
            return job
        before = job._status
        if pipeline is None and self._is_async:
            answer = self._run(entering.deferral(self, job, 'ask'))
            entering.refuse(job, answer)
            met = answer == 'met'
        else:
            # the script looks again when the pipeline is executed, so that nothing is deferred for ever
            met = are_met(job, pipeline)
            if pipeline is not None:
                pipeline.multi()
            call = entering.deferral(self, job, 'enter')
            if not met:
                self._run(call) if pipeline is None else enqueue_on(pipeline, call)
        if met:
            job._status = before if before is not JobStatus.DEFERRED else JobStatus.CREATED
            return job
        waiting: Job = entering.stands(job, JobStatus.DEFERRED)
        return waiting

    def _enqueue_job(
        self, job: Job, pipeline: Pipeline | None = None, at_front: bool = False, unique: bool = False
    ) -> Job:
        call = entering.entry(self, job, at_front, unique)
        if not self._is_async:
            entering.refuse(job, 'duplicate' if unique and not store_sync.reserve(self.connection, job) else 'ok')
            return self.run_sync(job)
        if pipeline is not None and not unique:  # a unique job is one step of its own
            enqueue_on(pipeline, call)
            job._stored_status = job._status
        else:
            entering.entered(job, self._run(call))
        return job

    def _enqueue_rate_limited_job(self, job: Job, pipeline: Pipeline | None = None, at_front: bool = False) -> Job:
        return self._enqueue_job(job, pipeline=pipeline, at_front=at_front)

    def _check_rate_limit(self, pipeline: Any) -> None:
        if not self._is_async:
            raise ValueError('a synchronous queue (is_async=False) knows no rate limits')
        if pipeline is not None:
            raise ValueError('rate-limited jobs cannot be enqueued with a pipeline')

    def _run(self, call: Any) -> Any:
        try:
            return run(self.connection, call)
        except ResponseError as error:
            raise entering.storage_error(error) from error

    def enqueue_many(
        self, job_datas: Iterable[EnqueueData], pipeline: Pipeline | None = None, group_id: str | None = None
    ) -> list[Job]:
        """Enqueue many jobs in few writes; `ValueError` for an id given twice, before anything is written.

        Returns those without dependencies, then those that must wait for others, then those that need not. Of an
        iterator, all this is said of portions of ten thousand jobs or 16 MiB, so that no more need to be in memory.
        """
        if self._is_async and SEAMS.are_closed(self):
            return self._enqueue_crowds(job_datas, pipeline, group_id)
        free, bound = entering.sorted_out(self, job_datas, group_id)
        if not self._is_async:
            return [self.enqueue_job(job, pipeline, at_front) for job, at_front in [*free, *bound]]
        # All calls are built before the first is sent: a payload that cannot be stored keeps out the others too.
        batch = Batch(self.connection)
        target: Any = pipeline if pipeline is not None and not bound else batch
        for job, at_front in free:
            self._enqueue_job(job, pipeline=target, at_front=at_front)
        for job, at_front in bound:
            enqueue_on(batch, entering.deferral(self, job, 'link', at_front))
            entering.stands(job, JobStatus.DEFERRED)
        if target is batch:
            if pipeline is not None and len(pipeline):
                pipeline.execute()
            try:
                batch.run(BULK)
            except ResponseError as error:
                raise entering.storage_error(error) from error
        return [job for job, _ in free] + self._examine([job for job, _ in bound])

    def _enqueue_crowds(self, entries: Iterable[EnqueueData], pipeline: Any, group_id: str | None) -> list[Job]:
        is_short, seen = express.takes(self), set[str]()
        rest, is_bounded = iter(entries), pipeline is None and not isinstance(entries, Sized)
        jobs: list[Job] = []
        bound: list[Job] = []
        may_be_more = True
        while may_be_more:
            crowd = Crowd(self, group_id, is_short, seen)
            may_be_more = crowd.take(rest, is_bounded)
            bound += crowd.bound
            if pipeline is not None and not bound:
                for write in crowd.writes:
                    for call in write:
                        enqueue_on(pipeline, call)
                return crowd.jobs()
            if pipeline is not None and len(pipeline):
                pipeline.execute()
            try:
                jobs += run_in_turn(self.connection, crowd.writes, crowd.jobs)
                for start in range(0, len(crowd.links), BULK):
                    run_many(self.connection, crowd.links[start : start + BULK])
            except ResponseError as error:
                raise entering.storage_error(error) from error
        return jobs + self._examine(bound)

    def enqueue_copy(
        self, job: Job, args: Any = None, kwargs: dict[str, Any] | None = None, job_id: str | None = None,
        at_front: bool = False,
    ) -> Job:  # fmt: skip
        """Enqueue a copy of a job, with other arguments when they are given (see `Job.copy`), and into its group.

        It waits for nobody: who the job depended on is kept as it is. `DuplicateJobError` for an id that exists.
        """
        copy = self._enqueue_job(job.copy(args, kwargs, job_id), at_front=at_front, unique=job_id is not None)
        for key, member in entering.group_of(copy):
            self.connection.sadd(key, member)
        return copy

    @remembering
    async def enqueue_async(self, f: Any, *args: Any, **kwargs: Any) -> Any:
        """As `enqueue`, without blocking the event loop: over a connection of `redis.asyncio` like this queue's own."""
        return await stairs.async_queue(self).enqueue(f, *args, **kwargs)

    # --- synchronous queues -------------------------------------------------------------------------------------

    def run_job(self, job: Job) -> Job:
        """Perform a job in this process and record its success; what it raises is raised."""
        sync.perform(job)
        return job

    def run_sync(self, job: Job) -> Job:
        """Run a job in this process, with its callbacks; its exception is recorded, not raised."""
        sync.run(job)
        return job


#: methods that an enqueue may go through, for others to override or replace
SEAMS = express.Seams(
    Queue, 'parse_args.__func__', 'enqueue_call', 'create_job', 'enqueue_job', 'setup_dependencies', '_enqueue_job'
)
