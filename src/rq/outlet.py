"""Writing to a descriptor whose reader may sleep for ever: what is not taken now is not waited for.

The descriptor is shared with other processes, so its flags stay as they are; what to do with the rest is the caller's.
"""

from __future__ import annotations

import fcntl
import os
import select
import stat
import struct
import sys
import termios
import time
from collections.abc import Callable
from typing import Any

#: what the two buffers of a text stream hold at most, and a long line: with so much room a flush cannot block
ROOM_BYTES = 24 * 1024
_COUNT = struct.Struct('i')
_NO_COUNT = bytes(_COUNT.size)
_NOWHERE = os.makedev(1, 3) if sys.platform == 'linux' else -1


def write(descriptor: int, data: bytes, patience: float = 0.0, flush_first: Callable[[], object] | None = None) -> int:
    """Write what is taken within `patience` seconds; how many bytes that was. `OSError` when it is refused.

    `flush_first` writes what the stream of this descriptor holds back; it is called when it cannot block.
    """
    kind = _kind_of(descriptor)
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


def write_at_once(descriptor: int, data: bytes, flush_first: Callable[[], object]) -> int:
    """Write it in one call that waits for nobody; 0 when there is none such. `OSError` when it is refused."""
    kind = _kind_of(descriptor)
    # To a terminal it has to go another way; a pipe or socket takes so much whole.
    is_safe = kind != stat.S_IFCHR and len(data) <= select.PIPE_BUF
    if kind != stat.S_IFREG and not (is_safe and _has_room(descriptor, kind)):
        return 0
    flush_first()
    return os.write(descriptor, data)


def has_room(descriptor: int) -> bool:
    """Whether everything that a text stream may hold back could be written without waiting for a reader."""
    return _has_room(descriptor, _kind_of(descriptor))


def _kind_of(descriptor: int) -> int:
    """Of what kind of file it is; /dev/null takes all, as a regular one."""
    found = os.fstat(descriptor)
    kind = stat.S_IFMT(found.st_mode)
    return stat.S_IFREG if kind == stat.S_IFCHR and found.st_rdev == _NOWHERE else kind


def _has_room(descriptor: int, kind: int) -> bool:
    if kind == stat.S_IFREG:
        return True
    if kind != stat.S_IFIFO:
        return _is_writable(descriptor, 0)  # a socket says so only while most of its buffer is free
    try:
        size: int = fcntl.fcntl(descriptor, fcntl.F_GETPIPE_SZ)
        used: int = _COUNT.unpack(fcntl.ioctl(descriptor, termios.FIONREAD, _NO_COUNT))[0]
    except (AttributeError, OSError):
        return False  # no Linux
    # Twice: its pages are at least half full. An empty one need not be asked.
    return size - 2 * used >= ROOM_BYTES and (not used or _is_writable(descriptor, 0))


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
