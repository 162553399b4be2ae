"""Every exception a user can meet, except the timeouts, which stand in `rq.timeouts`.

The docstring of each says when it is met and what to do. No logic, no formatting of messages.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

# --- names and bases shared with RQ -------------------------------------------------------------------


class AbandonedJobError(Exception):
    """The worker of a started job vanished: given to handlers and callbacks; look for kills or lost hosts."""


class DequeueTimeout(Exception):
    """A blocking dequeue found nothing in the given time: call it again, or stop waiting."""


class UnpickleError(Exception):
    """What programs of RQ 0.x catch when stored job data cannot be loaded; new ones catch `DeserializationError`."""

    raw_data: Any = None
    inner_exception: BaseException | None = None

    def __init__(self, message: str, raw_data: Any, inner_exception: BaseException | None = None) -> None:
        super().__init__(message)
        self.raw_data = raw_data
        self.inner_exception = inner_exception

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.args[0], self.raw_data, self.inner_exception), self.__dict__


class DeserializationError(UnpickleError):
    """Stored job data cannot be loaded: check that both sides use the same serializer and classes."""

    def __init__(self, *args: Any) -> None:
        Exception.__init__(self, *args)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self.args, self.__dict__


class DuplicateJobError(Exception):
    """`unique=True` met an id that exists: use the job that is there, or delete it first."""


class DuplicateSchedulerError(Exception):
    """A living cron scheduler has the name: choose another, or stop that one."""


class InvalidJobDependency(Exception):
    """Not raised any more, because unknown dependencies count as met; kept for old `except` clauses."""


class InvalidJobOperation(Exception):
    """The operation does not fit the job's state: read `job.get_status()` first."""


class InvalidJobOperationError(Exception):
    """Raised only by the failed queue of old programs; new ones meet `InvalidJobOperation`."""


class NoSuchGroupError(Exception):
    """No group of jobs has this name, since it lives as long as it has jobs; or no failure group has this id."""


class NoSuchJobError(Exception):
    """The job's record is gone or was never saved: it expired, was deleted, or the id is wrong."""


class SchedulerNotFound(Exception):
    """No scheduler of that name is registered: it ended, or its record expired."""


class ShutDownImminentException(BaseException):
    """Raised inside a job when its HerokuWorker must leave soon: clean up and return quickly.

    A `BaseException`, so that a job's `except Exception` does not swallow it.
    """

    def __init__(self, msg: str, extra_info: Mapping[str, Any]) -> None:
        super().__init__(msg, extra_info)
        self.extra_info = extra_info

    def __str__(self) -> str:
        return str(self.args[0])


class StopRequested(Exception):
    """Leave the work loop: raised and caught inside the worker, never seen by a job."""


class TimeoutFormatError(Exception):
    """A duration cannot be read: give seconds, or a number with one of the units d, h, m, s."""


# --- ours: one class for each kind of failure that had none -------------------------------------------


class HorseKilledError(Exception):
    """The process running a job ended without a word: look for the OOM killer, a crash or `os._exit`.

    Holds the `signal` that ended it, or else its `exit_code`; both are None when neither is known.
    And `peak_memory`, the most it had in bytes, where the system tells.
    """

    def __init__(
        self, message: str, signal: int | None = None, exit_code: int | None = None, peak_memory: int | None = None
    ) -> None:
        super().__init__(message)
        self.signal = signal
        self.exit_code = exit_code
        self.peak_memory = peak_memory


class InterruptedJobError(Exception):
    """A shutdown ran out of patience: the job went back to its queue, uncharged; nothing to do."""


class StoppedJobError(Exception):
    """Somebody stopped the job by command: nothing failed, requeue it if that was a mistake."""


class PoisonJobError(Exception):
    """The job's workers were lost again and again: it was given up; find out what in it kills them."""


class DoNotRetry(Exception):
    """Raise it inside a job, or a subclass: the job has failed, and no retry that is left is used."""


class RetryLater(Exception):
    """Raise it inside a job that cannot go on yet: it runs again `after` so many seconds, and nothing has failed.

    It takes one of the job's retries; a job without any may raise it `max` times. Without `after` it waits as after a
    failure. When no attempt is left it is a failure like any other.
    """

    def __init__(self, *args: Any, after: float | timedelta | None = None, max: int = 10) -> None:
        super().__init__(*args)
        self.after = after
        self.max = max


class RetryDeadlineError(DoNotRetry):
    """A retry got its turn after the deadline of its `Retry`, so it was not run: requeue it if it still matters."""


class PayloadError(DeserializationError):
    """Fields of a job's record cannot be read: see which, fix the writer, requeue."""


class NotImportableError(ValueError):
    """A dotted name leads nowhere in this process: deploy the code, or fix the path or the name."""


class JobFailedError(Exception):
    """A failure known only from its record: the message holds the original exception's type and text."""


class StorageFullError(Exception):
    """The server is out of memory and refuses writes: free some, or raise `maxmemory`; we keep trying."""


class PayloadTooLargeError(ValueError):
    """A payload is over the limit and was refused before anything was stored: pass a reference instead."""


class ColdShutdown(SystemExit):
    """A second signal asks the worker to leave at once: passes through every fence, and ends the process."""
