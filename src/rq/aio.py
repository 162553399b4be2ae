"""AsyncQueue and AsyncJob: produce and look at jobs from coroutines, over `redis.asyncio`. Workers stay as they are.

A store verb is a value, so awaiting it needs no second storage layer: records are built by Queue and Job, and the
calls that they would run are awaited here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence, Sized
from datetime import datetime, timedelta
from itertools import chain
from typing import Any, Self
from weakref import WeakKeyDictionary

from rq import entering, express
from rq.connections import awaited
from rq.entering_many import Crowd
from rq.exceptions import InvalidJobOperation, NoSuchJobError
from rq.job import Job
from rq.provenance import remembering
from rq.queue import SEAMS, Queue
from rq.queue_dependents import BULK
from rq.results import Result
from rq.rules.names import parse_job_id
from rq.rules.status import JobStatus
from rq.store import codec, keys, operate, promote, read
from rq.store.call import Call, ResponseError, run_async, run_many_async
from rq.store.headed import Headed

NO_PIPELINE = 'an AsyncQueue takes no pipeline: enqueue_many sends many jobs in few writes'


class _NotHere:
    """The place of a connection in objects whose verbs are awaited: a verb that would block says so."""

    def __init__(self, connection: Any) -> None:
        self._awaited = connection

    def __getattr__(self, name: str) -> Any:
        raise TypeError(
            f'{name}: this object belongs to an AsyncQueue and cannot block; use what AsyncQueue and AsyncJob offer '
            'to await, or fetch the job again over a synchronous connection'
        )


_Job: Any = Job


class AsyncJob(_Job):  # type: ignore[misc]  # the verbs of Job become coroutines here
    """A job seen from a coroutine: attributes as those of Job, verbs to be awaited."""

    def __init__(self, id: str | None = None, connection: Any = None, serializer: Any = None) -> None:
        if not isinstance(connection, _NotHere):
            connection = _NotHere(connection)
        super().__init__(id, connection, serializer)

    @property
    def _redis(self) -> Any:
        return self.connection._awaited

    @classmethod
    async def fetch(cls, id: str, connection: Any = None, serializer: Any = None) -> Self:
        """The stored job of an id; `NoSuchJobError` when there is none."""
        job = cls(parse_job_id(id), connection, serializer)
        await job.refresh()
        return job

    @classmethod
    async def exists(cls, job_id: str, connection: Any) -> bool:
        """Whether there is a record of this id."""
        return bool(await connection.exists(cls.key_for(job_id)))

    async def refresh(self) -> None:
        """Read the record again; `NoSuchJobError` when it is gone."""
        self._restore_fresh(await self._redis.hgetall(keys.job(self.id)))

    async def get_status(self, refresh: bool = True) -> JobStatus:
        """The status, read again unless `refresh=False`; `InvalidJobOperation` when there is none to read."""
        if refresh:
            self._take_status(await self._redis.hget(keys.job(self.id), 'status'))
        status: JobStatus = super().get_status(refresh=False)
        return status

    async def _stands(self, status: JobStatus) -> bool:
        return await self.get_status() is status

    is_queued = property(lambda self: self._stands(JobStatus.QUEUED), doc='To be awaited: it waits for a worker.')
    is_started = property(lambda self: self._stands(JobStatus.STARTED), doc='To be awaited: it runs.')
    is_finished = property(lambda self: self._stands(JobStatus.FINISHED), doc='To be awaited: it succeeded.')
    is_failed = property(lambda self: self._stands(JobStatus.FAILED), doc='To be awaited: it failed for good.')
    is_canceled = property(lambda self: self._stands(JobStatus.CANCELED), doc='To be awaited: it was canceled.')
    is_scheduled = property(lambda self: self._stands(JobStatus.SCHEDULED), doc='To be awaited: it is not due yet.')
    is_deferred = property(lambda self: self._stands(JobStatus.DEFERRED), doc='To be awaited: it waits for others.')
    is_stopped = property(lambda self: self._stands(JobStatus.STOPPED), doc='To be awaited: it was stopped.')

    async def get_meta(self, refresh: bool = True) -> dict[Any, Any]:
        """The job's own notes, read again unless `refresh=False`."""
        if refresh:
            self._take_meta(await self._redis.hget(keys.job(self.id), 'meta'))
        notes: dict[Any, Any] = self.meta
        return notes

    async def save_meta(self) -> None:
        """Write `meta` only."""
        await self._redis.hset(keys.job(self.id), 'meta', self.serializer.dumps(self.meta))

    async def latest_result(self, timeout: int = 0) -> Result | None:
        """The newest result or None; wait up to `timeout` seconds for the first."""
        key = Result.get_key(self.id)
        entries: Any = []
        if timeout:
            found = await self._redis.xread({key: '0-0'}, block=timeout * 1000)
            entries = Result.entries_of(found, key)[-1:]
        else:
            entries = await self._redis.xrevrange(key, '+', '-', count=1)
        return Result.of_entry(self, entries[0], self.serializer) if entries else None

    async def results(self) -> list[Result]:
        """All kept results, newest first."""
        entries = await self._redis.xrevrange(Result.get_key(self.id), '+', '-')
        return [Result.of_entry(self, entry, self.serializer) for entry in entries]

    async def return_value(self, refresh: bool = False) -> Any:
        """The value of the latest result when that was a success, else None."""
        latest = await self.latest_result()
        return latest.return_value if latest is not None and latest.type is Result.Type.SUCCESSFUL else None

    async def cancel(
        self, enqueue_dependents: bool = False, remove_from_dependencies: bool = False
    ) -> dict[str, list[str]]:
        """The job will not run; `InvalidJobOperation` when it is canceled already."""
        call = operate.cancel(self.id, enqueue_dependents, remove_from_dependencies)
        released: dict[str, list[str]] = self._after_cancel(await run_async(self._redis, call))
        return released

    async def requeue(self, at_front: bool = False) -> Self:
        """Queue a failed job again; `InvalidJobOperation` when it is not in the failed registry of its queue."""
        failed = keys.place('failed', self.origin)
        answer = (await run_async(self._redis, operate.requeue(failed, self.id, at_front))).answer
        if answer == 'gone':
            raise NoSuchJobError(f'No such job: {self.id}; its record expired or was deleted')
        if answer != 'ok':
            raise InvalidJobOperation(f'Job {self.id} cannot be requeued from {failed}: {answer}')
        await self.refresh()
        return self

    async def copy(self, args: Any = None, kwargs: dict[str, Any] | None = None, job_id: str | None = None) -> Self:
        """A new job like this one as it was at first, not stored yet; as `Job.copy`."""
        copy: Self = self._copied(await self._attempts(), args, kwargs, job_id)
        return copy

    async def _attempts(self) -> list[dict[str, Any]]:
        return codec.attempts(await self._redis.hmget(keys.job(self.id), read.ATTEMPTS))

    async def delete(self, remove_from_queue: bool = True, delete_dependents: bool = False) -> None:
        """Remove the job from queue and registries, with its record and results."""
        if await run_async(self._redis, operate.delete(self.id, remove_from_queue, delete_dependents)) == 'gone':
            raise InvalidJobOperation(f'Cannot delete job {self.id}: it was never saved, or is gone')


