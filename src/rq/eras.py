"""What lower rooms know of programs written for RQ 0.x ("era A"): the stack of connections, and words not shown.

The rules of that era stand in `legacy/`. They apply only where RQ 3.0 would raise: without a connection, or to words
that it does not know.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast

from rq import stairs
from rq.connections import NoRedisConnectionException

P = ParamSpec('P')
R = TypeVar('R')
T = TypeVar('T')
F = TypeVar('F', bound=Callable[..., Any])

ERA_A = 'A'


class MissingConnectionError(NoRedisConnectionException, TypeError, ValueError):
    """No connection was given, and none is at hand: for RQ 0.x the first base, for RQ 3.0 here and there the others."""


# One tuple for each thread and each greenlet. A context copied for a coroutine takes it along, and cannot change ours.
_stack: ContextVar[tuple[Any, ...]] = ContextVar('rq_connections', default=())


def stacked() -> tuple[Any, ...]:
    """The connections of this thread's stack, the topmost last."""
    return _stack.get()


def restack(connections: tuple[Any, ...]) -> None:
    """Exchange the stack of this thread."""
    _stack.set(connections)


def at_hand(missing: str = 'Could not resolve a Redis connection') -> Any:
    """The topmost connection of the stack; the text says what is missing when it is empty."""
    stack = _stack.get()
    if not stack:
        raise MissingConnectionError(missing)
    return stack[-1]


def serving(function: Callable[P, R]) -> Callable[P, R]:
    """While the function works on a job, its first argument, the job's connection lies on top of the stack."""

    @wraps(function)
    def served(*args: P.args, **kwargs: P.kwargs) -> R:
        job: Any = args[0]
        stack = _stack.get()
        on_top = bool(stack) and stack[-1] is job.connection
        token = _stack.set(stack if on_top else (*stack, job.connection))  # set in any case, to be put right after
        try:
            return function(*args, **kwargs)
        finally:
            _stack.reset(token)

    return served


def finding(function: F) -> F:
    """A function that may be called without a connection, and without a queue: the stack has it then.

    What it makes of that connection is of era A. Tools see the signature of RQ 3.0, which asks for one.
    """
    names = list(inspect.signature(function).parameters)
    sources = [(name, names.index(name)) for name in ('connection', 'queue') if name in names]
    position = names.index('connection')

    @wraps(function)
    def found(*args: Any, **kwargs: Any) -> Any:
        for name, place in sources:
            if (args[place] if len(args) > place else kwargs.get(name)) is not None:
                return function(*args, **kwargs)
        connection = at_hand(f"{function.__name__}() missing 1 required argument: 'connection'")
        if len(args) > position:
            args = (*args[:position], connection, *args[position + 1 :])
        else:
            kwargs['connection'] = connection
        return mark(function(*args, **kwargs))

    return cast(F, found)


def instead(old: Callable[..., Any], word: str) -> Callable[[F], F]:
    """Another function takes the calls that name no connection, its second argument, or the word of 0.x."""

    def decorate(function: F) -> F:
        @wraps(function)
        def called(*args: Any, **kwargs: Any) -> Any:
            connection = args[1] if len(args) > 1 else kwargs.get('connection')
            return (old if connection is None or word in kwargs else function)(*args, **kwargs)

        return cast(F, called)

    return decorate


def hiding(*hidden: str) -> Callable[[F], F]:
    """Words of 0.x among a function's arguments, which `inspect.signature` is not to show; calls cost nothing more."""

    def decorate(function: F) -> F:
        signature = inspect.signature(function)
        shown = [parameter for name, parameter in signature.parameters.items() if name not in hidden]
        function.__dict__['__signature__'] = signature.replace(parameters=shown)
        return function

    return decorate


def heir(owner: Any, made: T) -> T:
    """What was made through an object of era A is of that era, too: a queue or job, or a list of them."""
    return mark(made) if owner.era else made


def mark(made: T) -> T:
    """This is of era A, or these are."""
    several: Iterable[Any] = made if isinstance(made, list) else (made,)
    for one in several:
        if hasattr(one, 'era'):
            one.era = ERA_A
    return made


def second_is_timeout(constructor: F) -> F:
    """A queue's second positional argument was its timeout: it is, when it is a number, a text, or None.

    The third was the connection then. Tools see the constructor of RQ 3.0.
    """

    @wraps(constructor)
    def constructed(*args: Any, **kwargs: Any) -> None:
        if len(args) > 2 and _is_timeout(args[2]):
            own, name, timeout, *rest = args
            if timeout is not None:
                stairs.tell_old('Queue(name, timeout)', 'Queue(name, connection, default_timeout)')
            if rest and not _is_timeout(rest[0]):
                args = (own, name, rest[0], timeout, *rest[1:])
            elif not rest:
                args = (own, name)
                if timeout is not None:
                    kwargs['default_timeout'] = timeout
        constructor(*args, **kwargs)

    return cast(F, constructed)


def _is_timeout(value: Any) -> bool:
    return value is None or isinstance(value, int | str)
