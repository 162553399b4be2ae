"""The only way up: in-function imports of higher floors that the public API demands.

Each function is one glance upward, made when called and never at import time. No logic.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rq.job import Job
    from rq.queue import Queue
    from rq.worker import BaseWorker


def job_class() -> type[Job]:
    """The class every job class must derive from."""
    from rq.job import Job

    return Job


def queue_class() -> type[Queue]:
    """The class every queue class must derive from."""
    from rq.queue import Queue

    return Queue


def base_worker_class() -> type[BaseWorker]:
    """The class every worker class must derive from."""
    from rq.worker import BaseWorker

    return BaseWorker


def queue_of(job: Job) -> Queue:
    """The queue a job came from."""
    from rq.queue import Queue

    return Queue(job.origin, connection=job.connection, job_class=type(job), serializer=job.serializer)


def posting() -> Any:
    """What makes HTTP calls; no step up, but what it needs is loaded only by who makes one."""
    from rq import posting

    return posting


def debugger() -> Any:
    """pdb, and what of it is ours; no step up, but loaded only by who debugs, not with each command."""
    from rq.cli import debugger

    return debugger


def deliveries(connection: Any, limit: int) -> Any:
    """The latest tries of webhooks, as the store has them."""
    from rq.store import outbox

    return outbox.deliveries(connection, limit)


def async_queue(queue: Queue) -> Any:
    """The queue for coroutines beside a blocking one; one for each event loop."""
    from rq.aio import beside

    return beside(queue)


def registry_of(job: Job, kind: str) -> Any:
    """One registry of the queue a job came from."""
    from rq import registry

    cls = getattr(registry, f'{kind.capitalize()}JobRegistry')
    return cls(job.origin, connection=job.connection, job_class=type(job), serializer=job.serializer)


def queue_named(registry: Any) -> Queue:
    """The queue whose registry this is."""
    from rq.queue import Queue

    return Queue(registry.name, connection=registry.connection, serializer=registry.serializer)


def default_handler() -> Any:
    """What stores a failure for workers of 0.x."""
    from rq.legacy.failed_queue import move_to_failed_queue

    return move_to_failed_queue


def failed_queue(connection: Any, job_class: Any = None) -> Any:
    """The failed queue of 0.x."""
    from rq.legacy.failed_queue import get_failed_queue

    return get_failed_queue(connection, job_class)


def tell_old(old: str, modern: str, stacklevel: int = 4) -> None:
    """Somebody used a word of 0.x."""
    from rq.legacy.names import tell

    tell(old, modern, stacklevel)


def requeue_of_old(job_id: str, connection: Any = None, serializer: Any = None, job_class: Any = None) -> Any:
    """What `requeue_job` meant in 0.x."""
    tell_old('requeue_job() without connection=...', 'queue.failed_job_registry.requeue()', stacklevel=5)
    return failed_queue(connection, job_class).requeue(job_id)


def enqueue_as_of_old(*words: Any) -> Job:
    """What `enqueue_job` did with its words of 0.x."""
    from rq.legacy.words import enqueue_job

    job: Job = enqueue_job(*words)
    return job


def fetch_job(job_id: str, connection: Any, serializer: Any = None) -> Job:
    """The job of an execution."""
    from rq.job import Job

    return Job.fetch(job_id, connection=connection, serializer=serializer)


def execution_registry_class() -> Any:
    """The registry of a job's executions."""
    from rq.execution_registry import ExecutionRegistry

    return ExecutionRegistry
