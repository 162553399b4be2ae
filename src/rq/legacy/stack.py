"""The stack of connections, in the words of 0.x. The stack itself lies in `rq.eras`, where everybody looks at it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rq import eras
from rq.connections import from_url

__all__ = [
    'Connection',
    'get_current_connection',
    'pop_connection',
    'push_connection',
    'resolve_connection',
    'use_connection',
]

_HERE = 'redis://'  # a client with default parameters


@contextmanager
def Connection(conn: Any = None, *, connection: Any = None) -> Iterator[None]:
    """Queues, jobs and workers made in this block use the connection; deprecated: give it to each of them."""
    pushed = _or_default(connection if conn is None else conn)
    push_connection(pushed)
    try:
        yield
    finally:
        popped = pop_connection()
        assert popped is pushed, 'pushes and pops of connections do not match: another one lay on top of the stack'


def push_connection(redis: Any) -> None:
    """Put a connection on top of the stack; deprecated: give it to each queue, job or worker."""
    eras.restack((*eras.stacked(), redis))


def pop_connection() -> Any:
    """Take the topmost connection off the stack, and return it; None when there is none."""
    stack = eras.stacked()
    eras.restack(stack[:-1])
    return stack[-1] if stack else None


def use_connection(redis: Any = None) -> None:
    """Make this connection the only one of the stack; deprecated: give it to each queue, job or worker."""
    assert len(eras.stacked()) <= 1, 'use_connection() in a `with Connection(...)` block: choose one of the two'
    eras.restack((_or_default(redis),))


def get_current_connection() -> Any:
    """The topmost connection of the stack, or None."""
    stack = eras.stacked()
    return stack[-1] if stack else None


def resolve_connection(connection: Any = None) -> Any:
    """The connection given, else the topmost one; `NoRedisConnectionException` when there is none."""
    return eras.at_hand() if connection is None else connection


def _or_default(connection: Any) -> Any:
    return from_url(_HERE) if connection is None else connection
