"""An exception, a deadline, an exit status or an orphan -> Failure: bounded, and never raising itself.

The origins of a failure are so many ways to build a `Failure`, not so many pipelines.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import Any

from rq.exceptions import (
    AbandonedJobError,
    HorseKilledError,
    InterruptedJobError,
    JobFailedError,
    PoisonJobError,
    StoppedJobError,
)
from rq.rules.exits import describe, read_status
from rq.rules.wording import MESSAGE_BYTES, TEXT_BYTES, bounded, message_of, name_of, trace_of, traceback_text
from rq.timeouts import JobTimeoutException
from rq.types import ExcInfo

#: the phase in which the work is done already
ON_SUCCESS = 'on_success callback'


class Kind(str, Enum):
    """What happened. The first six and poison reach handlers; stopped and interrupted are nobody's error."""

    RAISED = 'raised'
    TIMED_OUT = 'timed_out'
    KILLED = 'killed'
    ABANDONED = 'abandoned'
    UNDECODABLE = 'undecodable'
    NOT_IMPORTABLE = 'not_importable'
    POISON = 'poison'
    STOPPED = 'stopped'
    INTERRUPTED = 'interrupted'


#: kinds without a live exception, and the public class that stands for each
_CLASSES: dict[Kind, type[Exception]] = {
    Kind.TIMED_OUT: JobTimeoutException,
    Kind.KILLED: HorseKilledError,
    Kind.ABANDONED: AbandonedJobError,
    Kind.POISON: PoisonJobError,
    Kind.STOPPED: StoppedJobError,
    Kind.INTERRUPTED: InterruptedJobError,
}


@dataclass
class Failure:
    """One captured failure: what, in words, with its traceback text; `attached` are errors of those it was told to."""

    kind: Kind
    type_name: str
    message: str
    text: str
    retryable: bool = True
    attached: list[str] = field(default_factory=list)
    signal: int | None = None
    exit_code: int | None = None
    peak_memory: int | None = None  # bytes
    pause: float = 0  # seconds to wait at least before another attempt
    heard: int = 0  # of its listeners (on_failure, then the chain), how many are not to be told again
    live: ExcInfo | None = field(default=None, repr=False)

    @property
    def exc_info(self) -> ExcInfo:
        """What handlers get: the live exception, else one of ours with no traceback."""
        if self.live is None:
            self.live = _revive(self)
        return self.live

    @property
    def full_text(self) -> str:
        """The text as stored: the failure's own, then what its callback and handlers raised."""
        return bounded('\n\n'.join([self.text, *self.attached]))

    @property
    def is_told(self) -> bool:
        """Whether callbacks and handlers hear of it."""
        return self.kind not in (Kind.STOPPED, Kind.INTERRUPTED)

    def to_dict(self) -> dict[str, Any]:
        """The storable part."""
        values = asdict(Failure(**{**self.__dict__, 'live': None}))
        del values['live']
        room = max(TEXT_BYTES - len(json.dumps(self.text)), 2 * MESSAGE_BYTES)
        attached = [bounded('\n\n'.join(self.attached), room)] if self.attached else []
        return {**values, 'kind': self.kind.value, 'attached': attached}


def from_dict(values: dict[str, Any]) -> Failure:
    """A failure as it was noted; unknown or missing parts do not matter."""
    try:
        return Failure(
            kind=Kind(values['kind']),
            type_name=str(values.get('type_name', 'Exception')),
            message=str(values.get('message', '')),
            text=str(values.get('text', '')),
            retryable=bool(values.get('retryable', True)),
            attached=[str(one) for one in values.get('attached', [])],
            signal=values.get('signal'),
            exit_code=values.get('exit_code'),
            peak_memory=values.get('peak_memory'),
            heard=int(values.get('heard', 0)),
            pause=float(values.get('pause', 0)),
        )
    except (KeyError, ValueError, TypeError):
        return abandoned('')


def _revive(failure: Failure) -> ExcInfo:
    cls = _CLASSES.get(failure.kind)
    if cls is HorseKilledError:
        words = failure.message, failure.signal, failure.exit_code, failure.peak_memory
        return cls, HorseKilledError(*words), None
    if cls is None:
        error: Exception = JobFailedError(f'{failure.type_name}: {failure.message}')
        return JobFailedError, error, None
    return cls, cls(failure.message), None


def capture(error: BaseException, kind: Kind = Kind.RAISED, retryable: bool = True) -> Failure:
    """A live exception."""
    cls = type(error)  # what it says of its class may be wrong, or raise
    if kind is Kind.RAISED and issubclass(cls, JobTimeoutException):
        kind = Kind.TIMED_OUT
    words = name_of(cls), message_of(error), traceback_text(error)
    return Failure(kind, *words, retryable, live=(cls, error, trace_of(error)))


def _without_exception(kind: Kind, message: str, text: str = '', **more: Any) -> Failure:
    return Failure(kind, _CLASSES[kind].__name__, message, text or message, **more)


def killed(raw_status: int | None, peak_kib: int | None) -> Failure:
    """A work horse that ended without a word: any signal, any exit code, zero too."""
    signum, code = read_status(raw_status)
    message = f'Work-horse terminated unexpectedly; waitpid returned {raw_status}'
    message += f' (signal {signum}); ' if signum else '; '
    message += describe(raw_status)
    if peak_kib:
        message += f'; peak memory {peak_kib / 1024:,.1f} MiB'
    if signum == 9:
        message += '. SIGKILL comes from the out-of-memory killer, from a person or from an orchestrator.'
    peak = peak_kib * 1024 if peak_kib else None
    return _without_exception(
        Kind.KILLED, message, signal=signum, exit_code=code, peak_memory=peak
    )  # its text begins as RQ's does


def overdue(timeout: float | None, phase: str = '') -> Failure:
    """A work horse that did not react to its timeout and was killed by its parent."""
    what = f'Task exceeded maximum timeout value ({timeout} seconds)'
    if phase:
        what = f'The {phase} of the task exceeded its time'
    message = f'{what}; it did not react, so its process group was killed'
    text = f'rq.timeouts.JobTimeoutException: {message}'
    return _without_exception(Kind.TIMED_OUT, message, text, retryable=phase != ON_SUCCESS)


def abandoned(worker: str, at: str = '') -> Failure:
    """The worker of a started job is gone."""
    who = f'worker {worker}' if worker else 'its worker'
    message = f'{who} vanished while the job was running'
    text = f'Moved to FailedJobRegistry, due to AbandonedJobError, at {at}: {message}' if at else ''
    return _without_exception(Kind.ABANDONED, message, text)


def poison(times: int, worker: str) -> Failure:
    """A job whose workers die."""
    message = f'{times} workers were lost while running this job, the last one {worker}; it is not tried again'
    return _without_exception(Kind.POISON, message, f'rq.exceptions.PoisonJobError: {message}', retryable=False)


def stopped() -> Failure:
    """Stopped by command."""
    return _without_exception(Kind.STOPPED, 'Job stopped by user, work-horse terminated.', retryable=False)


def interrupted() -> Failure:
    """Handed back because its worker had to leave."""
    return _without_exception(Kind.INTERRUPTED, 'The worker had to leave; the job went back to its queue')
