"""Writing to a descriptor whose reader may sleep for ever: what is not taken now is not waited for.

The descriptor is shared with other processes, so its flags stay as they are; what to do with the rest is the caller's.
"""

from __future__ import annotations

import fcntl
import os
import select
import stat
import struct
import termios
import time
from collections.abc import Callable
from typing import Any

#: what the two buffers of a text stream hold at most, and a long line: with so much room a flush cannot block
ROOM_BYTES = 24 * 1024
_COUNT = struct.Struct('i')


def write(descriptor: int, data: bytes, patience: float = 0.0, flush_first: Callable[[], object] | None = None) -> int:
    """Write what is taken within `patience` seconds; how many bytes that was. `OSError` when it is refused.

    `flush_first` writes what the stream of this descriptor holds back; it is called when it cannot block.
    """
    kind = stat.S_IFMT(os.fstat(descriptor).st_mode)
    has_room = _has_room(descriptor, kind)
    if has_room and flush_first is not None:
        flush_first()
    if kind == stat.S_IFREG:
        return _write_all(descriptor, data)
    if has_room and kind != stat.S_IFCHR and len(data) <= select.PIPE_BUF:
        return os.write(descriptor, data)
    way = _own_way(descriptor, kind)
    try:
        return _write_pieces(descriptor, way, data, time.monotonic() + patience)
    finally:
        if way >= 0:
            os.close(way)


def has_room(descriptor: int) -> bool:
    """Whether everything that a text stream may hold back could be written without waiting for a reader."""
    return _has_room(descriptor, stat.S_IFMT(os.fstat(descriptor).st_mode))


def _has_room(descriptor: int, kind: int) -> bool:
    if kind == stat.S_IFREG:
        return True
    if not _is_writable(descriptor, 0):
        return False
    if kind != stat.S_IFIFO:
        return True  # a socket says so only while most of its buffer is free
    try:
        size: int = fcntl.fcntl(descriptor, fcntl.F_GETPIPE_SZ)
        used = _COUNT.unpack(fcntl.ioctl(descriptor, termios.FIONREAD, bytes(_COUNT.size)))[0]
    except (AttributeError, OSError):
        return False  # no Linux
    return bool(size - 2 * used >= ROOM_BYTES)  # twice: its pages are at least half full


def _is_writable(descriptor: int, seconds: float) -> bool:
    """An error, such as a reader that has gone, counts: the write will tell, and does not wait."""
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    return bool(poll.poll(max(seconds, 0) * 1000))


def _own_way(descriptor: int, kind: int) -> int:
    """The same pipe or terminal opened once more, so that only we do not block; -1 where that cannot be."""
    if kind not in (stat.S_IFIFO, stat.S_IFCHR):
        return -1
    try:
        return os.open(f'/proc/self/fd/{descriptor}', os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError:
        return -1  # no /proc, no descriptor left, or the pipe is another user's


def _write_pieces(descriptor: int, way: int, data: bytes, until: float) -> int:
    view, done = memoryview(data), 0
    while done < len(data):
        try:
            if way >= 0:
                done += os.write(way, view[done:])
                continue
            # Up to this size a pipe that is writable takes all, unless another process is faster.
            if _is_writable(descriptor, 0):
                done += os.write(descriptor, view[done : done + select.PIPE_BUF])
                continue
        except BlockingIOError:
            pass
        left = until - time.monotonic()
        if left <= 0 or not _is_writable(descriptor, left):
            break
    return done


def _write_all(descriptor: int, data: bytes) -> int:
    view: Any = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
    return len(data)
