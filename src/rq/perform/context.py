"""Which job is this code part of? Bound to the context, so coroutines see it and copied contexts keep it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import ContextVar, Token
from typing import Any

_current: ContextVar[Any] = ContextVar('rq_current_job', default=None)
_await: ContextVar[Callable[[Coroutine[Any, Any, Any]], Any] | None] = ContextVar('rq_await', default=None)


class Later:
    """A job that is made when somebody asks for it."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._made: dict[str, Any] = {}

    @property
    def made(self) -> Any:
        """The job, if anybody has asked."""
        return self._made.get('job')

    def job(self) -> Any:
        """The job; the same for all who ask."""
        return self.made or self._made.setdefault('job', self._make())


def current() -> Any:
    """The job running in this context, or None."""
    found = _current.get()
    return found.job() if type(found) is Later else found


def enter(job: Any) -> Token[Any]:
    """The job begins here."""
    return _current.set(job)


def leave(token: Token[Any]) -> None:
    """It has ended."""
    _current.reset(token)


def await_by(wait: Callable[[Coroutine[Any, Any, Any]], Any]) -> None:
    """From here on coroutines are awaited so, on an event loop that others share, for example."""
    _await.set(wait)


def outcome_of(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """What a coroutine gives in the end; this thread waits for it."""
    wait = _await.get() or asyncio.run
    return wait(coroutine)
