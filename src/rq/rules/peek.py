"""The name of a job's function, read off its payload without loading it: loading runs code of whoever wrote it."""

from __future__ import annotations

import json
import pickletools
from typing import Any

_HEAD = 2048  # bytes in which the name stands, if it is one
_NAMES = ('SHORT_BINUNICODE', 'BINUNICODE', 'BINUNICODE8', 'UNICODE')
_BEFORE = ('PROTO', 'FRAME', 'MARK')
_KEPT = ('MEMOIZE', 'BINPUT', 'LONG_BINPUT', 'PUT')


def function_in(data: bytes) -> str:
    """What a payload of pickle or JSON begins with, when that can be the name of a function; else ''."""
    try:
        name = _of_json(data) if data[:1] == b'[' else _of_pickle(data[:_HEAD])
    except Exception:  # it was not what it looked like
        return ''
    return name if isinstance(name, str) and _is_name(name) else ''


def quick_name(data: bytes) -> bytes:
    """The same for who asks often: as bytes, and only of the usual spellings; b'' for all others."""
    if data[2:3] == b'\x95' and data[11:13] == b'(\x8c':  # pickle since protocol 4, one frame, a tuple, a short text
        return data[14 : 14 + data[13]]
    if data[2:4] == b'(X':  # protocols 2 and 3
        return data[8 : 8 + int.from_bytes(data[4:8], 'little')] if data[5:8] == b'\0\0\0' else b''
    if data[:2] == b'["':
        return data[2 : data.find(b'"', 2, _HEAD)]
    return b''


def _of_json(data: bytes) -> Any:
    start = data[1:_HEAD].decode('utf-8', 'replace').lstrip()
    return json.JSONDecoder().raw_decode(start)[0] if start[:1] == '"' else ''


def _of_pickle(head: bytes) -> Any:
    found: list[Any] = []
    for opcode, argument, _ in pickletools.genops(head):
        if opcode.name in _NAMES and len(found) < 3:
            found.append(argument)
        elif opcode.name == 'STACK_GLOBAL' and len(found) == 2:
            return ''  # they name a class
        elif found and opcode.name not in _KEPT or opcode.name not in (*_BEFORE, *_KEPT):
            break
    return found[0] if found else ''


def _is_name(text: str) -> bool:
    return 0 < len(text) <= 500 and text.isprintable() and not any(each.isspace() for each in text)
