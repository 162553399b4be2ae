"""An exception, a deadline, an exit status or an orphan -> Failure: bounded, and never raising itself.

The origins of a failure are so many ways to build a `Failure`, not so many pipelines.
"""

from __future__ import annotations

import traceback
from dataclasses import asdict, dataclass, field
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import Any

from rq.defaults import MAX_TRACEBACK_BYTES
from rq.exceptions import (
    AbandonedJobError,
    ColdShutdown,
    HorseKilledError,
    InterruptedJobError,
    JobFailedError,
    NotImportableError,
    PoisonJobError,
    StoppedJobError,
)
from rq.rules.exits import describe, read_status
from rq.timeouts import JobTimeoutException
from rq.types import ExcInfo

_OURS = str(Path(__file__).parent.parent)
_DEMO = str(Path(_OURS, 'demo'))  # its jobs are user code, as far as tracebacks go


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
        return cut('\n\n'.join([self.text, *self.attached]))

    @property
    def is_told(self) -> bool:
        """Whether callbacks and handlers hear of it."""
        return self.kind not in (Kind.STOPPED, Kind.INTERRUPTED)

    def to_dict(self) -> dict[str, Any]:
        """The storable part."""
        values = asdict(Failure(**{**self.__dict__, 'live': None}))
        del values['live']
        return {**values, 'kind': self.kind.value}


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
        )
    except (KeyError, ValueError, TypeError):
        return abandoned('')


def _revive(failure: Failure) -> ExcInfo:
    cls = _CLASSES.get(failure.kind)
    if cls is HorseKilledError:
        return cls, HorseKilledError(failure.message, failure.signal, failure.exit_code), None
    if cls is None:
        error: Exception = JobFailedError(f'{failure.type_name}: {failure.message}')
        return JobFailedError, error, None
    return cls, cls(failure.message), None


def cut(text: str, limit: int = MAX_TRACEBACK_BYTES) -> str:
    """At most `limit` bytes of a text: its head and its tail, and between them how much is missing."""
    raw = text.encode('utf-8', errors='replace')
    if len(raw) <= limit:
        return raw.decode('utf-8')
    half = (limit - 64) // 2
    mark = f'\n... [{len(raw) - 2 * half:,} bytes cut] ...\n'
    return raw[:half].decode('utf-8', 'ignore') + mark + raw[-half:].decode('utf-8', 'ignore')


def _safe(describe_it: Any, otherwise: str) -> str:
    try:
        return str(describe_it())
    except ColdShutdown:
        raise
    except BaseException:
        return otherwise


def _own_frames(trace: TracebackType | None) -> TracebackType | None:
    """Without our leading frames, which tell a user nothing; all of them when there is nothing else."""
    inner = trace
    while inner is not None and _is_ours(inner.tb_frame.f_code.co_filename):
        inner = inner.tb_next
    return inner or trace


def _has_user_frames(error: BaseException | None) -> bool:
    """Whether the error or a cause of it has a frame that is neither ours nor of the import machinery."""
    while error is not None:
        files = (frame.filename for frame in traceback.extract_tb(error.__traceback__))
        if any(not (_is_ours(file) or file.startswith('<frozen') or 'importlib' in file) for file in files):
            return True
        error = error.__cause__
    return False


def _is_ours(file: str) -> bool:
    return file.startswith(_OURS) and not file.startswith(_DEMO)


def _traceback_text(error: BaseException) -> str:
    if isinstance(error, NotImportableError) and not _has_user_frames(error):
        return ''.join(traceback.format_exception_only(error))  # the sentence says it; all frames are ours
    # A limit on frames per traceback keeps recursion errors short; chains and groups are cut in the end.
    parts = traceback.format_exception(type(error), error, _own_frames(error.__traceback__), limit=-100)
    return ''.join(parts)


def capture(error: BaseException, kind: Kind = Kind.RAISED, retryable: bool = True) -> Failure:
    """A live exception."""
    if isinstance(error, JobTimeoutException) and kind is Kind.RAISED:
        kind = Kind.TIMED_OUT
    cls = type(error)
    name = cls.__qualname__ if cls.__module__ in ('builtins', None) else f'{cls.__module__}.{cls.__qualname__}'
    message = _safe(lambda: error, '<text unavailable: its __str__ raised>')
    text = _safe(lambda: _traceback_text(error), f'{name}: {message}\n(its traceback cannot be formatted)')
    return Failure(kind, name, cut(message, 4096), cut(text), retryable, live=(cls, error, error.__traceback__))


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
    return _without_exception(Kind.KILLED, message, signal=signum, exit_code=code)  # its text begins as RQ's does


def overdue(timeout: float | None, phase: str = '') -> Failure:
    """A work horse that did not react to its timeout and was killed by its parent."""
    what = f'Task exceeded maximum timeout value ({timeout} seconds)'
    if phase:
        what = f'The {phase} of the task exceeded its time'
    message = f'{what}; it did not react, so its process group was killed'
    text = f'rq.timeouts.JobTimeoutException: {message}'
    return _without_exception(Kind.TIMED_OUT, message, text, retryable=phase != 'on_success callback')


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
