"""Tokens of a batch: one for each job, in a pipe. Who takes a token has the job: the horse, or its worker again.

The kernel gives a token to one of them only, so a job that was taken back never runs, also when its horse is about to.
"""

from __future__ import annotations

import os
import struct

_TOKEN = struct.Struct('=I')
_MOST = 1 << 16  # bytes that a pipe holds by default


class Tokens:
    """The worker's side."""

    def __init__(self) -> None:
        self.end, self._entry = os.pipe()
        os.set_blocking(self.end, False)  # for the horse's copy, too
        os.set_blocking(self._entry, False)
        self._last = 0

    def put(self, count: int) -> list[int]:
        """Tokens for so many jobs; their numbers. `OSError` when there is no room for them."""
        numbers = [(self._last + 1 + one) & 0xFFFFFFFF for one in range(count)]
        os.write(self._entry, b''.join(map(_TOKEN.pack, numbers)))
        self._last = numbers[-1]
        return numbers

    def take_rest(self) -> int:
        """Take what the horse has not; how many."""
        try:
            return len(os.read(self.end, _MOST)) // _TOKEN.size
        except BlockingIOError:
            return 0

    def close(self) -> None:
        """Let go of the pipe."""
        os.close(self.end)
        os.close(self._entry)


def take(descriptor: int) -> int | None:
    """In the horse: the number of the job it may begin; None when the worker has taken the rest back."""
    try:
        return int(_TOKEN.unpack(os.read(descriptor, _TOKEN.size))[0])
    except BlockingIOError:
        return None
