"""What failed, in words, as records have it: from the latest attempt, or the last line of a text. Bounded, lenient."""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from typing import NamedTuple

from rq.defaults import MAX_ATTEMPT_BYTES, MAX_TRACEBACK_BYTES
from rq.inspector.matching import contains
from rq.store import codec
from rq.store.search import Seen

#: the message stands near the begin of an attempt, and is no longer than this
_HEAD = 16 * 1024
_LONGEST_TEXT = 4 * MAX_TRACEBACK_BYTES
_LAST_LINE = re.compile(r'([A-Za-z_][\w.]*)(?:: (.*))?', re.DOTALL)


class Words(NamedTuple):
    """What happened in a word, the type of the exception, its message, and how many attempts failed."""

    kind: str = ''
    type_name: str = ''
    message: str = ''
    attempts: int = 0


def words_of(seen: Seen) -> Words:
    """The words of the latest failure."""
    known = codec.attempts([seen.attempt]) if seen.attempt else []
    if known:
        latest = known[-1]
        kind, type_name, message = (str(latest.get(name) or '') for name in ('kind', 'type', 'message'))
        return Words(kind, type_name, message, _count(seen.attempts) or int(latest['number']))
    type_name, message = last_line(unpacked(seen.text))
    return Words('', type_name, message, _count(seen.attempts))


def message_contains(text: str, seen: Seen) -> bool:
    """Whether the latest failure has this text in its message, or the name of its type. Most are told at a glance."""
    if seen.attempt and text.isascii() and text.isprintable() and not set(text) & {'"', '\\'}:
        head = _inflated(seen.attempt.partition(b' ')[2], _HEAD)
        if text.lower().encode() not in head.lower():
            return False
    words = words_of(seen)
    return contains(text, (words.type_name, words.message))


def unpacked(raw: bytes) -> str:
    """The text of a failure as the stream of results has it, or an old record; its end, where it is very long."""
    try:
        packed = base64.b64decode(raw, validate=True)
    except (ValueError, binascii.Error):
        packed = raw
    plain = _inflated(packed, MAX_ATTEMPT_BYTES) or packed
    return plain[-_LONGEST_TEXT:].decode('utf-8', errors='backslashreplace')


def last_line(text: str) -> tuple[str, str]:
    """Type and message in the last line of a traceback."""
    lines = text.strip().splitlines()
    match = _LAST_LINE.fullmatch(lines[-1][:_HEAD]) if lines else None
    return (match[1], match[2] or '') if match else ('', lines[-1][:_HEAD] if lines else '')


def _inflated(packed: bytes, most: int) -> bytes:
    try:
        return zlib.decompressobj().decompress(packed, most)
    except zlib.error:
        return b''


def _count(raw: bytes) -> int:
    return int(raw) if raw.isdigit() and len(raw) < 10 else 0
