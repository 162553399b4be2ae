"""HasVerbs: what a program does to a job that is stored. Every change of status is a verb of the store."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

from rq import stairs
from rq.exceptions import InvalidJobOperation
from rq.rules.payload import UNEVALUATED
from rq.rules.status import JobStatus
from rq.standing import HasStatus
from rq.store import codec, operate, read
from rq.store.call import enqueue_on, run
from rq.utils import is_nonstring_iterable
from rq.webhook import send_all

if TYPE_CHECKING:
    from redis.client import Pipeline


class HasVerbs(HasStatus):
    """Mixin of Job."""

    failed_job_registry: Any
    get_call_string: Callable[[], str | None]

    if TYPE_CHECKING:

        def __init__(self, id: str | None = None, connection: Any = None, serializer: Any = None) -> None: ...

    def cancel(
        self, pipeline: Pipeline | None = None, enqueue_dependents: bool = False, remove_from_dependencies: bool = False
    ) -> dict[str, list[str]]:
        """The job will not run; `InvalidJobOperation` when it is canceled already. Stops no function.

        Returns the dependents that went on, by the name of their queue. With a pipeline these are only registered as
        ready: pass them to `Queue.enqueue_ready_jobs_by_queue` after executing it.
        """
        if pipeline is not None:
            return self._cancel_in(pipeline, enqueue_dependents, remove_from_dependencies)
        return self._after_cancel(
            run(self.connection, operate.cancel(self.id, enqueue_dependents, remove_from_dependencies))
        )

    def _after_cancel(self, canceled: operate.Canceled) -> dict[str, list[str]]:
        answer, released = canceled
        if answer == 'canceled':
            raise InvalidJobOperation(f'Cannot cancel already canceled job: {self.id}')
        if answer == 'gone':
            raise InvalidJobOperation(f'Cannot cancel job {self.id}: it was never saved, or is gone')
        self._status = self._stored_status = JobStatus.CANCELED
        return released

    def _cancel_in(self, pipeline: Any, enqueue_dependents: bool, forget: bool) -> dict[str, list[str]]:
        if self.is_canceled:
            raise InvalidJobOperation(f'Cannot cancel already canceled job: {self.id}')
        if self.has_rate_limit:
            raise InvalidJobOperation(f'Job {self.id} has a rate limit, so it cannot be canceled in a pipeline')
        if enqueue_dependents and not pipeline.watching:
            raise ValueError('with enqueue_dependents the pipeline must be watching: call pipeline.watch() first')
        ready: dict[str, list[str]] = {}
        job: Any = self
        if enqueue_dependents:
            ready = stairs.queue_of(job).move_dependents_to_ready(job, pipeline, exclude_job_id=self.id)
            if not pipeline.explicit_transaction:
                pipeline.multi()  # else a watching pipeline would write at once
        enqueue_on(pipeline, operate.cancel(self.id, False, forget))
        self._status = self._stored_status = JobStatus.CANCELED
        return ready

    def requeue(self, at_front: bool = False) -> Self:
        """Queue a failed job again; `InvalidJobOperation` when it is not in the failed registry of its queue."""
        job: Self = self.failed_job_registry.requeue(self, at_front=at_front)
        return job

    def retry(self, queue: Any, pipeline: Any) -> None:
        """Use up one retry: schedule the job, or enqueue it at once; for programs that keep books of their own."""
        interval = self.get_retry_interval()
        self.retries_left = (self.retries_left or 0) - 1
        if interval:
            queue._schedule_in(self, interval, pipeline)
        else:
            queue._enqueue_job(self, pipeline=pipeline, at_front=self.enqueue_at_front_on_retry)

    def send_webhooks(self, status: str | JobStatus, *, exc_string: str | None = None) -> None:
        """Make the HTTP calls for a status, now; errors are logged."""
        send_all(self, JobStatus(status).value, exc_string)

    def delete(
        self, pipeline: Pipeline | None = None, remove_from_queue: bool = True, delete_dependents: bool = False
    ) -> None:
        """Remove the job from queue and registries, with its record and results."""
        call = operate.delete(self.id, remove_from_queue, delete_dependents)
        if pipeline is not None:
            enqueue_on(pipeline, call)
        elif run(self.connection, call) == 'gone':
            raise InvalidJobOperation(f'Cannot delete job {self.id}: it was never saved, or is gone')

    def copy(self, args: Any = None, kwargs: dict[str, Any] | None = None, job_id: str | None = None) -> Self:
        """A new job like this one as it was at first, not stored yet, with other arguments when they are given.

        It has an id of its own and knows this one as `copy_of`. What was not given is not decoded.
        """
        return self._copied(read.attempts(self.connection, self.id), args, kwargs, job_id)

    def _copied(self, attempts: list[dict[str, Any]], args: Any, kwargs: Any, job_id: str | None) -> Self:
        if job_id == self.id:
            raise ValueError(f'job_id={job_id!r} is the id of the job itself; a copy needs one of its own')
        copy = type(self)(id=job_id, connection=self.connection, serializer=self.serializer)
        copy.settings_of(self, attempts)
        copy.description = self.description
        if args is None and kwargs is None:
            copy.data = self.data
        else:
            args, kwargs = checked_call(self.args if args is None else args, self.kwargs if kwargs is None else kwargs)
            copy._instance, copy._func_name, copy._args, copy._kwargs = self.instance, self.func_name, args, kwargs
            if self.description == self.get_call_string():
                copy.description = copy.get_call_string()
        notes = codec.encode_meta(self) if self._meta is UNEVALUATED or self._meta else None
        copy._stored_meta, copy._meta = notes, UNEVALUATED if notes else {}
        return copy


def checked_call(args: Any, kwargs: Any) -> tuple[Any, Any]:
    """Arguments as a job takes them; `TypeError` for what cannot be arguments."""
    args = () if args is None else args
    kwargs = {} if kwargs is None else kwargs
    if not isinstance(args, tuple | list):
        if not is_nonstring_iterable(args):
            raise TypeError(f'{args!r} is not a valid args list')
        args = tuple(args)  # a set, a range, an iterator: not every one can be stored, or read twice
    if not isinstance(kwargs, dict):
        raise TypeError(f'{kwargs!r} is not a valid kwargs dict')
    return args, kwargs
