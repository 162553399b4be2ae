"""Calls with plain arguments as pickles without what only larger ones need: no frame, no memory of what came before.

Any `pickle.loads` reads them. They take four to twenty bytes less, which most jobs of a queue have in common.
"""

from __future__ import annotations

import functools
import pickle
from functools import lru_cache
from struct import pack
from typing import Any

_MOST = 8  # arguments: with more of them the usual way is as short, in proportion
_TUPLES = (b')', b'\x85', b'\x86', b'\x87')


def makes_pickles(serializer: Any) -> bool:
    """Whether a serializer is plain pickle, so that another pickle of the same call will do."""
    dumps = getattr(serializer, 'dumps', None)
    return type(dumps) is functools.partial and _is_pickle(dumps)


@lru_cache(maxsize=16)
def _is_pickle(dumps: Any) -> bool:
    return dumps.func is pickle.dumps and not dumps.args and dumps.keywords == {'protocol': 5}


def short_pickle(name: str, args: Any, kwargs: Any) -> bytes | None:
    """The call `(name, None, args, kwargs)`; None unless all are numbers, short texts and the like."""
    if type(args) is not tuple or type(kwargs) is not dict or len(args) + len(kwargs) > _MOST:
        return None
    number = len(args)
    pieces = [_head(name), *map(_atom, args), _TUPLES[number] if number <= 3 else b't']
    if number > 3:
        pieces.insert(1, b'(')
    if kwargs:
        pieces.append(b'}(')
        for word, value in kwargs.items():
            pieces += (_atom(word), _atom(value))
        pieces.append(b'ut.')
    else:
        pieces.append(b'}t.')
    try:
        return b''.join(pieces)
    except TypeError:
        return None  # there is a None in it


@lru_cache(maxsize=1024)
def _head(name: str) -> Any:
    word = _atom(name)
    return None if word is None else b'\x80\x05(' + word + b'N'


def _atom(value: Any) -> Any:
    kind = type(value)
    if kind is int:
        if 0 <= value < 65536:
            return b'K%c' % value if value < 256 else b'M%c%c' % (value & 255, value >> 8)
        return b'J' + pack('<i', value) if -(1 << 31) <= value < 1 << 31 else None
    if kind is str:
        raw = value.encode('utf-8', 'surrogatepass')
        return b'\x8c%c%b' % (len(raw), raw) if len(raw) < 256 else None
    if value is None:
        return b'N'
    if kind is bool:
        return b'\x88' if value else b'\x89'
    return b'G' + pack('>d', value) if kind is float else None
