"""The spawn executor: a horse is a fresh interpreter, for programs in which a fork is not safe.

Only how such a process comes into the world differs from the stable: what it runs is told by pipe, never by its command
line, which every user of the machine can read. What is in the luggage is the worker room's to say.
"""

from __future__ import annotations

import fcntl
import marshal
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rq.executors import horse as child
from rq.executors.base import Running
from rq.executors.horse import Reporter, frame
from rq.executors.horses import Spare, Stable
from rq.executors.pulse import Pulse
from rq.executors.reins import Horse
from rq.perform import memory

_STOPPING = (signal.SIGINT, signal.SIGTERM)
_PAGE_BYTES = 8
_HIGH = 400  # as in `horse.lift`: jobs close low descriptors

#: All that stands on the command line, beside a descriptor: the search path has to be set before we can be imported.
_BIRTH = """
import marshal, os, sys
def read(size):
    data = b''
    while len(data) < size:
        more = os.read(end, size - len(data))
        if not more:
            os._exit(0)
        data += more
    return data
end = int(sys.argv.pop())
path, entry, words = marshal.loads(read(int.from_bytes(read(4), 'big')))
try:
    os.getcwd()
except OSError:  # deleted since the worker came: an import would stumble over a relative place
    path = [place for place in path if place.startswith('/')]
sys.path[:] = path
__import__(entry, fromlist=['main']).main(end, *words)
"""


class Spawner(Stable):
    """A fresh interpreter for each job; the next one waits already spawned, with its imports done."""

    def __init__(
        self,
        entry: str,
        luggage: Callable[[], dict[str, Any]],
        brief_of: Callable[[Running], dict[str, Any]],
        failure_brief_of: Callable[[Running], dict[str, Any]],
        on_note: Callable[[Running, dict[str, Any], int], bool],
        lease_seconds: int,
    ) -> None:
        super().__init__(brief_of, _forks, _forks, _forks, _forks, on_note, lease_seconds)
        self._entry, self._luggage, self._failure_brief_of = entry, luggage, failure_brief_of
        self._page = memory.shared('rq-pulse', _PAGE_BYTES)
        self._pulse = Pulse(lease_seconds, self._page)

    def open(self) -> None:
        """Nothing forks here, so there is no nursery."""

    def prepare(self, expected: int = 1) -> None:
        """Have one interpreter waiting: they are dear, and start side by side with the job that runs."""
        super().prepare(min(expected, 1))

    def _order(self) -> Spare:
        horse = spawn(self._entry, self._luggage(), self._page)
        return Spare(horse.end, horse)

    def resume(self, running: Running) -> None:
        """The interpreter that waits takes the failure's steps: whoever is to hear of it need not wait for another."""
        self._hand([running], [self._failure_brief_of(running)])

    def close(self) -> None:
        """End what is left, and give the page of the pulse back."""
        super().close()
        if self._page >= 0:
            os.close(self._page)
            self._page = -1


def _forks(*_: Any) -> Any:
    raise TypeError('a spawner does not fork')


def spawn(entry: str, luggage: dict[str, Any], page: int = -1) -> Horse:
    """A new interpreter that runs `main` of the module `entry`; `OSError` when there can be none."""
    ours, theirs = socket.socketpair()
    with theirs, _inheritable(theirs.fileno(), page) as (end, shared):
        words = [end, shared, os.getpid()]
        command = [sys.executable, *_flags(), '-c', _BIRTH, str(end)]
        # stop signals wait until the child can tell what they mean to it
        mask = {*signal.pthread_sigmask(signal.SIG_BLOCK, ()), *_STOPPING}
        try:
            pid = os.posix_spawn(sys.executable, command, os.environ, setpgroup=0, setsigmask=mask)
        except OSError:
            ours.close()
            raise
    horse = Horse(pid, ours)
    try:
        path = [os.fspath(place) for place in sys.path if isinstance(place, str | os.PathLike)]
        body = marshal.dumps((path, entry, words[1:]))
        ours.sendall(len(body).to_bytes(4, 'big') + body + frame(luggage))
    except OSError:
        pass  # it has died already, which is noticed like any other death
    return horse


def _flags() -> list[str]:
    """How this interpreter was started (-O, -X, -W and so on), as multiprocessing asks for it, too."""
    flags: Callable[[], list[str]] = getattr(subprocess, '_args_from_interpreter_flags', list)
    return flags()


@contextmanager
def _inheritable(*descriptors: int) -> Iterator[list[int]]:
    """Copies that an interpreter we start may inherit; -1 stays what it is."""
    copies: list[int] = []
    try:
        for one in descriptors:
            copies.append(one if one < 0 else _copy_of(one))
        yield copies
    finally:
        for copy in copies:
            if copy >= 0:
                os.close(copy)


def _copy_of(descriptor: int) -> int:
    try:
        return fcntl.fcntl(descriptor, fcntl.F_DUPFD, _HIGH)
    except OSError:
        return fcntl.fcntl(descriptor, fcntl.F_DUPFD, 3)  # none of that height are allowed here


def hatch(end: int, page: int, parent: int, ride: Callable[[dict[str, Any], Reporter], None]) -> None:
    """The life of a spawned horse from its first own line; never returns."""
    for descriptor in (end, page):
        if descriptor >= 0:
            os.set_inheritable(descriptor, False)
    child.ignore_stop_signals()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPPING)

    def begin(reporter: Reporter) -> None:
        luggage = reporter.receive()
        if page >= 0:
            Pulse(luggage['lease_seconds'], page).watch()
        ride(luggage, reporter)

    child.live(end, parent, begin)
