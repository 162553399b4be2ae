"""Servers of a test's own: killed, restarted, frozen, reconfigured; a primary with its replica; three sentinels."""

import os
import signal
import socket
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import BusyLoadingError, RedisError
from redis.retry import Retry as NoRetry
from redis.sentinel import Sentinel

from rq.devserver.binary import find_binary
from tests.waiting import wait_until

SERVICE = 'rq-crash'
PATIENCE = 10.0  # of the test's own clients: a test never hangs with its server


def free_port() -> int:
    """A port of loopback that nobody listens on now."""
    with socket.socket() as one:
        one.bind(('127.0.0.1', 0))
        return int(one.getsockname()[1])


class Mortal:
    """A server with an append-only file, on a unix socket or (`port=True`) on loopback. Killed, frozen, started again.

    `options` are words of its command line, for example '--appendfsync', 'everysec'.
    """

    def __init__(self, directory: Path, *options: str, port: bool = False) -> None:
        self.directory, self.options = directory, options
        self.socket, self.port = directory / 's', free_port() if port else 0
        self.url = f'redis://127.0.0.1:{self.port}' if port else f'unix://{self.socket}'
        self.upstream: str | tuple[str, int] = ('127.0.0.1', self.port) if port else str(self.socket)
        self.process: subprocess.Popen[bytes] | None = None

    def client(self, **words: Any) -> Redis:
        """A client straight to it, which repeats nothing by itself."""
        words = {'retry': NoRetry(NoBackoff(), 0), 'socket_timeout': PATIENCE, **words}
        if self.port:
            return Redis(host='127.0.0.1', port=self.port, **words)
        return Redis(unix_socket_path=str(self.socket), **words)

    def start(self, wait: bool = True) -> 'Mortal':
        """Start it; back when it answers."""
        self.directory.mkdir(exist_ok=True)
        command = [find_binary(), '--port', str(self.port), '--bind', '127.0.0.1', '--dir', str(self.directory)]
        command += [] if self.port else ['--unixsocket', str(self.socket)]
        command += ['--save', '', '--appendonly', 'yes', '--appendfsync', 'always', '--logfile', 'log', *self.options]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
        if wait:
            wait_until(self.answers, 15, 'the server answers')
        return self

    @property
    def pid(self) -> int:
        """Of the server that runs now."""
        assert self.process is not None
        return self.process.pid

    @property
    def is_running(self) -> bool:
        """Whether its process is there, frozen or not."""
        return self.process is not None and self.process.poll() is None

    def answers(self) -> bool:
        """Does it?"""
        if self.process is None or self.process.poll() is not None:
            raise AssertionError(f'the server ended:\n{(self.directory / "log").read_text()[-2000:]}')
        try:
            with self.client(socket_timeout=1) as client:
                return bool(client.ping())
        except RedisError:
            return False

    def is_loading(self) -> bool:
        """Whether it refuses to work because it reads its data."""
        try:
            with self.client(socket_timeout=1) as client:
                client.get('any')
        except BusyLoadingError:
            return True
        except RedisError:
            return False
        return False

    def kill(self) -> None:
        """As the power fails."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def restart(self) -> 'Mortal':
        """Killed, and started again at once from its append-only file."""
        self.kill()
        return self.start()

    def freeze(self) -> None:
        """It stops; its kernel still takes connections and bytes."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on."""
        os.kill(self.pid, signal.SIGCONT)

    def configure(self, **settings: str | int) -> None:
        """CONFIG SET, with `_` for `-`."""
        with self.client() as client:
            for name, value in settings.items():
                client.config_set(name.replace('_', '-'), value)

    def close(self) -> None:
        """The end, in whatever state it is."""
        with suppress(ProcessLookupError, AssertionError):
            self.thaw()
        self.kill()


class Pair:
    """A primary and its replica on loopback, watched by three sentinels when asked for.

    Sentinels call the primary down after half a second, and let another one be tried two seconds later.
    """

    def __init__(self, directory: Path, sentinels: int = 3) -> None:
        self.directory = directory
        fast = ('--repl-diskless-sync', 'yes', '--repl-diskless-sync-delay', '0', '--repl-timeout', '5')
        self.first = Mortal(directory / 'first', *fast, port=True)
        self.second = Mortal(directory / 'second', *fast, '--replicaof', f'127.0.0.1 {self.first.port}', port=True)
        self.ports = [free_port() for _ in range(sentinels)]
        self._sentinels: list[subprocess.Popen[bytes]] = []

    def start(self) -> 'Pair':
        """Start all of them; back when the replica is in step and the sentinels know each other and it."""
        self.first.start()
        self.second.start()
        wait_until(lambda: self._link() == 'up', 20, 'the replica is in step')
        for port in self.ports:
            self._sentinels.append(self._start_sentinel(port))
        wait_until(lambda: all(self._knows_all(port) for port in self.ports), 30, 'the sentinels know each other')
        return self

    def _link(self) -> Any:
        with self.second.client() as client:
            return client.info('replication')['master_link_status']

    def _start_sentinel(self, port: int) -> 'subprocess.Popen[bytes]':
        home = self.directory / f'sentinel-{port}'
        home.mkdir()
        quorum = len(self.ports) // 2 + 1
        config = home / 'sentinel.conf'
        config.write_text(
            f'port {port}\nbind 127.0.0.1\ndir {home}\nlogfile log\n'
            f'sentinel monitor {SERVICE} 127.0.0.1 {self.first.port} {quorum}\n'
            f'sentinel down-after-milliseconds {SERVICE} 500\n'
            f'sentinel failover-timeout {SERVICE} 2000\n'
        )
        command = [find_binary(), str(config), '--sentinel']
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)

    def _knows_all(self, port: int) -> bool:
        try:
            with Redis(port=port, socket_timeout=1, decode_responses=True) as client:
                raw: Any = client.execute_command('SENTINEL', 'MASTER', SERVICE)
        except RedisError:
            return False
        seen = raw if isinstance(raw, dict) else dict(zip(raw[::2], raw[1::2], strict=True))
        others, replicas = int(seen['num-other-sentinels']), int(seen['num-slaves'])
        return others == len(self.ports) - 1 and replicas == 1

    @property
    def instances(self) -> list[tuple[str, int]]:
        """Where the sentinels listen."""
        return [('127.0.0.1', port) for port in self.ports]

    def client(self, **words: Any) -> Any:
        """A client of whoever is the primary when it connects."""
        words = {'retry': NoRetry(NoBackoff(), 0), 'socket_timeout': PATIENCE, **words}
        asked: Callable[..., Any] = Sentinel
        return asked(self.instances, socket_timeout=1).master_for(SERVICE, **words)

    def primary(self) -> Mortal:
        """Whom the sentinels name now."""
        asked: Callable[..., Any] = Sentinel
        host_port = asked(self.instances, socket_timeout=1).discover_master(SERVICE)
        return self.first if host_port[1] == self.first.port else self.second

    def in_step(self) -> bool:
        """Whether the replica has all that the primary wrote."""
        with self.first.client() as first, self.second.client() as second:
            written: Any = first.info('replication')
            read: Any = second.info('replication')
        return bool(written['master_repl_offset'] == read['slave_repl_offset'])

    def failed_over(self) -> bool:
        """Whether the second is the primary, and says so itself."""
        try:
            with self.second.client(socket_timeout=1) as client:
                return client.role()[0] in (b'master', 'master') and self.primary() is self.second
        except RedisError:
            return False

    def close(self) -> None:
        """End all of them."""
        for sentinel in self._sentinels:
            sentinel.kill()
            sentinel.wait()
        self.first.close()
        self.second.close()
