"""Start, find again and stop the private server of a directory.

The server listens on a unix socket only, keeps its data in an append-only file in the directory, and
outlives who started it. Everything about it is read from the directory: there is no other record of it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import BusyLoadingError, ConnectionError, ResponseError, TimeoutError
from redis.retry import Retry

from rq.devserver.binary import find_binary

START_SECONDS = 10.0  # from exec to the first answer; usually 20 ms
LOAD_SECONDS = 300.0  # it answers "loading": a large file takes its time, and is no reason to give up
STOP_SECONDS = 10.0
LOCK_SECONDS = START_SECONDS + STOP_SECONDS + 5.0  # longer than anybody may rightly hold the lock
ANSWER_SECONDS = 2.0
SOCKET_BYTES = 100  # the kernel's limit for a socket's path is 107, elsewhere 103

Answer = Literal['ready', 'loading', 'silent', 'absent']


class ServerFailed(RuntimeError):
    """The private server of a directory did not start, answer or stop."""


@dataclass(frozen=True)
class Server:
    """The private server of a directory, running or not."""

    directory: Path
    socket: str

    @property
    def url(self) -> str:
        """The URL that leads to this server."""
        return f'unix://{quote(self.socket)}'

    @property
    def pid(self) -> int | None:
        """The process id in the pid file, or None without one."""
        try:
            return int((self.directory / 'valkey.pid').read_text())
        except (FileNotFoundError, ValueError):
            return None

    def alive(self) -> bool:
        """Does it answer, be it that it still loads its data?"""
        return self._answer() in ('ready', 'loading')

    def stop(self) -> None:
        """Stop it, its data written, and return when the process is gone."""
        with _lock(self.directory):
            self._shut_down()

    def stop_if_last(self) -> bool:
        """Stop it if no client but the one that asks is connected; tell whether it was stopped."""
        with _lock(self.directory):
            if not self.alive():
                return True
            with self._client() as client:
                own = client.client_id()
                if any(int(each['id']) != own for each in client.client_list()):
                    return False
            self._shut_down()
            return True

    def _client(self) -> Redis:
        return Redis(unix_socket_path=self.socket, socket_timeout=ANSWER_SECONDS, retry=Retry(NoBackoff(), 0))

    def _answer(self) -> Answer:
        """What comes back for a PING."""
        try:
            with self._client() as client:
                client.ping()
        except BusyLoadingError:
            return 'loading'
        except TimeoutError:
            return 'silent'
        except ConnectionError:
            return 'absent'
        except ResponseError:
            pass  # BUSY, NOAUTH: it speaks, so it is there
        return 'ready'

    def _shut_down(self) -> None:
        pid = self.pid
        if self._answer() != 'absent':
            try:
                with self._client() as client:
                    client.shutdown()
            except TimeoutError:
                pass  # it is writing its data; we wait below
            except ResponseError as error:
                raise ServerFailed(f'the server in {self.directory} refused to stop: {error}') from error
        if not _until(lambda: self._answer() == 'absent' and not self._runs(pid), STOP_SECONDS):
            raise ServerFailed(
                f'the server in {self.directory} (pid {pid}) has not stopped within {STOP_SECONDS:g} s; '
                f'look at {self.directory / "valkey.log"}, or end it with: kill {pid}'
            )

    def _runs(self, pid: int | None) -> bool:
        """Is `pid` alive and, as far as one can see, this server and not a later user of the number?"""
        if pid is None:
            return False
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return False  # not our user's, so not ours
        try:
            command = Path(f'/proc/{pid}/cmdline').read_bytes()
        except FileNotFoundError:
            # Gone meanwhile, or a system without /proc, where the pid is all we know.
            return not Path('/proc/self').exists()
        return os.fsencode(self.socket) in command  # a zombie's is empty

    def _come_up(self) -> None:
        """Find it alive or make it so; the caller holds the lock."""
        answer = self._answer()
        if answer == 'absent':
            self._clear_away()
            self._start()
            answer = self._answer()
        if answer == 'loading' and _until(lambda: self._answer() != 'loading', LOAD_SECONDS):
            answer = self._answer()
        if answer != 'ready':
            raise ServerFailed(
                f'the server in {self.directory} (pid {self.pid}) is {answer}: it must answer within '
                f'{ANSWER_SECONDS:g} s; end it with: kill {self.pid}{self._log_tail()}'
            )

    def _clear_away(self) -> None:
        """Remove what a crash or reboot left; never leave a living server: two would write one file."""
        pid = self.pid
        if pid is not None and self._runs(pid):
            # Its socket is gone (somebody tidied the temporary directory): nobody can reach it any more.
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
            if not _until(lambda: not self._runs(pid), STOP_SECONDS):
                raise ServerFailed(
                    f'the server in {self.directory} (pid {pid}) is unreachable and does not end; '
                    f'end it with: kill -9 {pid}'
                )
        for path in (self.directory / 'valkey.pid', Path(self.socket)):
            path.unlink(missing_ok=True)

    def _start(self) -> None:
        started = subprocess.run(
            ['valkey-server', *self._settings()],
            executable=find_binary(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        up = started.returncode == 0 and _until(lambda: self._answer() != 'absent' or self._ended(), START_SECONDS)
        if not up or self._answer() == 'absent':
            said = (started.stderr + started.stdout).strip()
            raise ServerFailed(
                f'the server in {self.directory} did not come up within {START_SECONDS:g} s{self._log_tail(said)}'
            )

    def _ended(self) -> bool:
        """Has it written its pid and ended since?"""
        return self.pid is not None and not self._runs(self.pid)

    def _settings(self) -> list[str]:
        """The server's arguments; it makes a daemon of itself, so that it is nobody's child."""
        settings = {
            'port': '0',
            'unixsocket': self.socket,
            'unixsocketperm': '700',
            'dir': str(self.directory),
            'pidfile': str(self.directory / 'valkey.pid'),
            'logfile': str(self.directory / 'valkey.log'),
            'daemonize': 'yes',
            'appendonly': 'yes',
            'appendfsync': 'everysec',
            'save': '',
        }
        return [word for name, value in settings.items() for word in (f'--{name}', value)]

    def _log_tail(self, said: str = '') -> str:
        """The end of the log, to be put at the end of an error."""
        with suppress(OSError):
            said += '\n' + (self.directory / 'valkey.log').read_text(errors='replace')
        lines = [line for line in said.splitlines() if line.strip()][-5:]
        return '; it said last:\n' + '\n'.join(lines) if lines else ''


def serve(directory: str | Path = '.rq') -> Server:
    """Start the private server of `directory`, or find it again, and return it when it answers."""
    home = Path(directory).resolve()
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _lock(home):
        server = Server(home, _socket_path(home))
        server._come_up()
        return server


@contextmanager
def _lock(directory: Path) -> Iterator[None]:
    """One starter or stopper at a time; the kernel lets go of the lock when its holder dies."""
    descriptor = os.open(directory / 'lock', os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if not _until(lambda: _locked(descriptor), LOCK_SECONDS):
            raise ServerFailed(
                f'another process has held {directory / "lock"} for {LOCK_SECONDS:g} s; '
                f'find and end it with: fuser -v {directory / "lock"}'
            )
        yield
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _socket_path(directory: Path) -> str:
    """Where the socket is: in the directory, or in the temporary directory if the path would be too long."""
    near = directory / 'valkey.sock'
    if len(os.fsencode(near)) <= SOCKET_BYTES:
        return str(near)
    # The link keeps the place: another process may have another TMPDIR.
    if near.is_symlink() and near.readlink().parent.is_dir():
        _private(near.readlink().parent)
        return str(near.readlink())
    name = f'rq-{hashlib.sha256(os.fsencode(directory)).hexdigest()[:16]}'
    for root in (tempfile.gettempdir(), '/tmp'):
        far = Path(root) / name / 'valkey.sock'
        if len(os.fsencode(far)) <= SOCKET_BYTES:
            far.parent.mkdir(mode=0o700, exist_ok=True)
            _private(far.parent)
            near.unlink(missing_ok=True)
            near.symlink_to(far)
            return str(far)
    raise ServerFailed(f'no path for a socket of {directory} is under {SOCKET_BYTES} bytes; shorten TMPDIR')


def _private(directory: Path) -> None:
    """Refuse a directory that somebody else has put, or can write, where ours should be."""
    status = directory.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o077:
        raise ServerFailed(f'{directory} must be a directory of this user alone (mode 0700); remove it and start again')


def _until(condition: Callable[[], bool], seconds: float) -> bool:
    """Look at `condition` until it is true; False when the time is up."""
    deadline = time.monotonic() + seconds
    pause = 0.002
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)
    return True
