"""The values known to be secret when a job fails: secret arguments of its call, secret locals of failing frames.

Only names are looked at, and only values of builtin types are taken: nobody's code runs.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from functools import lru_cache
from types import CodeType, FrameType
from typing import Any

from rq.exceptions import ColdShutdown
from rq.rules.parameters import secrets_of_call
from rq.rules.payload import UNEVALUATED
from rq.rules.secrets import gather, is_secret_name
from rq.rules.wording import own_frames, steps_of, trace_of

_MOST_ERRORS, _MOST_FRAMES = 20, 100


def secrets_of(error: BaseException | None, job: Any = None) -> set[str]:
    """What is known to be secret of an exception and, if it is given, of the call of its job."""
    found: set[str] = set()
    for gather_from, source in ((_call, job), (_errors, error)):
        try:
            if source is not None:
                gather_from(source, found)
        except ColdShutdown:
            raise
        except BaseException:  # an exception, or a class of arguments, that lies about itself: what was found counts
            continue
    return found


def _errors(error: BaseException, found: set[str]) -> None:
    _look_along(error, found)
    if error.__cause__ is None and error.__context__ is None and not issubclass(type(error), BaseExceptionGroup):
        return  # the usual case
    for one in _company(error):
        if one is not error:
            _look_along(one, found)


def _look_along(error: BaseException, found: set[str]) -> None:
    for step in steps_of(own_frames(trace_of(error)))[-_MOST_FRAMES:]:
        frame = step.tb_frame
        if _secret_locals(frame.f_code):
            found |= secrets_of_frame(frame)


def _call(job: Any, found: set[str]) -> None:
    """A call that was not loaded here is not loaded for this."""
    known = job.__dict__
    if known.get('_func_name', UNEVALUATED) is not UNEVALUATED:
        parts = [known.get(name, UNEVALUATED) for name in ('_func_name', '_instance', '_args', '_kwargs')]
        found |= secrets_of_call(*(None if part is UNEVALUATED else part for part in parts))


def _company(error: BaseException) -> Iterator[BaseException]:
    """The error, its causes and contexts, and its members."""
    waiting, seen = [error], set[int]()
    while waiting and len(seen) < _MOST_ERRORS:
        one = waiting.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        waiting += [each for each in (one.__cause__, one.__context__) if each is not None]
        if issubclass(type(one), BaseExceptionGroup):
            group: Any = one
            waiting += group.exceptions[:_MOST_ERRORS]


def secrets_of_frame(frame: FrameType) -> set[str]:
    """The values of its secret locals."""
    names = _secret_locals(frame.f_code)
    if not names:
        return set()
    known = frame.f_locals
    found: set[str] = set()
    left = [1000]
    if type(known) is dict:  # that of a class body may be somebody's mapping
        for name in names:
            gather(known.get(name), 2, name, found, left)
    return found


@lru_cache(maxsize=4096)
def _secret_locals(code: CodeType) -> tuple[str, ...]:
    names = (*code.co_varnames, *code.co_cellvars, *code.co_freevars)
    if not code.co_flags & inspect.CO_OPTIMIZED:  # a module or a class body
        names += code.co_names
    return tuple(name for name in names if is_secret_name(name))
