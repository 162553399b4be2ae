"""Where a verdict is shown to those who do not ask over HTTP: a file, systemd, the page of a pool.

Each sign is shown every look; what it does with that is its business. None of them raises, logs, or waits for a reader.
"""

from __future__ import annotations

import fcntl
import json
import mmap
import os
import socket
import struct
import time
from collections.abc import Callable
from typing import Any, Protocol

from rq.rules.health import NEVER, NOTHING_YET, Verdict

_PAIR = struct.Struct('dd')
Say = Callable[[int, str], None]


class Sign(Protocol):
    """Something that others look at."""

    def show(self, verdict: Verdict) -> None:
        """This holds now."""

    def close(self) -> None:
        """The worker leaves."""

    def let_go(self) -> None:
        """In a forked child: ours are not its descriptors."""


class HealthFile:
    """A JSON file that is there while the worker is healthy, written anew with each accepted renewal.

    Its age tells of a worker that cannot even remove it. A lock beside it keeps two workers from sharing one.
    """

    def __init__(self, path: str, name: str, say: Say) -> None:
        self.path, self._name, self._say = os.path.abspath(path), name, say
        self._new, self._guard = f'{self.path}.new', f'{self.path}.lock'
        self._shown: tuple[float, bool] | None = None
        self._in_trouble = False
        self._lock = -1
        try:
            self._lock = self._locked()
            self._write_new('')
            os.unlink(self._new)
            self._remove()
        except OSError as error:
            self.let_go()
            raise ValueError(
                f'the health file {self.path!r} cannot be written ({error.strerror or error}); name one in a directory '
                'that exists and is writable, with --health-file or `health_file`'
            ) from error

    def _locked(self) -> int:
        while True:
            lock = os.open(self._guard, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.fstat(lock).st_ino == os.stat(self._guard).st_ino:
                    return lock
            except (BlockingIOError, PermissionError):
                os.close(lock)
                raise ValueError(
                    f'the health file {self.path!r} belongs to another worker that runs; give each one its own'
                ) from None
            except FileNotFoundError:
                pass  # its owner has just left, and taken it away
            except OSError:
                os.close(lock)
                raise
            os.close(lock)

    def show(self, verdict: Verdict) -> None:
        """Written when there is a new renewal, taken away when all is not well."""
        fresh = (verdict.renewed_at, verdict.ready) if verdict.healthy else None
        if fresh == self._shown:
            return
        try:
            if fresh is None:
                self._remove()
            else:
                self._write(json.dumps(self._content(verdict)) + '\n')
            self._shown, self._in_trouble = fresh, False
        except OSError as error:
            self._in_vain(error)

    def _content(self, verdict: Verdict) -> dict[str, Any]:
        ahead = time.time() - time.monotonic()
        return {
            'pid': os.getpid(),
            'worker': self._name,
            'at': round(verdict.renewed_at + ahead, 3),
            'healthy_until': round(verdict.until + ahead, 3),
            'ready': verdict.ready,
        }

    def _write(self, text: str) -> None:
        self._write_new(text)
        os.replace(self._new, self.path)

    def _write_new(self, text: str) -> None:
        descriptor = os.open(self._new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        try:
            data = text.encode()
            if os.write(descriptor, data) != len(data):
                raise OSError('the disk is full')
        finally:
            os.close(descriptor)

    def _remove(self) -> None:
        try:
            os.unlink(self.path)
        except FileNotFoundError:
            return

    def _in_vain(self, error: OSError) -> None:
        """A full disk makes a worker unhealthy to those who look at the file, but does not end it."""
        self._shown = (NEVER, False)  # not as it should be: tried again at the next look
        if not self._in_trouble:
            self._in_trouble = True
            self._say(30, f'the health file {self.path} cannot be kept up to date: {error}')
        for path in (self.path, self._new):
            try:
                os.unlink(path)
            except OSError:
                continue  # then its age tells

    def close(self) -> None:
        """It goes with its worker."""
        for path in (self.path, self._new, self._guard):
            try:
                os.unlink(path)
            except OSError:
                continue
        self.let_go()

    def let_go(self) -> None:
        """The lock belongs to the process that took it; a copy of its descriptor is only in the way."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


class Notifier:
    """systemd's datagrams: READY=1 once, WATCHDOG=1 for each accepted renewal and for nothing else, STOPPING=1."""

    def __init__(self, address: str) -> None:
        self._address = f'\0{address[1:]}' if address.startswith('@') else address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._is_asked = self._is_ready = self._is_stopping = False
        self._renewed_at = NEVER

    @classmethod
    def asked_for(cls) -> Notifier | None:
        """The one that the environment asks for; taken out of it, because jobs are not to speak for their worker."""
        address = os.environ.pop('NOTIFY_SOCKET', '')
        for name in ('WATCHDOG_USEC', 'WATCHDOG_PID'):
            os.environ.pop(name, None)
        return cls(address) if address[:1] in ('/', '@') and address[1:] else None

    def show(self, verdict: Verdict) -> None:
        """Tell what is new."""
        self._is_asked = True
        if verdict.healthy and not self._is_ready:
            self._is_ready = self._send('READY=1\nSTATUS=healthy')
        if verdict.leaving and not self._is_stopping:
            self._stop()
        if verdict.healthy and verdict.renewed_at > self._renewed_at and self._send('WATCHDOG=1'):
            self._renewed_at = verdict.renewed_at

    def _stop(self) -> None:
        # who leaves so soon was ready for a moment: to systemd it would have failed to start otherwise
        self._is_stopping = self._send('STOPPING=1' if self._is_ready else 'READY=1\nSTOPPING=1')
        self._is_ready = self._is_ready or self._is_stopping

    def _send(self, words: str) -> bool:
        """Whether it was taken; if not, it is said again at the next look."""
        try:
            self._socket.sendto(words.encode(), self._address)
        except OSError:
            return False
        return True

    def close(self) -> None:
        """The last word, if there was a first: a worker that could not begin has failed."""
        if self._is_asked and not self._is_stopping:
            self._stop()
        self.let_go()

    def let_go(self) -> None:
        """Say no more."""
        self._socket.close()


class Page:
    """Shared memory between a pool and one of its workers, made before the fork."""

    def __init__(self) -> None:
        self._page = mmap.mmap(-1, _PAIR.size)
        self.show(NOTHING_YET)

    def show(self, verdict: Verdict) -> None:
        """Up to when the pool may believe that this worker is healthy."""
        _PAIR.pack_into(self._page, 0, verdict.until if verdict.healthy else NEVER, verdict.renewed_at)

    def read(self) -> tuple[float, float]:
        """The same, and the renewal it is founded on."""
        until, renewed_at = _PAIR.unpack_from(self._page)
        return until, renewed_at

    def close(self) -> None:
        """The pool sees for itself that its process has ended."""

    def let_go(self) -> None:
        """The page belongs to the whole family."""
