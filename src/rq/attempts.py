"""Attempt: what is remembered of one failed run of a job, also of those that were tried again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

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


class HasAttempts:
    """Mixin of Job."""

    _id: str
    connection: Redis
    _failure: Any
    should_retry: bool
    results: Any

    @property
    def attempts(self) -> list[Attempt]:
        """The latest ten failed attempts as they are stored, the first one first."""
        raw = read.attempts(self.connection, self._id)
        if not raw:
            return []
        results: list[Result] = self.results()
        texts = {one.execution_id: one.exc_string or '' for one in results if one.execution_id}
        return [_attempt(one, texts) for one in raw]

    @property
    def is_final_attempt(self) -> bool:
        """Whether a failure of this attempt is the end: callbacks and handlers ask it before the decision is made."""
        return not self.should_retry or (self._failure is not None and not self._failure.retryable)


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
    )


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) else None


def _moment(value: Any) -> datetime | None:
    return from_epoch(value) if isinstance(value, int | float) else None
