"""Calls with a beginning that many of them share, in the bytes of the protocol: the short way of plain enqueues."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from rq.store.scripts import Script

pack_command: Any = None
try:
    from hiredis import pack_command
except ImportError:
    pass

T = TypeVar('T')
Plain = str | bytes | int


class Head(NamedTuple):
    """The first words of calls that differ in their last ones only, and the same as they go over the wire."""

    script: Script
    words: tuple[Plain, ...]  # number of keys, keys, arguments
    packed: bytes

    @classmethod
    def of(cls, script: Script, keys: Sequence[Plain], args: Sequence[Plain]) -> Head:
        """The head of calls of a script with these keys and first arguments."""
        words = (len(keys), *keys, *args)
        return cls(script, words, _packed(('EVALSHA', script.sha, *words)))


class Headed(Generic[T]):
    """A call with a head: that needs not be packed again."""

    __slots__ = ('decode', 'head', 'tail')

    def __init__(self, head: Head, tail: Sequence[Plain], decode: Callable[[Any], T]) -> None:
        self.head, self.tail, self.decode = head, tail, decode

    def words(self, sha: bool = True) -> tuple[Plain, ...]:
        """The command as it goes over the wire, by hash or with the whole text."""
        script = self.head.script
        return (*(('EVALSHA', script.sha) if sha else ('EVAL', script.text)), *self.head.words, *self.tail)

    def packed(self) -> bytes:
        """The command, by hash, in the bytes of the protocol."""
        return b'*%d\r\n%b%b' % (2 + len(self.head.words) + len(self.tail), self.head.packed, _packed(self.tail))


def _packed(words: Sequence[Plain]) -> bytes:
    if pack_command is not None:
        command: bytes = pack_command(tuple(words))
        return command[command.index(b'\n') + 1 :]  # without their number
    pieces = []
    for word in words:
        raw = word.encode() if isinstance(word, str) else word if isinstance(word, bytes) else b'%d' % word
        pieces.append(b'$%d\r\n%b\r\n' % (len(raw), raw))
    return b''.join(pieces)
