"""The way of a job into its queue, up to the call: Queue runs it, AsyncQueue awaits it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from rq.exceptions import DuplicateJobError, InvalidJobOperation, StorageFullError
from rq.provenance import place
from rq.registry import due_second
from rq.rules.arguments import given
from rq.rules.keeping import joined
from rq.rules.status import JobStatus
from rq.rules.timing import from_epoch
from rq.store import enter, keys
from rq.store.call import Call, ResponseError, is_full
from rq.store.keys import JOB_PREFIX, QUEUE_PREFIX
from rq.utils import now

_RATE_LIMITED = JobStatus.RATE_LIMITED.value


class FromNow(datetime):
    """A moment given as a delay: for who reads it a moment by this machine's clock; the store counts from its own."""

    seconds: float | None = None  # what is computed from it is a plain moment


def from_now(delay: timedelta) -> datetime:
    """The moment so long from now."""
    moment = FromNow.fromtimestamp((now() + delay).timestamp(), UTC)
    moment.seconds = delay.total_seconds()
    return moment


def _keep(queue: Any, job: Any) -> None:
    if queue.keep_on_failure:
        job.keep_on_failure = joined(job.keep_on_failure, queue.keep_on_failure)


def check(queue: Any, job: Any, unique: bool) -> None:
    """What cannot be enqueued is refused before anything is written."""
    if unique:
        if not job._id:
            raise ValueError('unique=True requires an explicit job_id, because the id is what is unique')
        if job._dependency_ids:
            raise ValueError('unique=True is not supported with job dependencies')
        if job.has_rate_limit:
            raise ValueError('unique=True is not supported with rate-limited jobs')
    ours = (job.redis_job_namespace_prefix, queue.redis_queue_namespace_prefix) == (JOB_PREFIX, QUEUE_PREFIX)
    if job.has_rate_limit and not ours:
        raise ValueError('rate limits need the usual key prefixes, but this job or queue class has its own')


def make_ready(queue: Any, job: Any, at_front: bool) -> None:
    """What is noted on a job when it enters a queue."""
    if job.retry_policy is not None:
        job.retry_policy = job.retry_policy.unbound()  # its deadline counts from here
    _keep(queue, job)
    job.enqueued_from = job.enqueued_from or place()  # a job that comes again keeps it
    job.origin, job.timeout = queue.name, job.timeout or queue._default_timeout
    if job.has_rate_limit:
        job.enqueue_at_front = at_front or job.enqueue_at_front
        job.enqueued_at, job._status = None, JobStatus.RATE_LIMITED
    else:
        job.enqueued_at, job._status = now(), JobStatus.QUEUED


def is_new(job: Any) -> bool:
    """Whether nobody can know the id of a job yet: it has none before it is stored, and no rate limit."""
    return not job._id and not job.rate_limit_key


def entry(queue: Any, job: Any, at_front: bool, unique: bool = False) -> Call[enter.Entered]:
    """The call that enqueues a job, or lets it wait for a slot of its rate limit."""
    make_ready(queue, job, at_front)
    if is_new(job) and not unique:
        return enter.enqueue_new(job, at_front)
    return enter.enqueue(job, at_front, unique)


def entered(job: Any, given: enter.Entered) -> None:
    """What the server answered to an `entry`."""
    refuse(job, given.answer)
    if given.answer != _RATE_LIMITED:
        job.enqueued_at, job._status = from_epoch(given.at), JobStatus.QUEUED
    job._stored_status = job._status


def deferral(queue: Any, job: Any, mode: str, at_front: bool = False) -> Call[str]:
    """The call that defers a job while others are missing; `mode` as in `store.enter.defer`."""
    _keep(queue, job)
    job.enqueued_from = job.enqueued_from or place()
    job.origin, job.timeout = queue.name, job.timeout or queue._default_timeout
    if at_front:
        job.enqueue_at_front = True
    return enter.defer(job, mode, bool(job.enqueue_at_front))


def for_later(queue: Any, f: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, bool, Any]:
    """The job that the words of `enqueue_at` mean, whether its id is unique, and the pipeline given."""
    words = queue.parse_args(f, *args, **kwargs)._asdict()
    at_front, unique, pipeline = words.pop('at_front'), words.pop('unique'), words.pop('pipeline')
    job = queue.create_job(status=JobStatus.SCHEDULED, **words)
    if at_front:
        job.enqueue_at_front = True
    return job, unique, pipeline


def appointment(queue: Any, job: Any, moment: datetime, unique: bool) -> Call[str]:
    """The call that schedules a job."""
    check(queue, job, False)
    if unique and not job._id:
        raise ValueError('unique=True requires an explicit job_id, because the id is what is unique')
    _keep(queue, job)
    job.enqueued_from = job.enqueued_from or place()
    job.origin, job._status = queue.name, JobStatus.SCHEDULED
    # of a delay the server's clock decides, because ours may be wrong
    delay = moment.seconds if isinstance(moment, FromNow) else None
    return enter.schedule(job, due_second(moment) if delay is None else f'+{delay!r}', unique)


def stands(job: Any, status: JobStatus) -> Any:
    """The job is stored with this status."""
    job._status = job._stored_status = status
    return job


def sorted_out(queue: Any, job_datas: Any, group_id: str | None) -> tuple[list[Any], list[Any]]:
    """The jobs of `enqueue_many`, each with its wish for the front: those without dependencies, and the others."""
    datas = list(job_datas)
    ids = [data.job_id for data in datas if data.job_id]
    if len(ids) != len(set(ids)):
        raise ValueError('job_id values must be unique within one enqueue_many; one is given twice')
    jobs, where = [], place()
    for data in datas:
        words = data._asdict()
        more = given(**{word: words.pop(word, None) for word in ('on_final_failure', 'keep_on_failure')})
        at_front = bool(words.pop('at_front'))
        job = queue.create_job(group_id=group_id, status=JobStatus.QUEUED, **words, **more)
        job.enqueued_from = where
        jobs.append((job, at_front))
    return [one for one in jobs if not one[0]._dependency_ids], [one for one in jobs if one[0]._dependency_ids]


def group_of(job: Any) -> list[tuple[str, str]]:
    """The sets that a job enters which belongs to a group, each with its member."""
    return [(keys.group(job.group_id), job.id), (keys.GROUPS, job.group_id)] if job.group_id else []


def refuse(job: Any, answer: str) -> None:
    """Raise what an answer of the store means."""
    if answer == 'duplicate':
        raise DuplicateJobError(f'A job with id {job.id} exists already; unique=True allows one at a time')
    if answer == 'started':
        raise InvalidJobOperation(f'Job {job.id} is running; schedule it when it has ended')


def storage_error(error: ResponseError) -> Exception:
    """What a refusal of the server means to who enqueues."""
    if is_full(error):
        return StorageFullError(f'The server has no memory left and refused the job: {error}')
    return error
