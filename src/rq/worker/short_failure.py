"""The short way of a plain job that fails in the worker itself: captured, logged, judged, settled.

It is for failures of which nobody else is to hear: no handler, no callback, no hook, no worker of 0.x. What the rooms
of failure ask of a job stands in `Failed`, so that no job need be made of its record.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, cast

from rq import eras
from rq.exceptions import DeserializationError, NotImportableError, RetryLater
from rq.failure.capture import capture
from rq.failure.outcome import of_failure
from rq.rules.retry import interval_after_failure
from rq.rules.timing import from_epoch
from rq.timeouts import BaseTimeoutException
from rq.types import JobLike
from rq.worker import plain

#: who overrides or replaces one of these is asked for each failure
_SEAMS = (
    'handle_exception', 'handle_job_failure', 'handle_execution_ended', 'note_failure', 'has_listeners', 'takes_over',
    'allow', 'fingerprint', '_told_group', '_emit', '_say_what_was_raised',
)  # fmt: skip
#: failures that are more than what a function has raised
_UNUSUAL = (BaseTimeoutException, RetryLater, DeserializationError, NotImportableError, MemoryError)


class Failed:
    """A plain job that failed."""

    retry_policy = _advised = None
    webhooks: Sequence[Any] = ()
    _before: ClassVar[dict[str, Any]] = {}

    def __init__(self, brief: Any, course: Any) -> None:
        raw: Mapping[bytes, bytes] = brief.raw
        self.id, self.origin = brief.lease.job_id, brief.lease.queue
        self._func_name, self._instance, self._args, self._kwargs = course.call
        self.func_name, self.instance, self.args, self.kwargs = course.call
        self.started_at, self.ended_at = (from_epoch(at + brief.ahead) for at in (course.began, time.monotonic()))
        self.failure_ttl, self.retries_left = _number(raw, b'failure_ttl'), _number(raw, b'retries_left')
        self.number_of_retries = _number(raw, b'number_of_retries')
        self.enqueue_at_front_on_retry = bool(_number(raw, b'enqueue_at_front_on_retry'))
        intervals = raw.get(b'retry_intervals')
        self.retry_intervals = json.loads(intervals) if intervals else None

    def touched_since(self, before: dict[str, Any]) -> dict[str, Any]:
        """Nothing: nobody has had it in hand."""
        return {}

    def get_retry_interval(self) -> int:
        """Seconds until the next attempt after an exception."""
        return interval_after_failure(self.retry_intervals, self.retries_left)


def _number(raw: Mapping[bytes, bytes], name: bytes) -> int | None:
    value = raw.get(name)
    return int(value) if value else None


class ShortFailures:
    """Those of one worker."""

    def __init__(self, worker: Any) -> None:
        self._worker = worker
        self._seams: tuple[Any, ...] = ()
        self._are_ours = False

    def settle(self, brief: Any, course: Any, error: BaseException) -> bool:
        """From raised to settled; False when this one is to take the long way, of which nothing is done then."""
        worker, cls = self._worker, type(error)
        if not course.called or course.ended or course.later.made is not None:
            return False
        if not issubclass(cls, Exception) or issubclass(cls, _UNUSUAL) or not self._is_nobody_told():
            return False
        failed, before = cast(JobLike, Failed(brief, course)), eras.stacked()
        eras.restack((*before, worker.connection))
        worker._is_horse = True
        try:
            failure = capture(error, job=failed)
            worker._say_what_was_raised(failed, failure.text, tried=True)
            stored = not worker.disable_default_exception_handler
            settlement = of_failure(failed, brief.lease, failure, failure.full_text, stored)
        finally:
            eras.restack(before)
            worker._is_horse = False
        worker.outbox.emit(settlement)
        return True

    def _is_nobody_told(self) -> bool:
        worker = self._worker
        if worker._exc_handlers or worker.final_failure_handlers or worker.era or worker.keep_on_failure:
            return False
        if worker.default_retry is not None:
            return False
        seams = tuple([getattr(worker, name, None) for name in _SEAMS])
        if seams != self._seams:
            self._seams = seams
            self._are_ours = all(plain.is_ours(worker, name) for name in _SEAMS)
        return self._are_ours
