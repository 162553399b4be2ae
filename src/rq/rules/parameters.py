"""Which positional arguments of a call are secrets, by the names of the function's parameters.

Nothing is imported and nobody's code runs: a function that this process does not have yet has no known parameters.
"""

from __future__ import annotations

import inspect
import sys
from functools import lru_cache
from types import CodeType, FunctionType, ModuleType
from typing import Any

from rq.rules.scrub import scrub
from rq.rules.secrets import HIDDEN, gather, is_secret_name

_NOWHERE: frozenset[int] = frozenset()
_MOST_WRAPPERS = 10
_LONGER = 8
_PLAIN = (int, str, float, bool, type(None), bytes)  # what has nothing within
_MOST_MASKED, _LONGEST, _DEPTH = 1000, 4096, 6  # values that are looked at, characters of a text
_MRO: Any = type.__dict__['__mro__'].__get__  # a metaclass may say something else


def secret_positions(func_name: str | None, instance: Any = None) -> frozenset[int]:
    """The places of secret arguments in a call of the function of this name, or of this method of `instance`."""
    return _positions_in_call(func_name, instance) or _NOWHERE


def _positions_in_call(func_name: str | None, instance: Any) -> frozenset[int] | None:
    """The same; None for a function that is not known here."""
    if not func_name:
        return None
    if instance is None:
        if type(func_name) is str:
            module_name, _, name = func_name.rpartition('.')
            module = sys.modules.get(module_name)
            if type(module) is ModuleType:
                function = module.__dict__.get(name)
                if type(function) is FunctionType and '__wrapped__' not in function.__dict__:
                    return _positions(function.__code__, 0)  # the usual case
        function, skipped = _function_named(func_name), 0
    else:
        holder = instance if type(instance) is type else type(instance)
        function, skipped = _member(holder, func_name), 1
    if function is None:
        return None
    if type(function) in (staticmethod, classmethod):
        skipped = int(type(function) is classmethod)
        function = function.__func__
    code = _code_of(function)
    return _NOWHERE if code is None else _positions(code, skipped)


def secrets_of_call(func_name: Any, instance: Any, args: Any, kwargs: Any) -> set[str]:
    """The values of secret arguments, those in dicts and lists among the arguments, too.

    Of a function that is not known here every longer text counts as one: the process that knew it may have died.
    """
    found: set[str] = set()
    left = [1000]
    hidden = _positions_in_call(func_name, instance) if type(func_name) is str else None
    if type(args) in (tuple, list):
        for place, value in enumerate(args):
            is_secret = place in hidden if hidden is not None else type(value) is str and len(value) >= _LONGER
            if is_secret or type(value) not in _PLAIN:
                gather(value, 2, 'password' if is_secret else None, found, left)
    if type(kwargs) is dict and kwargs:
        gather(kwargs, 3, None, found, left)
    return found


def masked_call(func_name: str, instance: Any, args: Any, kwargs: Any) -> tuple[Any, Any]:
    """Arguments for a log record: secrets are masked, also within dicts and lists, all else is as it was given."""
    hidden = _positions_in_call(func_name, instance)
    if hidden is None:
        hidden = frozenset(place for place, value in enumerate(args) if type(value) is str and len(value) >= _LONGER)
    left = [_MOST_MASKED]
    found = [HIDDEN if place in hidden else _masked(value, _DEPTH, left) for place, value in enumerate(args)]
    return (tuple(found) if type(args) is tuple else found), _masked(kwargs, _DEPTH, left)


def _masked(value: Any, depth: int, left: list[int]) -> Any:
    left[0] -= 1
    kind = type(value)
    if kind is str:
        return scrub(value if len(value) <= _LONGEST else f'{value[:_LONGEST]}...') if left[0] > 0 else HIDDEN
    if kind in (dict, list, tuple) and (depth <= 0 or left[0] <= 0 or len(value) > _MOST_MASKED):
        return f'<a {kind.__name__} of {len(value)}>' if value else value
    if kind is dict:
        return {
            name: HIDDEN if is_secret_name(name) else _masked(each, depth - 1, left) for name, each in value.items()
        }
    if kind is list or kind is tuple:
        return kind(_masked(each, depth - 1, left) for each in value)
    return value


def _function_named(name: str) -> Any:
    parts = name.split('.')
    for length in range(len(parts) - 1, 0, -1):
        module = sys.modules.get('.'.join(parts[:length]))
        if type(module) is ModuleType:
            found: Any = vars(module).get(parts[length])
            for part in parts[length + 1 :]:
                found = _member(found, part)
            return found
    return None


def _member(holder: Any, name: str) -> Any:
    if not isinstance(holder, type):
        return None
    return next((vars(cls)[name] for cls in _MRO(holder) if name in vars(cls)), None)


def _code_of(function: Any) -> CodeType | None:
    for _ in range(_MOST_WRAPPERS):
        if type(function) is not FunctionType:
            return None
        wrapped = vars(function).get('__wrapped__')
        if type(wrapped) is not FunctionType:
            return function.__code__
        function = wrapped
    return None


@lru_cache(maxsize=1024)
def _positions(code: CodeType, skipped: int) -> frozenset[int]:
    names = code.co_varnames[: code.co_argcount][skipped:]
    found = {place for place, name in enumerate(names) if is_secret_name(name)}
    if code.co_flags & inspect.CO_VARARGS and len(code.co_varnames) > code.co_argcount + code.co_kwonlyargcount:
        rest = code.co_varnames[code.co_argcount + code.co_kwonlyargcount]
        if is_secret_name(rest):
            found |= set(range(len(names), len(names) + 64))
    return frozenset(found)
