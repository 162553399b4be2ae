"""Final means final: when no attempt follows, those who asked to hear of just that are told, once in a job's life.

They come after `on_failure` and the chain, which may still change `retries_left`, and before the write. The decision is
noted before the first of them is told: whoever goes on after a death knows that it stands, and who has heard.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rq.exceptions import JobFailedError
from rq.failure import again
from rq.failure.capture import Failure, Kind
from rq.failure.handlers import EVERYBODY, FINAL_HANDLER, ON_FINAL, fenced, named
from rq.failure.outcome import put_right
from rq.rules.retry import Retry, TryAgain
from rq.timeouts import JobTimeoutException
from rq.types import Hooks, JobLike


def is_last(job: Any, failure: Failure) -> bool:
    """Whether no attempt follows this failure, as `job.is_final_attempt` says to those who are told of it."""
    known, job._failure = job._failure, failure
    try:
        return bool(job.is_final_attempt)
    finally:
        job._failure = known


def has_listeners(job: Any, handlers: Sequence[Any], failure: Failure) -> bool:
    """Whether somebody is to be told that this failure is the last; those who have heard of it do not count."""
    waits = job._final_callback_name and failure.heard <= EVERYBODY
    waits = waits or len(handlers) > max(failure.heard - EVERYBODY - 1, 0)
    return bool(waits) and failure.is_told and is_last(job, failure)


def tell(job: JobLike, execution: Any, failure: Failure, hooks: Hooks) -> bool:
    """Tell them, if it is the last. False when the execution is no longer ours: then nothing is to be written."""
    put_right(job)  # listeners before may have put anything on it
    handlers = list(hooks.final_failure_handlers)
    if not has_listeners(job, handlers, failure):
        return True
    if failure.retryable or failure.heard < EVERYBODY:
        failure.retryable, failure.heard = False, max(failure.heard, EVERYBODY)
        if not hooks.note_failure(job, execution, failure):
            return False
    if job._final_callback_name and failure.heard <= EVERYBODY:
        hooks.allow(job.final_failure_callback_timeout, ON_FINAL)

        def call() -> None:
            job.execute_final_failure_callback(hooks.death_penalty_class, *failure.exc_info)

        fenced(f'The {ON_FINAL}', failure, call, hooks.log, job)
    for number, handler in enumerate(handlers, 1):
        if failure.heard <= EVERYBODY + number:
            _tell_one(number, handler, job, failure, hooks)
    return True


def _tell_one(number: int, handler: Any, job: JobLike, failure: Failure, hooks: Hooks) -> None:
    hooks.allow(hooks.handler_timeout, f'{FINAL_HANDLER}{number}')
    hooks.log.debug('Job %s: calling final failure handler %s', job.id, named(handler))

    def call() -> None:
        with hooks.death_penalty_class(hooks.handler_timeout, JobTimeoutException, job_id=job.id):
            handler(job, *failure.exc_info)

    fenced(f'Final failure handler {named(handler)}', failure, call, hooks.log, job)


def tell_of_returned(job: Any, execution: Any, retry: Retry, hooks: Hooks) -> bool:
    """The same for a job that returns a Retry once too often; as in RQ nobody else hears of that."""
    decision = again.judge_returned(job, retry)
    if isinstance(decision, TryAgain):
        return True
    error = JobFailedError(decision.why)
    failure = Failure(Kind.RAISED, 'JobFailedError', str(error), f'rq.exceptions.JobFailedError: {error}', False)
    failure.heard, failure.live = EVERYBODY, (JobFailedError, error, None)
    if not has_listeners(job, hooks.final_failure_handlers, failure):
        return True
    known, job._failure = job._failure, failure
    try:
        return hooks.note_failure(job, execution, failure) and tell(job, execution, failure, hooks)
    finally:
        job._failure = known
