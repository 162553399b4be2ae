"""What becomes of an execution: the seams by which a worker records outcomes and tells handlers of failures."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, cast

from rq import loglines
from rq.executors.outbox import Outbox
from rq.failure import again, capture, final, handlers, outcome
from rq.perform import success
from rq.rules.fingerprint import Cause
from rq.rules.keeping import keep_words
from rq.rules.lease import Lease
from rq.rules.retry import Retry, checked_default
from rq.rules.scrub import scrub
from rq.timeouts import JobTimeoutException
from rq.types import Hooks
from rq.utils import ensure_job_list
from rq.worker.chain import Chain


class Outcomes(Chain):
    """Mixin of BaseWorker: the outcome half of the Hooks protocol."""

    name: str
    log: Any
    execution: Any
    outbox: Outbox
    leases: dict[str, Lease]
    told: int
    handler_timeout: float
    _lease: Callable[..., Lease]
    _emit: Callable[..., None]
    default_result_ttl: int
    log_result_lifespan: bool
    disable_default_exception_handler: bool
    death_penalty_class: type[Any]
    _exc_handlers: list[Any]
    final_failure_handlers: Sequence[Any] = ()
    keep_on_failure: Any
    default_retry: Retry | None = None  # for jobs that say nothing of retries
    _stopped_job_id: str | None
    _work_horse_killed_handler: Any

    def _take_words_on_failure(self, killed_handler: Any, final_handlers: Any, default_retry: Any) -> None:
        """What the constructor was told is to be done about failures."""
        self._work_horse_killed_handler = killed_handler
        self.keep_on_failure = keep_words(self.keep_on_failure)
        self.final_failure_handlers = list(ensure_job_list(final_handlers or []))
        self.default_retry = checked_default(default_retry) or self.default_retry

    def handle_job_success(self, job: Any, queue: Any, started_job_registry: Any, execution: Any) -> None:
        """Record a success."""
        lease = self._lease(job, execution, queue)
        packed = job._packed_result
        if packed is None and job._result is not None:  # performed by somebody who calls us by hand
            packed = success.dump_result(job, job._result)
        self._emit(job, success.of_success(job, lease, packed, self.default_result_ttl))

    def handle_job_retry(self, job: Any, queue: Any, retry: Any, started_job_registry: Any, execution: Any) -> None:
        """Record that a job returned a Retry, or raised RetryLater: then that is the failure at hand."""
        if job._failure is not None:
            self._emit(job, outcome.of_retry_later(job, self._lease(job, execution, queue), job._failure, retry))
            return
        if not final.tell_of_returned(job, execution, retry, cast(Hooks, self)):
            return
        self._emit(job, outcome.of_returned_retry(job, self._lease(job, execution, queue), retry))

    def handle_job_failure(
        self, job: Any, queue: Any, started_job_registry: Any = None, exc_string: str = '', execution: Any = None
    ) -> None:
        """Record a failure: another attempt, or the end."""
        failure = job._failure
        if self._stopped_job_id == job.id and failure is None:
            failure = capture.stopped()
        if failure is None:
            exc_string = scrub(exc_string)
            last_line = exc_string.strip().rpartition('\n')[2]
            failure = capture.Failure(capture.Kind.RAISED, 'Exception', last_line, exc_string)
        again.prepare(job, failure, self)
        stored = not self.disable_default_exception_handler
        lease = self._lease(job, execution, queue)
        settlement = outcome.of_failure(job, lease, failure, exc_string or failure.full_text, stored, self._told_group)
        settlement.takes_along = failure.kind is capture.Kind.TIMED_OUT
        self._emit(job, settlement)
        if failure.kind is capture.Kind.STOPPED:
            self._stopped_job_id = None

    def fingerprint(self, job: Any, failure: capture.Failure, proposed: Cause) -> str | None:
        """To be overridden, or replaced by a function: what to group a failure by; None is as proposed."""
        return None

    def _told_group(self, job: Any, failure: capture.Failure, proposed: Cause) -> str | None:
        hook = self.fingerprint
        # of one that did not come to its end in its time nobody is told again
        if getattr(hook, '__func__', None) is Outcomes.fingerprint or failure.heard >= handlers.ENDED:
            return None
        self.allow(self.handler_timeout, handlers.GROUPING)

        def ask() -> Any:
            with self.death_penalty_class(self.handler_timeout, JobTimeoutException, job_id=job.id):
                return hook(job, failure, proposed)

        said = handlers.fenced('The fingerprint hook', None, ask, self.log)
        return scrub(said, failure.secrets) if isinstance(said, str) else None

    def handle_exception(self, job: Any, *exc_info: Any) -> None:
        """Log the failure and walk the handlers."""
        failure = job._failure or capture.capture(exc_info[1], job=job)
        self._say_what_was_raised(job, failure.text, tried=exc_info[2] is not None)
        handlers.walk(
            self._exc_handlers, job, exc_info, failure, self.death_penalty_class, self.log, self.handler_timeout,
            self.allow,
        )  # fmt: skip

    def _say_what_was_raised(self, job: Any, text: str, tried: bool) -> None:
        said = 'Worker %s: job %s: exception raised while executing (%.200s)\n%s'
        func = handlers.func_of_call(job)
        if func and loglines.write(self.log, logging.ERROR, [said % (self.name, job.id, func, text)]):
            return
        words = handlers.words_of(job, tried)
        known = words if 'arguments' in words else {}  # as RQ: nothing of a call that cannot be loaded
        extra = {**known, 'queue': job.origin, 'job_id': job.id}
        self.log.error(said, self.name, job.id, words['func'], text, extra=extra)

    def handle_work_horse_killed(self, job: Any, retpid: Any, ret_val: Any, rusage: Any) -> None:
        """Warn, and tell the handler given for this."""
        self.log.warning('Work horse killed for job %s: retpid=%s, ret_val=%s', job.id, retpid, ret_val)
        if self._work_horse_killed_handler is not None:
            self._work_horse_killed_handler(job, retpid, ret_val, rusage)

    def note_failure(self, job: Any, execution: Any, failure: capture.Failure) -> bool:
        """Remember a failure before user code hears of it; when nobody will, the outcome itself is soon enough."""
        if not self.has_listeners(job, failure) and not again.asks(job):
            return True
        return self.outbox.note(self._lease(job, execution), failure, self.told + 1)

    def allow(self, seconds: float, phase: str) -> None:
        """A phase of user code begins and may take so long."""
        self.outbox.allow(seconds, phase)

    def has_listeners(self, job: Any, failure: capture.Failure) -> bool:
        """Whether user code is to be told of a failure of this job; those who have heard of it do not count."""
        heard = failure.heard
        if job._failure_callback_name and not heard or len(self._exc_handlers) >= max(heard, 1):
            return True
        if heard < handlers.EVERYBODY and type(self).handle_exception is not Outcomes.handle_exception:
            return True
        return final.has_listeners(job, self.final_failure_handlers, failure)
