"""Fixtures for everybody: one private Valkey per test process, and a client whose database is empty."""

import logging
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from redis import Redis
from redis.cluster import RedisCluster
from redis.exceptions import RedisError

from rq import Queue
from rq.devserver.binary import find_binary
from tests.launch import Launch, Launched
from tests.waiting import wait_until

settings.register_profile('untimed', deadline=None)  # how long an example takes says something about the machine
settings.load_profile('untimed')


class PrivateServer:
    """A Valkey of this test process on a unix socket, without persistence."""

    def __init__(self, directory: Path) -> None:
        binary = os.environ.get('RQ_TEST_BINARY') or find_binary()  # tests/servers runs the store suite on others
        self.socket = directory / 'valkey.sock'
        self.url = f'unix://{self.socket}'
        self.process = subprocess.Popen(
            [binary, '--port', '0', '--unixsocket', str(self.socket), '--unixsocketperm', '700']
            + ['--dir', str(directory), '--save', '', '--appendonly', 'no', '--logfile', 'valkey.log'],
            stdin=subprocess.DEVNULL,
        )

    @property
    def pid(self) -> int:
        """The process id of the server."""
        return self.process.pid

    def answers(self) -> bool:
        """Does it answer a PING?"""
        if self.process.poll() is not None:
            raise AssertionError(f'the test server ended at once with code {self.process.returncode}')
        try:
            with Redis(unix_socket_path=str(self.socket)) as client:
                return bool(client.ping())
        except RedisError:
            return False

    def kill(self) -> None:
        """End it, now."""
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope='session')
def server() -> Iterator[PrivateServer]:
    """A private Valkey of this test process (with xdist: of each worker)."""
    # Not tmp_path_factory: the path of a unix socket must stay under about 107 bytes.
    with tempfile.TemporaryDirectory(prefix='rq-test-') as directory:
        private = PrivateServer(Path(directory))
        try:
            wait_until(private.answers, 10, 'the test server answers PING')
            yield private
        finally:
            private.kill()


@pytest.fixture
def redis(request: pytest.FixtureRequest) -> Iterator[Any]:
    """A client of the private server, its database empty; in tests/servers, of a cluster."""
    if port := os.environ.get('RQ_TEST_CLUSTER'):
        with RedisCluster(host='127.0.0.1', port=int(port)) as nodes:
            nodes.flushall()
            yield nodes
        return
    server: PrivateServer = request.getfixturevalue('server')
    with Redis(unix_socket_path=str(server.socket)) as client:
        client.flushall()
        yield client


@pytest.fixture
def redis_url(server: PrivateServer, redis: Redis) -> str:
    """The URL of the private server, its database empty."""
    return server.url


@pytest.fixture(autouse=True)
def loggers_of_rq() -> Iterator[None]:
    """Commands and workers set up logging for a process; what they leave there is no business of the next test."""
    before = _loggers()
    yield
    for name, (handlers, level, propagate) in before.items():
        logger = logging.getLogger(name)
        logger.handlers[:], logger.propagate, logger.disabled = handlers, propagate, False
        logger.setLevel(level)


def _loggers() -> dict[str, tuple[list[logging.Handler], int, bool]]:
    known = [name for name in logging.root.manager.loggerDict if name == 'rq' or name.startswith('rq.')]
    found = {name: logging.getLogger(name) for name in known}
    return {name: (list(one.handlers), one.level, one.propagate) for name, one in found.items()}


@pytest.fixture
def queue(redis: Redis) -> Queue:
    """The queue `default` of the private server."""
    return Queue(connection=redis)


@pytest.fixture
def launch(redis_url: str, tmp_path: Path) -> Iterator[Launch]:
    """Start workers as processes of their own: launch('queue', ..., work={...}, url=..., **words of the worker)."""
    launched: list[Launched] = []

    def start(*queues: str, work: dict[str, Any] | None = None, url: str = redis_url, **words: Any) -> Launched:
        log = tmp_path / f'worker{len(launched)}.log'
        launched.append(Launched(url, log, list(queues or ['default']), words, work or {}))
        return launched[-1]

    try:
        yield start
    finally:
        for one in launched:
            one.end()
