"""The pages that every horse writes: copied for it at once after the fork, instead of one page fault after the other.

A fork shares memory until it is written, and all horses write the same 500 pages. So the nursery sends a scout ahead,
which does what each of them will do, and the kernel tells which pages have become its own. Who has those copied need
not rehearse, and finds what its job will touch. Linux from 6.15 on; elsewhere nothing is learned, and horses rehearse.
"""

from __future__ import annotations

import ctypes
import functools
import os
import signal
import socket
import sys
from array import array
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from rq.executors import horse
from rq.executors.horse import Reporter
from rq.forking import Forks

_PROCESS_MADVISE = 440
_OURSELVES = -10000  # a process descriptor of whoever asks
_POPULATE_WRITE = 23
_PRESENT, _OF_FILE, _OURS_ALONE = 1 << 63, 1 << 61, 1 << 56  # in a word of /proc/PID/pagemap
_PAGE = os.sysconf('SC_PAGE_SIZE') if hasattr(os, 'sysconf') else 4096
_MOST_RANGES = 1024  # in one call
_LARGEST = 1 << 18  # pages of a mapping: what is larger is none of the interpreter's
_PATIENCE = 5.0  # seconds for the scout


class Pages:
    """Which ones they are: the nursery learns it, its horses inherit it."""

    def __init__(self) -> None:
        self.are_known = False

    def forget(self, forks: Forks) -> None:
        """For children that are to copy nothing beforehand."""
        self.are_known = False
        forks.begin_with(None)

    def learn(self, forks: Forks, play: Callable[[Reporter], None]) -> None:
        """In the nursery: have a scout play the life of a horse, and from then on each child begin with its pages."""
        if sys.platform != 'linux':
            return
        self.forget(forks)
        try:
            ranges = _scouted(forks, play)
        except (OSError, ValueError):
            return
        copy = _copier(ranges[:_MOST_RANGES])
        if copy() > 0:  # another kernel does not know what we mean
            self.are_known = True
            forks.begin_with(copy)


def _copier(ranges: list[tuple[int, int]]) -> Callable[[], int]:
    """One call, with all it needs made beforehand: in the child everything new costs page faults."""
    syscall: Any = ctypes.CDLL(None).syscall
    syscall.restype = ctypes.c_long
    words = (ctypes.c_size_t * (2 * len(ranges)))(*[word for one in ranges for word in one])
    before, after = (_PROCESS_MADVISE, _OURSELVES), (len(ranges), _POPULATE_WRITE, 0)
    return functools.partial(syscall, *map(ctypes.c_long, before), words, *map(ctypes.c_long, after))


def _scouted(forks: Forks, play: Callable[[Reporter], None]) -> list[tuple[int, int]]:
    mother, (ours, theirs) = os.getpid(), socket.socketpair()
    with ours, theirs:
        ours.sendall(horse.frame({}))
        pid = forks.fork()
        if pid == 0:
            ours.close()
            horse.live(theirs.fileno(), mother, lambda reporter: _scout(theirs, reporter, play), is_grouped=True)
        try:
            horse.own_group(pid)
            theirs.close()
            ours.settimeout(_PATIENCE)
            while ours.recv(1 << 16):
                pass  # it says what it has to say; then it stands still, or has died
            return list(_ranges(_own_pages(pid)))
        finally:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def _scout(end: socket.socket, reporter: Reporter, play: Callable[[Reporter], None]) -> None:
    reporter.receive()
    play(reporter)
    end.shutdown(socket.SHUT_WR)
    while True:
        signal.pause()


def _own_pages(pid: int) -> Iterator[int]:
    """Addresses of pages that a child has written, and its mother not at the same time."""
    proc = Path('/proc', str(pid))
    with (proc / 'pagemap').open('rb', buffering=0) as words:
        for line in (proc / 'maps').read_text().splitlines():
            where, may, _ = line.split(maxsplit=2)
            first, end = (int(address, 16) // _PAGE for address in where.split('-'))
            if may != 'rw-p' or end - first > _LARGEST:
                continue
            words.seek(first * 8)
            for number, word in enumerate(array('Q', words.read((end - first) * 8)), first):
                if word & _OURS_ALONE and word & _PRESENT and not word & _OF_FILE:
                    yield number * _PAGE


def _ranges(addresses: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Where each begins, and how many bytes it has."""
    start = size = 0
    for address in addresses:
        if size and address != start + size:
            yield start, size
            size = 0
        if not size:
            start = address
        size += _PAGE
    if size:
        yield start, size
