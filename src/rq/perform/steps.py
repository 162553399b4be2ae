"""One job, here: prepare, load, import, call in time, then the steps of success or those of failure."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from rq.eras import serving
from rq.exceptions import ColdShutdown, DeserializationError, NotImportableError, PayloadError
from rq.failure import again
from rq.failure import steps as failure_steps
from rq.failure.capture import Failure, Kind, capture
from rq.perform import output
from rq.perform.success import dump_result, tell_success
from rq.rules.keeping import LOCALS, OUTPUT, keeps
from rq.rules.retry import Retry
from rq.timeouts import JobTimeoutException
from rq.types import Hooks, JobLike

#: seconds for a job that names no timeout
DEFAULT_TIMEOUT = 180


def run(job: JobLike, queue: Any, execution: Any, hooks: Hooks) -> bool:
    """One job, here, from begun to settled. Returns whether it succeeded."""

    def outcome() -> Any:
        begin(job, hooks)
        return call_in_time(job, hooks)

    return finish(job, queue, execution, outcome, hooks)


def begin(job: JobLike, hooks: Hooks) -> None:
    """What comes before the call."""
    if hooks.default_retry is not None:
        job._default_retry = hooks.default_retry
    hooks.prepare_job_execution(job, len(hooks.queues) == 1)


@serving
def finish(job: JobLike, queue: Any, execution: Any, outcome: Callable[[], Any], hooks: Hooks) -> bool:
    """From what the function returned, or raised, to settled; `outcome` does it again. Whether it succeeded."""
    began = conclude(job, queue, execution, outcome, hooks)
    if began is not None:
        fail(job, queue, execution, began, hooks)
    return began is None


def conclude(job: JobLike, queue: Any, execution: Any, outcome: Callable[[], Any], hooks: Hooks) -> Failure | None:
    """The steps of success. What went wrong, the function or one of them, is to be taken to `fail`."""
    try:
        value = outcome()
        hooks.handle_execution_ended(job, queue, 0)
        if isinstance(value, Retry):
            again.ask_returned(job, value, hooks)
            hooks.handle_job_retry(job, queue, value, queue.started_job_registry, execution)
            return None
        return succeed(job, queue, execution, value, hooks)
    except ColdShutdown:
        raise
    except BaseException as error:
        began = classify(job, error, hooks)
        hooks.handle_execution_ended(job, queue, 0)
        return began


@serving
def fail(job: JobLike, queue: Any, execution: Any, began: Failure, hooks: Hooks) -> None:
    """The steps of a failure, with what the job has said until then."""
    if hooks.ring is not None:
        began.output = output.taken(hooks, began.secrets)
    failure_steps.run(job, queue, execution, began, hooks)


def call_in_time(job: JobLike, hooks: Hooks) -> Any:
    """The function's value. Loading and importing count in the timeout, because they may hang too."""
    check(job)
    timeout = timeout_of(job)
    home = os.getpid()
    try:
        with hooks.death_penalty_class(timeout, JobTimeoutException, job_id=job.id):
            return output.perform(job, hooks) if keeps(OUTPUT, job, hooks) else job.perform()
    finally:
        if os.getpid() != home:
            os._exit(0)  # a forked descendant fell out of the function: it has no say in the outcome


def check(job: JobLike) -> None:
    """Raise what is against a call."""
    if job._broken:
        raise PayloadError('The record of this job has fields that cannot be read: ' + '; '.join(_named(job._broken)))
    if job.retry_policy is not None:
        again.refuse_late(job)


def timeout_of(job: JobLike) -> float:
    """Seconds its function may take; zero or less: no limit."""
    return DEFAULT_TIMEOUT if job.timeout is None else job.timeout


def _named(broken: dict[str, str]) -> list[str]:
    return [f'{name} = {why}' for name, why in broken.items()]


def succeed(job: JobLike, queue: Any, execution: Any, value: Any, hooks: Hooks) -> Failure | None:
    """The steps of success; a failure in them is final, because the work is done and must not be done again."""
    try:
        job._packed_result = dump_result(job, value)  # handle_job_success stores it
        tell_success(job, value, hooks)
        hooks.handle_job_success(job, queue, queue.started_job_registry, execution)
        return None
    except ColdShutdown:
        raise
    except BaseException as error:
        return capture(error, retryable=False, job=job)


def classify(job: JobLike, error: BaseException, hooks: Hooks) -> Failure:
    """Which kind of failure an exception from loading, importing or calling is."""
    cls = type(error)  # not isinstance: that asks the error for its class
    if issubclass(cls, DeserializationError):
        return capture(error, Kind.UNDECODABLE, job=job)
    # before the call only the import can raise these; a module may also call sys.exit
    if not job._called and issubclass(cls, NotImportableError | SystemExit):
        return capture(error, Kind.NOT_IMPORTABLE, job=job)
    return capture(error, job=job, keeps_locals=keeps(LOCALS, job, hooks))
