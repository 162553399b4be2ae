"""Two sides on one server: RQ 3.0 and ours, each once as producer, once as worker, on Redis and on Valkey."""

import os
import subprocess
import tempfile
from collections.abc import Collection, Iterator
from pathlib import Path

import pytest
from redis import Redis

from rq.devserver.binary import find_binary
from tests.interop.environment import redis_binary
from tests.interop.sides import Agent, Side, everything, unblocked
from tests.invariants import check
from tests.waiting import wait_until

BINARIES = {'redis': redis_binary, 'valkey': find_binary}


@pytest.fixture(scope='session', params=list(BINARIES))
def socket(request: pytest.FixtureRequest) -> Iterator[Path]:
    """The socket of a private server of either kind."""
    # Not tmp_path_factory: the path of a unix socket must stay under about 107 bytes.
    with tempfile.TemporaryDirectory(prefix='rq-interop-') as directory:
        path = Path(directory) / 'socket'
        process = subprocess.Popen(
            [BINARIES[request.param](), '--port', '0', '--unixsocket', str(path), '--unixsocketperm', '700']
            + ['--dir', directory, '--save', '', '--appendonly', 'no', '--logfile', 'server.log'],
            stdin=subprocess.DEVNULL,
        )
        try:
            wait_until(path.exists, 10, 'the server listens')
            yield path
        finally:
            process.kill()
            process.wait()


@pytest.fixture
def redis(socket: Path) -> Iterator[Redis]:
    """A client of the server, its database empty."""
    with Redis(unix_socket_path=str(socket)) as client:
        client.flushall()
        yield client


@pytest.fixture(scope='session')
def agents() -> Iterator[dict[str, Agent]]:
    """The processes of the two sides, for the whole session."""
    agents = {side: Agent(side) for side in ('ours', 'rq3')}
    yield agents
    for agent in agents.values():
        agent.close()


@pytest.fixture
def unstored() -> set[str]:
    """Failed jobs that were not to be stored; a test adds to it."""
    return set()


def at_rest(redis: Redis, unstored: Collection[str]) -> list[str]:
    """The violations that remain: workers may be between two jobs while we read key after key."""
    violations: list[str] = []

    def none() -> bool:
        violations[:] = check(redis, unstored, mixed=True)
        return violations == []

    try:
        wait_until(none, 3, 'the invariants hold')
    except AssertionError:
        pass
    return violations


@pytest.fixture
def sides(
    agents: dict[str, Agent], socket: Path, redis: Redis, tmp_path: Path, unstored: Collection[str]
) -> Iterator[dict[str, Side]]:
    """Both sides on the server; in the end the invariants are asked for."""
    sides = {name: Side(agent, f'unix://{socket}', redis, tmp_path) for name, agent in agents.items()}
    try:
        yield sides
        violations = at_rest(redis, unstored)
    finally:
        print(everything(redis))  # pytest shows it when the test failed, and the logs
        for side in sides.values():
            side.close()
            print(side.logs())
        unblocked(redis)
    assert violations == []


# With RQ_INTEROP_DIRECTIONS=rq3-rq3 the suite tells whether what it expects is what RQ 3.0 does by itself.
@pytest.fixture(params=os.environ.get('RQ_INTEROP_DIRECTIONS', 'ours-rq3 rq3-ours').split())
def direction(request: pytest.FixtureRequest) -> list[str]:
    """Who produces, who works."""
    return request.param.split('-')


@pytest.fixture
def producer(sides: dict[str, Side], direction: list[str]) -> Side:
    """The side that enqueues, and reads."""
    return sides[direction[0]]


@pytest.fixture
def worker(sides: dict[str, Side], direction: list[str]) -> Side:
    """The side that works."""
    return sides[direction[1]]
