"""What programs do with the failure room by hand: walk handlers, word an exception, record a failure."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable
from typing import Any

from rq.defaults import DEFAULT_FAILURE_TTL
from rq.rules.scrub import scrub
from rq.rules.status import JobStatus
from rq.store.call import enqueue_on
from rq.store.quarantine import quarantine


def call_exception_handlers(handlers: Iterable[Callable[..., Any]], job: Any, *exc_info: Any) -> None:
    """Call each handler in order, up to one that answers something falsy other than None; what they raise is raised."""
    for handler in handlers:
        answer = handler(job, *exc_info)
        if answer is not None and not answer:
            return


def format_exc_info(exc_info: Any) -> str:
    """The traceback text of a triple as `sys.exc_info()` gives it."""
    return ''.join(traceback.format_exception(*exc_info))


def record_job_failure(job: Any, exc_string: str, pipeline: Any) -> None:
    """Put a job that no worker runs among the failed ones, with its text as a result, when the pipeline is executed."""
    job.id  # noqa: B018 - makes the id
    job._status = job._stored_status = JobStatus.FAILED
    ttl = DEFAULT_FAILURE_TTL if job.failure_ttl is None else job.failure_ttl
    enqueue_on(pipeline, quarantine(job, ttl, scrub(exc_string)))
