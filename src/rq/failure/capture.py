"""An exception, a deadline, an exit status or an orphan -> Failure: bounded, and never raising itself.

The origins of a failure are so many ways to build a `Failure`, not so many pipelines.
"""

from __future__ import annotations

import json
import os
import socket
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from rq.defaults import MAX_TRACEBACK_BYTES
from rq.exceptions import (
    AbandonedJobError,
    ColdShutdown,
    HorseKilledError,
    InterruptedJobError,
    JobFailedError,
    PoisonJobError,
    StoppedJobError,
)
from rq.failure.keeping import locals_of
from rq.rules.anatomy import ExceptionRecord, mro_of, to_json
from rq.rules.anatomy import describe as chain_of
from rq.rules.exits import describe, read_status
from rq.rules.scrub import Scrubber
from rq.rules.secrecy import secrets_of
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


_NOT_STORED = ('live', 'records', 'secrets')
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
    chain: list[dict[str, Any]] = field(default_factory=list)  # it and its causes, as `rules.anatomy` has them
    mro: list[str] = field(default_factory=list)  # dotted names of its class and what that inherits from
    fingerprint: str = ''  # what the exception itself says it is to be grouped by
    output: str = ''  # the last that the job printed and logged, where that is kept
    host: str = ''  # where the process of the job ran, and ...
    pid: int | None = None  # ... which one it was
    heard: int = 0  # of its listeners (on_failure, then the chain), how many are not to be told again
    live: ExcInfo | None = field(default=None, repr=False)
    records: list[ExceptionRecord] = field(default_factory=list, repr=False)  # the chain, in the process that made it
    secrets: frozenset[str] = field(default=frozenset(), repr=False)  # values known to be secret; never stored

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
        values = {name: value for name, value in self.__dict__.items() if name not in _NOT_STORED}
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
            chain=list(values.get('chain', ())),
            mro=[str(one) for one in values.get('mro', ())],
            fingerprint=str(values.get('fingerprint', '')),
            output=str(values.get('output', '')),
            host=str(values.get('host', '')),
            pid=values.get('pid'),
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


def capture(
    error: BaseException,
    kind: Kind = Kind.RAISED,
    retryable: bool = True,
    job: Any = None,
    keeps_locals: bool = False,
    secrets: frozenset[str] = frozenset(),
) -> Failure:
    """A live exception, in the process that has it. No text of it has a secret of its job, its frames or `secrets`."""
    cls = type(error)  # what it says of its class may be wrong, or raise
    if kind is Kind.RAISED and issubclass(cls, JobTimeoutException):
        kind = Kind.TIMED_OUT
    scrubber = Scrubber(secrets | secrets_of(error, job))
    text = traceback_text(error, scrubber)  # before the message, which is a part of it
    message = message_of(error, scrubber.text)
    records = _chain_of(error, scrubber, keeps_locals, message, text)
    return Failure(
        kind,
        name_of(cls),
        message,
        text,
        retryable,
        chain=to_json(records),
        mro=mro_of(cls),
        fingerprint=scrubber.text(_fingerprint_of(error)),
        host=socket.gethostname(),
        pid=os.getpid(),
        live=(cls, error, trace_of(error)),
        records=records,
        secrets=scrubber.secrets,
    )


def _chain_of(
    error: BaseException, scrubber: Scrubber, keeps_locals: bool, message: str, text: str
) -> list[ExceptionRecord]:
    """Of it and its causes; with locals as long as the whole attempt stays within its limit."""
    if keeps_locals:
        known = locals_of(error, scrubber)
        found = chain_of(error, lambda frame: known.get(id(frame)), scrubber, message)
        if len(json.dumps(to_json(found))) + len(json.dumps(text)) < MAX_TRACEBACK_BYTES - 2 * MESSAGE_BYTES:
            return found
    return chain_of(error, None, scrubber, message)


def _fingerprint_of(error: BaseException) -> str:
    """What an exception wants to be grouped by: its attribute `rq_fingerprint`, a text."""
    try:
        said = getattr(error, 'rq_fingerprint', '')
    except ColdShutdown:
        raise
    except BaseException:
        return ''
    return bounded(said, MESSAGE_BYTES) if type(said) is str else ''


def _without_exception(kind: Kind, message: str, text: str = '', **more: Any) -> Failure:
    cls = _CLASSES[kind]
    return Failure(kind, cls.__name__, message, text or message, mro=mro_of(cls), **more)


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


def overdue(timeout: float | None, phase: str = '', then: str = 'its process group was killed') -> Failure:
    """A work horse that did not react to its timeout and was killed by its parent."""
    what = f'Task exceeded maximum timeout value ({timeout} seconds)'
    if phase:
        what = f'The {phase} of the task exceeded its time'
    message = f'{what}; it did not react, so {then}'
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
