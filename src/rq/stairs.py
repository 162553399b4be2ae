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


def registry_of(job: Job, kind: str) -> Any:
    """One registry of the queue a job came from."""
    from rq import registry

    cls = getattr(registry, f'{kind.capitalize()}JobRegistry')
    return cls(job.origin, connection=job.connection, job_class=type(job), serializer=job.serializer)


def queue_named(registry: Any) -> Queue:
    """The queue whose registry this is."""
    from rq.queue import Queue

    return Queue(registry.name, connection=registry.connection, serializer=registry.serializer)


def fetch_job(job_id: str, connection: Any, serializer: Any = None) -> Job:
    """The job of an execution."""
    from rq.job import Job

    return Job.fetch(job_id, connection=connection, serializer=serializer)
