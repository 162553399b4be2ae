"""The reins: the parent's side of one horse, its socket and its process."""

from __future__ import annotations

import os
import select
import socket
import time
from array import array
from collections import deque
from typing import Any

from rq.executors.base import Running
from rq.executors.horse import Frames, frame
from rq.executors.nursery import Nursery
from rq.executors.tokens import Tokens

_INT = array('i').itemsize


class Horse:
    """The parent's side of one child."""

    def __init__(
        self, pid: int, end: socket.socket, nursery: Nursery | None = None, tokens: Tokens | None = None
    ) -> None:
        self.pid = pid
        self._nursery = nursery  # whose child it is; ours without one
        self.line: deque[Running] = deque()  # what it was given and has not reported; only the first may have begun
        self.given = self.done = 0
        self.is_for_one = False  # also where others are used again
        self.born_at = time.monotonic()
        self.idle_since: float | None = None  # it waits for its next job
        self.leaving_since: float | None = None
        self.passed: list[int] | None = None  # descriptors it was to pass on; None: it is not to
        self.takes_along = False  # its job timed out: what it has started ends with it
        self._socket: socket.socket | None = end
        self._tokens = tokens  # of batches
        self._frames = Frames()
        self._pidfd = _open_pidfd(pid)

    @property
    def end(self) -> socket.socket:
        """Our end of its socket."""
        assert self._socket is not None
        return self._socket

    @property
    def end_is_open(self) -> bool:
        """Whether it can still say something."""
        return self._socket is not None

    @property
    def is_watched(self) -> bool:
        """Whether its end can be seen without being its parent."""
        return self._pidfd is not None

    def send(self, message: Any) -> None:
        """A message to the child; `OSError` when it has gone."""
        if self._socket is None:
            raise BrokenPipeError('the horse closed its end')
        self._socket.sendall(frame(message))

    @property
    def running(self) -> Running | None:
        """What it is at."""
        return self.line[0] if self.line else None

    def give(self, jobs: list[Running], briefs: list[Any]) -> None:
        """Have it do jobs, in their order, in one message; `OSError` when it has gone."""
        if len(jobs) == 1:
            self.send(briefs[0])
        else:
            assert self._tokens is not None
            self.send({'batch': list(zip(self._tokens.put(len(jobs)), briefs, strict=True))})
        self.line.extend(jobs)
        self.given += len(jobs)
        self.idle_since = None
        self.hear_output()

    def take_over(self, running: Running) -> None:
        """It was forked for this one, and knows it already."""
        self.line.append(running)
        self.given, self.is_for_one = 1, True
        self.hear_output()

    def hear_output(self) -> None:
        """Expect a descriptor from jobs whose output is kept."""
        if any(one.keeps_output for one in self.line):
            self.passed = self.passed or []

    def take_back(self) -> list[Running]:
        """What it was given as a batch and has not begun, and now never will."""
        return self.without(self._tokens.take_rest()) if self._tokens is not None and len(self.line) > 0 else []

    def without(self, count: int) -> list[Running]:
        """The last ones of its line, which it will not do."""
        self.given -= count
        return [self.line.pop() for _ in range(min(count, len(self.line)))][::-1]

    def dismiss(self) -> None:
        """It is to leave as soon as it looks for its next job."""
        self.leaving_since, self.idle_since = time.monotonic(), None
        try:
            if self._socket is not None:
                self._socket.shutdown(socket.SHUT_WR)
        except OSError:
            return  # it has gone

    def read(self, to_the_end: bool = False) -> list[Any]:
        """Whole messages that have arrived; all of them, or what one call of the kernel gives."""
        messages: list[Any] = []
        while self._socket is not None:
            try:
                messages += self._messages(self._receive())
                if not to_the_end:
                    break
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
        if self._tokens is not None:
            self._tokens.close()
            self._tokens = None
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
