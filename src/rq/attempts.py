"""Attempt: what is remembered of one failed run of a job, also of those that were tried again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rq.failure import again
from rq.rules.anatomy import ExceptionRecord, Frame, from_json
from rq.rules.timing import from_epoch
from rq.store import read

if TYPE_CHECKING:
    from redis import Redis

    from rq.results import Result


@dataclass(frozen=True)
class Attempt:
    """One failed attempt; `number` counts from 1 over the life of the job, `kind` says what happened in a word."""

    number: int
    kind: str
    type_name: str
    message: str
    exc_string: str
    worker_name: str
    execution_id: str
    is_final: bool
    signal: int | None = None
    exit_code: int | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    peak_memory: int | None = None  # bytes
    host: str = ''
    pid: int | None = None
    chain: tuple[ExceptionRecord, ...] = ()  # the exception, then its causes or contexts
    group: str = ''  # id of its failure group
    output: str = ''  # the last that the job printed and logged, where that was asked for

    @property
    def module(self) -> str:
        """Where the class of the exception is defined."""
        return self.chain[0].module if self.chain else ''

    @property
    def frames(self) -> tuple[Frame, ...]:
        """Where the exception was raised, the outermost frame first."""
        return self.chain[0].frames if self.chain else ()

    @property
    def notes(self) -> tuple[str, ...]:
        """What was added to the exception by `add_note`."""
        return self.chain[0].notes if self.chain else ()

    @property
    def members(self) -> tuple[ExceptionRecord, ...]:
        """The exceptions in an exception group."""
        return self.chain[0].members if self.chain else ()


class HasAttempts:
    """Mixin of Job."""

    _id: str
    connection: Redis
    _failure: Any
    _default_retry: Any = None  # the worker's, for a job that names none
    _draw: float | None = None  # the random part of the wait after this attempt, ...
    _advised: float | None = None  # ... or what the user's own function says of it
    results: Any

    @property
    def attempts(self) -> list[Attempt]:
        """The latest ten failed attempts as they are stored, the first one first."""
        raw = read.attempts(self.connection, self._id)
        if not raw:
            return []
        results: list[Result] = self.results()
        return read_attempts(raw, {one.execution_id: one.exc_string or '' for one in results if one.execution_id})

    @property
    def is_final_attempt(self) -> bool:
        """Whether a failure of this attempt is the end: callbacks and handlers ask it before the decision is made.

        While the job runs it says whether any failure would be: `on=` and `never=` of its Retry depend on which.
        """
        job: Any = self
        return again.is_last(job)


def read_attempts(raw: list[dict[str, Any]], texts: dict[str, str]) -> list[Attempt]:
    """Attempts as the store has them; `texts`: of the results, by their execution."""
    return [_attempt(one, texts) for one in raw]


def _attempt(raw: dict[str, Any], texts: dict[str, str]) -> Attempt:
    """The text of the last attempt is that of the job's result, and kept there only."""
    execution = str(raw.get('execution', ''))
    return Attempt(
        number=raw['number'],
        kind=str(raw.get('kind', '')),
        type_name=str(raw.get('type', '')),
        message=str(raw.get('message', '')),
        exc_string=str(raw.get('text') or texts.get(execution, '')),
        worker_name=str(raw.get('worker', '')),
        execution_id=execution,
        is_final=bool(raw.get('final')),
        signal=_number(raw.get('signal')),
        exit_code=_number(raw.get('exit_code')),
        started_at=_moment(raw.get('started')),
        ended_at=_moment(raw.get('ended')),
        peak_memory=_number(raw.get('peak_memory')),
        host=str(raw.get('host', '')),
        pid=_number(raw.get('pid')),
        chain=tuple(from_json(raw.get('chain'))),
        group=str(raw.get('group', '')),
        output=str(raw.get('output', '')),
    )


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) else None


def _moment(value: Any) -> datetime | None:
    return from_epoch(value) if isinstance(value, int | float) else None
