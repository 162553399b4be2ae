"""The child's side of a horse: signals, then what it is told to do, and the report by a socket to the parent."""

from __future__ import annotations

import ctypes
import fcntl
import marshal
import os
import signal
import socket
import struct
import sys
from collections import deque
from collections.abc import Callable
from types import FrameType
from typing import Any, NoReturn

from rq.executors import tokens, tree

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_LENGTH = struct.Struct('!I')
_MOST = 1 << 30  # bytes of a message: what claims to be longer is something else, such as text
FLUSH_SECONDS = 0.5  # how long a horse may try, at its end, to write what its job printed
#: without the enums that `signal` makes of answers, which cost a horse two dozen page faults a call
raw_signal: Any = getattr(signal, '_signal', signal)


try:
    _prctl: Any = ctypes.CDLL(None, use_errno=True).prctl
except (OSError, AttributeError):
    _prctl = None


def set_handler(signum: int, handler: Any) -> Any:
    """`signal.signal` without enums."""
    return raw_signal.signal(signum, int(handler) if isinstance(handler, int) else handler)


def prctl(option: int, value: int) -> bool:
    """Linux's prctl; False where there is none."""
    return _prctl is not None and int(_prctl(option, value, 0, 0, 0)) == 0


def become_subreaper() -> bool:
    """Orphaned descendants of our horses become our children, so that they can be found and reaped."""
    return prctl(_PR_SET_CHILD_SUBREAPER, 1)


def frame(message: Any) -> bytes:
    """A message with its length before it. marshal, because it cannot run code and knows only plain values."""
    body = marshal.dumps(message)
    return _LENGTH.pack(len(body)) + body


class Frames:
    """Bytes in, whole messages out."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Any]:
        """Add what was read; returns the messages that are complete now."""
        self._buffer += data
        messages = []
        while len(self._buffer) >= _LENGTH.size:
            size = _LENGTH.unpack_from(self._buffer)[0] + _LENGTH.size
            if size > _MOST:
                raise ValueError('this is no message')
            if len(self._buffer) < size:
                break
            messages.append(marshal.loads(bytes(self._buffer[_LENGTH.size : size])))
            del self._buffer[:size]
        return messages


def lift(low: int) -> int:
    """Move a descriptor up: jobs close low ones (daemon recipes close 0 to 255), high ones more rarely."""
    try:
        high = fcntl.fcntl(low, fcntl.F_DUPFD_CLOEXEC, 400)
    except OSError:
        os.set_inheritable(low, False)
        return low  # none of that height are allowed here
    os.close(low)
    return high


class Reporter:
    """The child's end of the socket, as a bare descriptor. `OSError` when the parent cannot be reached any more."""

    def __init__(self, descriptor: int, tokens: int = -1) -> None:
        self._descriptor, self._tokens = descriptor, tokens
        self._frames = Frames()
        self._waiting: list[Any] = []
        self._batch: deque[tuple[int, Any]] = deque()
        self._token: int | None = None
        self._home = os.getpid()

    def send(self, message: dict[str, Any]) -> None:
        """One message to the parent."""
        if os.getpid() != self._home:
            raise OSError('a forked descendant of the work horse has no say in its report')
        data = memoryview(frame(message))
        while data:
            data = data[os.write(self._descriptor, data) :]

    def pass_on(self, message: dict[str, Any], descriptor: int) -> None:
        """One message with a descriptor, for a parent that waits for one."""
        with socket.socket(fileno=os.dup(self._descriptor)) as end:
            socket.send_fds(end, [frame(message)], [descriptor])

    def say(self, message: dict[str, Any]) -> None:
        """The same, if it can be said."""
        try:
            self.send(message)
        except (OSError, ValueError):
            return

    def receive(self) -> Any:
        """The next message from the parent; `EOFError` when it has gone."""
        while not self._waiting:
            data = os.read(self._descriptor, 1 << 16)
            if not data:
                raise EOFError('the worker is gone')
            self._waiting += self._frames.feed(data)
        return self._waiting.pop(0)

    def next_brief(self) -> Any:
        """What to do next, as soon as the parent says it: a job by itself, or the next of a batch, if still ours."""
        while True:
            while self._batch:
                self._token = tokens.take(self._tokens) if self._token is None else self._token
                if self._token is None:
                    self._batch.clear()  # the parent has taken the rest back
                    break
                number, brief = self._batch.popleft()
                if number == self._token:
                    self._token = None
                    return brief
            message = self.receive()
            if type(message) is not dict:
                raise ValueError('this is no brief')
            if 'batch' not in message:
                return message
            self._batch.extend(message['batch'])

    def ask(self, message: dict[str, Any]) -> Any:
        """Send, and wait for the parent's answer."""
        self.send(message)
        return self.receive()


_home = 0  # the process that ignores stop signals; what it forks does not


def _on_term(signum: int, frame: FrameType | None) -> None:
    if os.getpid() != _home:
        set_handler(signum, signal.SIG_DFL)
        os.kill(os.getpid(), signum)


def ignore_stop_signals() -> None:
    """A horse finishes its job when everybody is told to stop; what it forks obeys as usual.

    For SIGTERM not SIG_IGN, which would survive exec and make the job's own children deaf.
    """
    settle_in()
    set_handler(signal.SIGINT, signal.SIG_IGN)
    set_handler(signal.SIGTERM, _on_term)


def take_default_signals() -> None:
    """The signals of a horse that somebody else forked, as RQ has them."""
    set_handler(signal.SIGINT, signal.SIG_IGN)
    set_handler(signal.SIGTERM, signal.SIG_DFL)


def settle_in() -> None:
    """This process, too, ignores stop signals: its handlers came with the fork."""
    global _home
    _home = os.getpid()


def end_with(parent: int) -> None:
    """Be killed when the parent dies."""
    prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)  # it died before the line above


def own_group(pid: int) -> None:
    """Parent and child both say it, because neither knows who is first; the child also how its own are known."""
    if pid == 0:
        tree.mark()
    try:
        os.setpgid(pid, pid)
    except OSError:
        return  # the other was faster, or the child is gone


def live(
    descriptor: int, parent: int, ride: Callable[[Reporter], None], tokens: int = -1, is_grouped: bool = False
) -> None:
    """The whole life of a horse, after the fork; never returns. `is_grouped`: see `own_group`; its parent does that."""
    code = 1
    try:
        if not is_grouped:
            own_group(0)
        end_with(parent)
        settle_in()
        ride(Reporter(descriptor, tokens))
        code = 0
    except EOFError:
        code = 0
    finally:
        leave(code)


def plug_streams() -> None:
    """A job may have closed them: then what we open next would get their numbers, and what is printed with it."""
    for stream in (0, 1, 2):
        try:
            os.get_inheritable(stream)  # costs less than other questions
        except OSError:
            try:
                os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free: this one
            except OSError:
                return  # then nothing else can be opened either


def leave(code: int) -> NoReturn:
    """End this process, with what was printed but without what the worker registered for its own end."""
    try:
        # A flush may wait for a reader that sleeps, and the outcome is reported already.
        set_handler(signal.SIGALRM, lambda *_: os._exit(code))
        signal.setitimer(signal.ITIMER_REAL, FLUSH_SECONDS)
    except ValueError:
        pass  # not in the main thread: the parent has patience for us, and an end of it
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            continue  # closed, full or replaced by the job: nothing of ours depends on it
    os._exit(code)
