"""From where a job was enqueued: the nearest line of the program, in a few words that fit into the job's hash.

It is asked for with each enqueue, so it looks at frames only: no source is read, no traceback is made.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from functools import lru_cache
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, ParamSpec, TypeVar, cast

from rq.rules.anatomy import is_own_file

MOST = 64  # bytes: one more would turn a job's small hash into a large one
FUNCTION = 32  # bytes of it for the function, when all of it is too long
STEPS = 20  # frames of libraries between us and the program
MOST_SPOTS = 1024  # places whose words are remembered
P = ParamSpec('P')
T = TypeVar('T')

_PACKAGE = f'{Path(__file__).parent}/'
_COMMANDS = f'{_PACKAGE}cli/'
_WORK = f'{_PACKAGE}perform/'
_OURS, _OWN, _LIBRARY = 'ours', 'own', 'library'

#: code and instruction that called us -> the words for it: Python looks for a line from the beginning of its function
_spots: dict[tuple[int, int], tuple[CodeType, str]] = {}
#: where a coroutine was made: when it runs, as a task perhaps, who made it is on no stack any more
_made_at: ContextVar[str] = ContextVar('rq_enqueued_from', default='')


def place() -> str:
    """Where the program called us: `shop/views.py:41 checkout`; '' when nobody did, like the command's name for ours.

    Behind a library, such as an integration of a framework, the program's own frame counts, if it is near.
    """
    known = _made_at.get()
    if known:
        return known
    frame: FrameType | None = sys._getframe(1)
    nearest: FrameType | None = None
    steps = 0
    while frame is not None and steps < STEPS:
        kind = _kind(frame.f_code.co_filename)
        if kind is _OWN:
            return _words(frame)
        if kind is _LIBRARY:
            nearest = nearest or frame
            steps += 1
        elif kind is not _OURS:
            return _words(nearest) if nearest is not None else kind
        frame = frame.f_back
    return _words(nearest) if nearest is not None else ''


def remembering(method: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """A coroutine method that knows where it was called, also when it is awaited elsewhere or run as a task."""

    @functools.wraps(method)
    def called(*args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, T]:
        return _carried(place(), method(*args, **kwargs))

    mark = getattr(inspect, 'markcoroutinefunction', None)  # Python 3.12
    return called if mark is None else cast('Callable[P, Coroutine[Any, Any, T]]', mark(called))


async def _carried(where: str, coroutine: Coroutine[Any, Any, T]) -> T:
    token = _made_at.set(where)
    try:
        return await coroutine
    finally:
        _made_at.reset(token)


@lru_cache(maxsize=4096)
def _kind(file: str) -> str:
    if file.startswith(_COMMANDS):
        return f'rq {Path(file).stem}'  # `rq enqueue`, `rq cron`
    if file.startswith(_WORK):
        return ''  # a job enqueues another one: who runs it is none of its business
    if is_own_file(file):
        return _OWN
    return _OURS if file.startswith(_PACKAGE) else _LIBRARY


def _words(frame: FrameType) -> str:
    code = frame.f_code
    spot = id(code), frame.f_lasti
    known = _spots.get(spot)
    if known is not None and known[0] is code:
        return known[1]
    words = f'{_short(code.co_filename)}:{frame.f_lineno} {code.co_name}'
    if len(words) > MOST or not words.isascii():
        words = _fitted(code, frame.f_lineno)
    if len(_spots) >= MOST_SPOTS:
        _spots.clear()
    _spots[spot] = code, words
    return words


@lru_cache(maxsize=4096)
def _short(file: str) -> str:
    """The last two parts of a path: no machine's directories."""
    return '/'.join(file.replace('\\', '/').split('/')[-2:])


def _fitted(code: CodeType, line: int | None) -> str:
    """At most 64 bytes: the path gives way first, from its left."""
    function = code.co_name.encode('utf-8', 'backslashreplace')
    where = f'{_short(code.co_filename)}:{line}'.encode('utf-8', 'backslashreplace')
    if len(where) + 1 + len(function) > MOST:
        function = function[: max(FUNCTION, MOST - 1 - len(where))]
    where = where[-(MOST - 1 - len(function)) :]
    return f'{where.decode("utf-8", "ignore")} {function.decode("utf-8", "ignore")}'
