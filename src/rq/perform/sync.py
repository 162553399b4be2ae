"""Jobs of synchronous queues: run where they are enqueued, with the same capture, no chain and no retry."""

from __future__ import annotations

from typing import Any

from rq.defaults import DEFAULT_FAILURE_TTL, DEFAULT_RESULT_TTL
from rq.failure.capture import Failure, capture
from rq.perform.success import dump_result
from rq.rules.status import JobStatus
from rq.store import settle
from rq.store import sync as store
from rq.utils import now
from rq.webhook import send_all


def run(job: Any) -> None:
    """Perform, store the outcome, then the callback. The job's exception is not raised; a callback's is."""
    store.enter(job.connection, job, JobStatus.QUEUED)
    try:
        value = perform(job)
    except BaseException as error:
        _fail(job, capture(error, job=job))
        return
    job.execute_success_callback(job_penalty(job), value)
    send_all(job, 'finished')


def perform(job: Any) -> Any:
    """Perform and store the success; what the function raises is raised, and its value returned."""
    job._status, job.worker_name = JobStatus.STARTED, 'sync'
    job.started_at = job.last_heartbeat = now()
    value = job.perform()
    packed = dump_result(job, value)
    job.ended_at = job.last_heartbeat = now()
    fields: dict[str, Any] = {'type': 1, 'worker_name': ''}
    if packed is not None:
        fields['return_value'] = settle.encode_value(packed)
    _settle(job, JobStatus.FINISHED, job.get_result_ttl(DEFAULT_RESULT_TTL), fields)
    return value


def _fail(job: Any, failure: Failure) -> None:
    ttl = DEFAULT_FAILURE_TTL if job.failure_ttl is None else job.failure_ttl
    fields = {'type': 2, 'worker_name': '', 'exc_string': settle.encode_text(failure.full_text)}
    _settle(job, JobStatus.FAILED, ttl, fields)
    job._failure, failure.retryable = failure, False  # nothing is tried again here
    try:
        job.execute_failure_callback(job_penalty(job), *failure.exc_info)
    finally:
        job.execute_final_failure_callback(job_penalty(job), *failure.exc_info)
    send_all(job, 'failed', failure.full_text)


def _settle(job: Any, status: JobStatus, ttl: int, fields: dict[str, Any]) -> None:
    job._status = job._stored_status = status
    store.settle(job.connection, job, status, ttl, fields, int(now().timestamp()))


def job_penalty(job: Any) -> type[Any]:
    """How its callbacks are limited in time."""
    penalty: type[Any] = job.failed_job_registry.death_penalty_class
    return penalty
