"""The reins: the parent's side of one horse, its socket and its process."""

from __future__ import annotations

import os
import select
import socket
from array import array
from typing import Any

from rq.executors.base import Running
from rq.executors.horse import Frames, frame
from rq.executors.nursery import Nursery

_INT = array('i').itemsize


class Horse:
    """The parent's side of one child."""

    def __init__(self, pid: int, end: socket.socket, nursery: Nursery | None = None) -> None:
        self.pid = pid
        self._nursery = nursery  # whose child it is; ours without one
        self.running: Running | None = None
        self.leaving_since: float | None = None
        self.passed: list[int] | None = None  # descriptors it was to pass on; None: it is not to
        self.takes_along = False  # its job timed out: what it has started ends with it
        self._socket: socket.socket | None = end
        self._frames = Frames()
        self._pidfd = _open_pidfd(pid)

    @property
    def end(self) -> socket.socket:
        """Our end of its socket."""
        assert self._socket is not None
        return self._socket

    @property
    def is_watched(self) -> bool:
        """Whether its end can be seen without being its parent."""
        return self._pidfd is not None

    def send(self, message: Any) -> None:
        """A message to the child; `OSError` when it has gone."""
        if self._socket is None:
            raise BrokenPipeError('the horse closed its end')
        self._socket.sendall(frame(message))

    def read(self) -> list[Any]:
        """Every whole message that has arrived."""
        messages: list[Any] = []
        while self._socket is not None:
            try:
                messages += self._messages(self._receive())
            except BlockingIOError:
                break
            except (OSError, EOFError, ValueError, TypeError):
                # its end; or something else was written there, by a job, whose horse settles by itself then
                self._socket.close()
                self._socket = None
        return messages

    def _messages(self, data: bytes) -> list[Any]:
        if not data:
            raise EOFError
        found = self._frames.feed(data)
        if not all(isinstance(one, dict) for one in found):
            raise TypeError('this is no message')
        return found

    def _receive(self) -> bytes:
        assert self._socket is not None
        if self.passed is None:
            return self._socket.recv(1 << 18, socket.MSG_DONTWAIT)
        room = socket.CMSG_SPACE(4 * _INT)  # not socket.recv_fds: it forgets the flags
        data, extras, _, _ = self._socket.recvmsg(1 << 18, room, socket.MSG_DONTWAIT)
        for level, kind, raw in extras:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                self.passed += array('i', raw[: len(raw) // _INT * _INT])
        return data

    def is_dead(self) -> bool:
        """Whether it has exited; it stays unreaped, so that its group can still be signalled."""
        if self._nursery is not None:
            return self._pidfd is None or bool(_is_readable(self._pidfd))
        try:
            return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        except ChildProcessError:
            return True

    def reap(self) -> tuple[int | None, int | None, Any]:
        """Pid, raw status and resource usage."""
        try:
            return self._nursery.reap(self.pid) if self._nursery else os.wait4(self.pid, 0)
        except OSError:
            return None, None, None  # reaped by somebody else, or by the kernel when its nursery died

    def forget(self) -> tuple[int | None, int | None, Any]:
        """The same when its end interests nobody: its pid, None when that cannot be said any more."""
        if self._nursery is None:
            return self.reap()
        try:
            self._nursery.forget(self.pid)
        except OSError:
            return None, None, None
        return self.pid, None, None

    def descriptors(self) -> list[int]:
        """What becomes readable when it has something to say or has ended."""
        found = [] if self._socket is None else [self._socket.fileno()]
        return found if self._pidfd is None else [*found, self._pidfd]

    def close(self) -> None:
        """Let go of its descriptors."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        if self._pidfd is not None:
            os.close(self._pidfd)
            self._pidfd = None
        for descriptor in self.passed or ():
            os.close(descriptor)
        self.passed = None


def _open_pidfd(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None  # no Linux, or an old one: the loop then looks every so often


def _is_readable(descriptor: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))
