"""Which job is this code part of? Bound to the context, so coroutines see it and copied contexts keep it."""

from __future__ import annotations

from contextvars import ContextVar, Token
from typing import Any

_current: ContextVar[Any] = ContextVar('rq_current_job', default=None)


def current() -> Any:
    """The job running in this context, or None."""
    return _current.get()


def enter(job: Any) -> Token[Any]:
    """The job begins here."""
    return _current.set(job)


def leave(token: Token[Any]) -> None:
    """It has ended."""
    _current.reset(token)
