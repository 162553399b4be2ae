"""The steps of a failure, whatever it was:

capture -> note on the execution -> the job's own on_failure -> the chain -> when no attempt follows: who waits for
just that -> decide and settle once -> tell.
"""

from __future__ import annotations

from typing import Any

from rq.eras import serving
from rq.failure import again, final
from rq.failure.capture import Failure, Kind
from rq.failure.handlers import EVERYBODY, ON_FAILURE, fenced
from rq.rules.status import JobStatus
from rq.types import Hooks, JobLike


@serving
def run(job: JobLike, queue: Any, execution: Any, failure: Failure, hooks: Hooks) -> None:
    """From captured to settled. When the execution is no longer ours, nobody is told and nothing is written."""
    job._failure = failure
    again.prepare(job, failure, hooks)
    retry = again.postponed(job, failure, hooks)
    if retry is not None:
        hooks.handle_job_retry(job, queue, retry, queue.started_job_registry, execution)
        return
    if failure.is_told:
        if not hooks.note_failure(job, execution, failure):
            return
        again.ask(job, failure, hooks)
        if failure.kind is not Kind.ABANDONED:
            job._status = job._stored_status = JobStatus.FAILED  # what the job shows; save() is not to write it
        tell_callback(job, failure, hooks)
        if failure.heard < EVERYBODY:
            hooks.allow(hooks.handler_timeout, 'exception handlers')
            if hooks.takes_over(job, queue, execution, failure):
                return  # a worker of 0.x: written before its handlers, and stored by the last of them
            hooks.handle_exception(job, *failure.exc_info)
        if not final.tell(job, execution, failure, hooks):
            return
    hooks.handle_job_failure(job, queue, queue.started_job_registry, failure.full_text, execution)


def tell_callback(job: JobLike, failure: Failure, hooks: Hooks) -> None:
    """`on_failure`, under its timeout; its own error is attached, not substituted."""
    if not job._failure_callback_name or failure.heard:
        return
    hooks.allow(job.failure_callback_timeout, ON_FAILURE)

    def call() -> None:
        job.execute_failure_callback(hooks.death_penalty_class, *failure.exc_info)

    fenced('The on_failure callback', failure, call, hooks.log, job)
