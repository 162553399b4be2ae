"""Exceptions and functions that a Retry is given -> the dotted names that are stored of them."""

from __future__ import annotations

import builtins
import inspect
from typing import Any

from rq.rules.names import truncate_long_string
from rq.rules.policy import MAX_NAMES

MAX_LENGTH = 256


def exception_names(word: str, given: Any) -> tuple[str, ...]:
    """Dotted names of one exception or several, each a class or a name; built-in ones stand in `builtins`."""
    if given is None:
        return ()
    many = [given] if isinstance(given, str | type) else given
    try:
        listed = list(many)
    except TypeError:
        raise TypeError(_no_exception(word, given)) from None
    if not listed:
        raise ValueError(f'{word}={given!r} names no exception: leave {word} out, or name one')
    if len(listed) > MAX_NAMES:
        raise ValueError(f'{word} names {len(listed)} exceptions, {MAX_NAMES} are allowed: name a common base of them')
    return tuple(dict.fromkeys(_exception_name(word, each) for each in listed))


def _exception_name(word: str, given: Any) -> str:
    if isinstance(given, str):
        name = given if '.' in given else f'builtins.{given}'
        _check_name(word, given, name)
        known = getattr(builtins, given, None)
        if '.' not in given and not (isinstance(known, type) and issubclass(known, BaseException)):
            raise ValueError(
                f'{word}={given!r} is no built-in exception: give the class, or its dotted name, package.module.{given}'
            )
        return f'builtins.{known.__name__}' if isinstance(known, type) else name  # IOError is OSError
    if not (isinstance(given, type) and issubclass(given, BaseException)):
        raise TypeError(_no_exception(word, given))
    if given.__module__ == '__main__':
        raise ValueError(
            f'{word}={given!r} stands in __main__, which has another name in a worker; move it into a module of its own'
        )
    name = f'{given.__module__}.{given.__qualname__}'
    return _checked_length(word, name)


def _no_exception(word: str, given: Any) -> str:
    return (
        f'{word}={truncate_long_string(repr(given), 100)} ({type(given).__name__}) is no exception class: '
        'give a class, its dotted name, or a list of them'
    )


def function_name(given: Any) -> str:
    """The dotted name of a function that says how long to wait; `ValueError` for what no worker can import."""
    if isinstance(given, str):
        if '.' not in given:
            raise TypeError(
                f'interval {given!r} (str) is no number of seconds, and no dotted name of a function that says it'
            )
        _check_name('interval', given, given)
        return given
    name = getattr(given, '__qualname__', '')
    if inspect.ismethod(given) and not isinstance(given.__self__, type):
        name = ''
    if not name or '<' in name or given.__module__ in (None, '__main__'):
        raise ValueError(
            f'interval={given!r} cannot be imported by a worker: give a function of a module, or its dotted name'
        )
    return _checked_length('interval', f'{given.__module__}.{name}')


def _check_name(word: str, given: str, name: str) -> None:
    if not all(part.isidentifier() for part in name.split('.')):
        shown = truncate_long_string(repr(given), 100)
        raise ValueError(f"{word}={shown} is no dotted name like 'package.module.name'")
    _checked_length(word, name)


def _checked_length(word: str, name: str) -> str:
    if len(name) > MAX_LENGTH:
        shown = truncate_long_string(name, 60)
        raise ValueError(f'{word}: the name {shown!r} has {len(name):,} characters, {MAX_LENGTH} are allowed')
    return name