class AsyncQueue:
    """A queue for coroutines: the words of `Queue`, awaited; `connection` is a client of `redis.asyncio`."""

    job_class: type[Any] = AsyncJob

    def __init__(
        self,
        name: str = 'default',
        connection: Any = None,
        default_timeout: int | None = None,
        job_class: type[Any] | None = None,
        serializer: Any = None,
        keep_on_failure: Any = None,
        default_retry: Any = None,
    ) -> None:
        if connection is None:
            raise TypeError('AsyncQueue() needs connection=..., a client of redis.asyncio')
        self.connection = connection
        self.job_class = job_class or self.job_class
        self._words = Queue(
            name, _NotHere(connection), default_timeout, job_class=self.job_class, serializer=serializer,
            keep_on_failure=keep_on_failure, default_retry=default_retry,
        )  # fmt: skip
        self.name, self.key, self.serializer = name, self._words.key, self._words.serializer

    def __repr__(self) -> str:
        return f'AsyncQueue({self.name!r})'

    @remembering
    async def enqueue(self, f: Any, *args: Any, **kwargs: Any) -> AsyncJob:
        """Enqueue a call of `f`; the words are those of `Queue.enqueue`, but for `pipeline`."""
        if self._is_short() and express.is_plain(kwargs):
            prepared = express.prepared(self._words, f, args, kwargs)
            if prepared is not None:
                entering.entered(prepared[0], await self._run(prepared[1]))
                return self._own(prepared[0])
        words = Queue.parse_args(f, *args, **kwargs)._asdict()
        return await self.enqueue_call(**words)

    @remembering
    async def enqueue_call(
        self, func: Any, *, at_front: bool = False, unique: bool = False, pipeline: Any = None, **words: Any
    ) -> AsyncJob:
        """Enqueue a call given in parts."""
        if pipeline is not None:
            raise ValueError(NO_PIPELINE)
        return await self.enqueue_job(self._words.create_job(func, **words), at_front=at_front, unique=unique)

    @remembering
    async def enqueue_job(self, job: Any, at_front: bool = False, unique: bool = False) -> AsyncJob:
        """Enqueue an existing job: it is deferred while jobs it depends on are missing, or waits for a slot."""
        entering.check(self._words, job, unique)
        if job._dependency_ids:
            answer = await self._run(entering.deferral(self._words, job, 'ask'))
            if answer != 'met':
                entering.refuse(job, answer)
                return self._own(entering.stands(job, JobStatus.DEFERRED))
        entering.entered(job, await self._run(entering.entry(self._words, job, at_front, unique)))
        return self._own(job)

    @remembering
    async def enqueue_at(self, datetime: datetime, f: Any, *args: Any, **kwargs: Any) -> AsyncJob:
        """Enqueue at a moment; a naive one is local time."""
        job, unique, pipeline = entering.for_later(self._words, f, args, kwargs)
        if pipeline is not None:
            raise ValueError(NO_PIPELINE)
        return await self.schedule_job(job, datetime, unique=unique)

    @remembering
    async def enqueue_in(self, time_delta: timedelta, f: Any, *args: Any, **kwargs: Any) -> AsyncJob:
        """Enqueue after a while."""
        return await self.enqueue_at(entering.from_now(time_delta), f, *args, **kwargs)

    @remembering
    async def schedule_job(self, job: Any, datetime: datetime, unique: bool = False) -> AsyncJob:
        """Put a job into the ScheduledJobRegistry."""
        entering.refuse(job, await self._run(entering.appointment(self._words, job, datetime, unique)))
        return self._own(entering.stands(job, JobStatus.SCHEDULED))

    @remembering
    async def enqueue_many(self, job_datas: Iterable[Any], group_id: str | None = None) -> list[AsyncJob]:
        """Enqueue many jobs in few writes; in the order of `Queue.enqueue_many`."""
        is_short, seen = self._is_short(), set[str]()
        entries, is_bounded, may_be_more = iter(job_datas), not isinstance(job_datas, Sized), True
        free: list[Any] = []
        bound: list[Any] = []
        while may_be_more:
            crowd = Crowd(self._words, group_id, is_short, seen)
            may_be_more = crowd.take(entries, is_bounded)
            links = (crowd.links[start : start + BULK] for start in range(0, len(crowd.links), BULK))
            for calls in chain(crowd.writes, links):
                await self._run_many(calls)
            free += crowd.jobs()
            bound += crowd.bound
        went: set[str] = set()
        for start in range(0, len(bound), BULK):
            some = [job.id for job in bound[start : start + BULK]]
            for ids in (await self._run(promote.promote_ready(some))).values():
                went.update(ids)
        met = [entering.stands(job, JobStatus.QUEUED) for job in bound if job.id in went]
        return free + [job for job in bound if job.id not in went] + met

    @remembering
    async def enqueue_copy(
        self, job: AsyncJob, args: Any = None, kwargs: dict[str, Any] | None = None, job_id: str | None = None,
        at_front: bool = False,
    ) -> AsyncJob:  # fmt: skip
        """Enqueue a copy of a job, with other arguments when they are given; as `Queue.enqueue_copy`."""
        copy = job._copied(await job._attempts(), args, kwargs, job_id)
        call = entering.entry(self._words, copy, at_front, unique=job_id is not None)
        entering.entered(copy, await self._run(call))
        for key, member in entering.group_of(copy):
            await self.connection.sadd(key, member)
        return self._own(copy)

    async def fetch_job(self, job_id: str) -> AsyncJob | None:
        """The job of an id if this queue is its origin, else None."""
        try:
            job = await self.job_class.fetch(job_id, self.connection, self.serializer)
        except NoSuchJobError:
            return None
        return self._own(job) if job.origin == self.name else None

    async def count(self) -> int:
        """The number of listed jobs."""
        return int(await self.connection.llen(self.key))

    async def is_empty(self) -> bool:
        """Whether nothing is listed."""
        return await self.count() == 0

    async def get_job_ids(self, offset: int = 0, length: int = -1) -> list[str]:
        """Ids in order, a slice of them; length -1 is all."""
        if length == 0:
            return []
        end = length if length < 0 else offset + length - 1
        return read.texts(await self.connection.lrange(self.key, offset, end))

    def _is_short(self) -> bool:
        ours = SEAMS_OF_ASYNC.are_closed(self) and SEAMS.are_closed(self._words)
        return ours and express.takes(self._words, SEAMS_OF_JOBS)

    async def _run_many(self, calls: Sequence[Call[Any]]) -> None:
        try:
            await run_many_async(self.connection, calls)
        except ResponseError as error:
            raise entering.storage_error(error) from error

    async def _run(self, call: Call[Any] | Headed[Any]) -> Any:
        try:
            return await run_async(self.connection, call)
        except ResponseError as error:
            raise entering.storage_error(error) from error

    @staticmethod
    def _own(job: Any) -> AsyncJob:
        own: AsyncJob = job
        return own


SEAMS_OF_ASYNC = express.Seams(AsyncQueue, 'enqueue_call', 'enqueue_job')
SEAMS_OF_JOBS = express.seams_of_jobs(AsyncJob)


def beside(queue: Queue) -> AsyncQueue:
    """An AsyncQueue like a blocking queue, over an own connection to the same server, kept for this event loop."""
    # a client of redis.asyncio belongs to one loop; kept on the object, because queues of one name are equal
    loops: WeakKeyDictionary[Any, AsyncQueue] = queue.__dict__.setdefault('_awaited', WeakKeyDictionary())
    loop = asyncio.get_running_loop()
    if loop not in loops:
        loops[loop] = AsyncQueue(
            queue.name, awaited(queue.connection), queue._default_timeout, serializer=queue.serializer,
            default_retry=queue.default_retry,
        )  # fmt: skip
    return loops[loop]
