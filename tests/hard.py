"""Errors that are hard to write down."""

import sys
from typing import Any


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError('no text')

    __repr__ = __str__


class Exiting(Exception):
    def __str__(self) -> str:
        sys.exit(3)


class Odd(Exception):
    def __str__(self) -> Any:
        return 5


class Masked(Exception):
    @property
    def __class__(self) -> Any:  # type: ignore[override]
        raise RuntimeError('no class')


class _Unnamed(type):
    def __getattribute__(cls, name: str) -> Any:
        if name in ('__name__', '__qualname__', '__module__'):
            raise RuntimeError('no name')
        return super().__getattribute__(name)


class Nameless(Exception, metaclass=_Unnamed):
    pass


class Uncaused(Exception):
    @property
    def __cause__(self) -> Any:  # type: ignore[override]
        raise RuntimeError('no cause')

    __context__ = __cause__


class Untraced(Exception):
    @property
    def __traceback__(self) -> Any:  # type: ignore[override]
        raise RuntimeError('no trace')


class Endless(Exception):
    """Its own cause, and its own context."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.__cause__ = self.__context__ = self


def throw(cls: type[BaseException]) -> None:
    raise cls('thrown')


def bury_one(error: BaseException, depth: int) -> BaseException:
    for number in range(depth):
        outer = RuntimeError(f'level {number}')
        outer.__cause__ = error
        error = outer
    return error


def dives(depth: int = 0) -> int:
    return dives(depth + 1) + 1


def raises(what: str) -> None:
    """Raise something unpleasant."""
    if what == 'mute':
        raise Mute
    if what == 'exiting':
        raise Exiting
    if what == 'odd':
        raise Odd
    if what == 'long':
        raise ValueError('x' * 10_000_000)
    if what == 'recursion':
        dives()
    if what == 'chain':
        raise bury_one(ValueError('root'), 500)
    if what == 'group':
        raise ExceptionGroup('many', [ValueError(f'part {number}') for number in range(1000)])
    if what == 'surrogate':
        raise OSError('no such file: \udcff\udcfe \x00')
    if what == 'interrupt':
        raise KeyboardInterrupt
    if what == 'generator':
        raise GeneratorExit('left')
    if what == 'notes':
        error = ValueError('noted')
        error.add_note('n' * 10_000_000)
        raise error
    raise AssertionError(what)


HARD = ['mute', 'exiting', 'odd', 'long', 'recursion', 'chain', 'group', 'surrogate', 'interrupt', 'generator', 'notes']
