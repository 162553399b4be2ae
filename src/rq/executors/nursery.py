"""The nursery: a small process that only forks horses, so that the worker does not pay for it.

After a fork every page the forking process writes is copied anew (570 page faults, 1.2 ms, in a worker); here few are
written. It has no threads, which makes its children lighter too. It forks when told, and reaps when told: until then a
dead horse stays a zombie, so that its pid and its group still mean it.
"""

from __future__ import annotations

import errno
import marshal
import os
import resource
import select
import signal
import socket
from collections import deque
from collections.abc import Callable
from typing import Any

from rq.executors import horse, tree
from rq.executors.horse import Reporter
from rq.executors.pulse import GRACE_SECONDS, Pulse
from rq.forking import Forks

_MOST = 1024  # bytes of an answer
STEADY = 32  # orders after which our memory changes no more: what horses will write is looked at once again


class Nursery:
    """The worker's side. Orders are answered in their order; `OSError` when the nursery has died."""

    def __init__(
        self,
        pulse: Pulse,
        prepare: Callable[[], None],
        learn: Callable[[], None],
        ride: Callable[[Reporter], None],
        forks: Forks,
    ) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._born: deque[int] = deque()
        parent = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self._socket.detach())
            _tend(theirs, parent, pulse, prepare, learn, ride, forks)
        theirs.close()

    def order(self, *ends: int) -> None:
        """Have a horse forked that holds these ends; its pid is asked for later, when it is there already."""
        socket.send_fds(self._socket, [marshal.dumps(('fork', len(ends)))], ends)

    def delivered(self) -> int:
        """The pid of the next horse ordered; `OSError` when it could not be forked."""
        while not self._born:
            self._born.append(self._answer('born')[0])
        pid = self._born.popleft()
        if pid < 0:
            raise OSError(-pid, os.strerror(-pid))
        return pid

    def reap(self, pid: int) -> tuple[int | None, int | None, Any]:
        """Pid, raw status and resource usage of a horse that is dead or dying."""
        socket.send_fds(self._socket, [marshal.dumps(('reap', pid))], [])
        found, raw_status, usage = self._answer('dead')
        return found, raw_status, usage and resource.struct_rusage(usage)

    def forget(self, pid: int) -> None:
        """Reap a dead horse whose end interests nobody; not waited for, because the nursery may be forking."""
        socket.send_fds(self._socket, [marshal.dumps(('forget', pid))], [])

    def _answer(self, kind: str) -> Any:
        while True:
            data = self._socket.recv(_MOST)
            if not data:
                raise ConnectionResetError('the nursery of this worker has died')
            what, *values = marshal.loads(data)
            if what == kind:
                return values
            self._born.append(values[0])  # an order was answered first

    def close(self) -> None:
        """Send it home."""
        self._socket.close()
        try:
            os.waitpid(self.pid, 0)
        except ChildProcessError:
            return  # somebody else has reaped it


def is_possible() -> bool:
    """Whether the worker could watch grandchildren: by process descriptors, which Linux has since 5.3."""
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError):
        return False
    return True


def _tend(
    end: socket.socket,
    parent: int,
    pulse: Pulse,
    prepare: Callable[[], None],
    learn: Callable[[], None],
    ride: Callable[[Reporter], None],
    forks: Forks,
) -> None:
    """The nursery's life; never returns. When it ends, its horses end with it: also when the worker is frozen."""
    try:
        horse.end_with(parent)
        signal.set_wakeup_fd(-1)
        prepare()
        learn()
        orders = 0
        poll = select.poll()
        poll.register(end, select.POLLIN)
        while True:
            if not poll.poll(GRACE_SECONDS * 1000):
                if pulse.has_stopped():
                    break
                continue
            data, descriptors, _, _ = socket.recv_fds(end, _MOST, 2)
            if not data:
                break
            verb, value = marshal.loads(data)
            answer = _fork(descriptors, value, end, ride, forks) if verb == 'fork' else _reap(value)
            if verb != 'forget':
                end.send(marshal.dumps(answer))
            orders += 1
            if orders == STEADY:
                learn()
    finally:
        os._exit(0)


def _fork(
    received: list[int], expected: int, end: socket.socket, ride: Callable[[Reporter], None], forks: Forks
) -> tuple[str, int]:
    mother = os.getpid()
    try:
        if len(received) < expected:
            return 'born', -errno.EMFILE  # we may not have one more, so the kernel dropped it
        received = [horse.lift(one) for one in received]
        pid = forks.fork()
        if pid == 0:
            os.close(end.detach())
            horse.live(received[0], mother, ride, (received[1:] or [-1])[0], is_grouped=True)
    except OSError as error:
        return 'born', -(error.errno or 1)
    finally:
        for one in received:
            os.close(one)
    tree.mark(pid=pid)  # by us: each thing that a horse does itself copies some pages
    horse.own_group(pid)
    return 'born', pid


def _reap(pid: int) -> tuple[Any, ...]:
    try:
        found, raw_status, usage = os.wait4(pid, 0)
    except ChildProcessError:
        return 'dead', None, None, None
    return 'dead', found, raw_status, tuple(usage)
