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
