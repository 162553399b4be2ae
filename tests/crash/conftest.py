"""A fleet of workers and its witness."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis import Redis

from rq import Queue
from tests.conftest import PrivateServer
from tests.crash.beside import flowing
from tests.crash.crowd import EXECUTORS, TOLD, Crowd
from tests.crash.driver import Crew, Fleet, Witness
from tests.crash.proxy import Proxy
from tests.crash.servers import Mortal, Pair
from tests.invariants import check


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    """What jobs write to."""
    return Witness(tmp_path / 'witness')


@pytest.fixture
def fleet(
    server: PrivateServer, redis: Redis, tmp_path: Path, witness: Witness, request: pytest.FixtureRequest
) -> Iterator[Fleet]:
    """Workers on the private server; the three questions are asked in the end."""
    fleet = Fleet(server.url, redis, tmp_path, witness)
    try:
        yield fleet
        violations = check(redis)
    finally:
        left = fleet.close()
        print(fleet.logs())  # pytest shows it when the test failed
    assert left == [], 'processes outlived their worker'
    assert violations == []


@pytest.fixture
def beside(fleet: Fleet, redis: Redis) -> Iterator[Crew]:
    """A healthy worker and twenty jobs of a queue of its own, beside the fault: they flow as if nothing happened."""
    with flowing(fleet, redis) as crew:
        yield crew


@pytest.fixture
def queue(redis: Redis) -> Queue:
    """The queue `q`."""
    return Queue('q', connection=redis)


@pytest.fixture
def crowd(redis: Redis, queue: Queue, witness: Witness) -> Crowd:
    """Many jobs."""
    return Crowd(redis, queue, witness)


@pytest.fixture
def start(fleet: Fleet) -> Callable[..., Crew]:
    """Starts a worker with the words of an executor, and with a handler that tells."""
    return lambda executor, *words, **more: fleet.start(*EXECUTORS[executor], *TOLD, *words, **more)


@pytest.fixture
def home() -> Iterator[Path]:
    """A short new directory for servers; pytest's own are too long for a socket."""
    with tempfile.TemporaryDirectory(prefix='rq-crash-') as name:
        yield Path(name)


@pytest.fixture
def mortal(home: Path) -> Iterator[Mortal]:
    """A server of this test; not started yet."""
    mortal = Mortal(home / 'mortal')
    try:
        yield mortal
    finally:
        mortal.close()


def _far(fleet: Fleet, redis: Redis, is_there: Callable[[], bool] = lambda: True) -> Iterator[Fleet]:
    """As `fleet`, for a server that may be away in the end: then its keys are not looked at."""
    violations: list[str] = []
    try:
        yield fleet
        violations = check(redis) if is_there() else []
    finally:
        left = fleet.close()
        print(fleet.logs())
    assert left == [], 'processes outlived their worker'
    assert violations == []


@pytest.fixture
def far_fleet(mortal: Mortal, tmp_path: Path, witness: Witness) -> Iterator[Fleet]:
    """Workers of `mortal`."""
    with mortal.client() as client:
        yield from _far(Fleet(mortal.url, client, tmp_path, witness), client, lambda: mortal.is_running)


@pytest.fixture
def proxy(server: PrivateServer) -> Iterator[Proxy]:
    """A proxy before the private server."""
    proxy = Proxy(str(server.socket)).start()
    try:
        yield proxy
    finally:
        proxy.close()


@pytest.fixture
def proxied(
    proxy: Proxy, redis: Redis, tmp_path: Path, witness: Witness, request: pytest.FixtureRequest
) -> Iterator[Fleet]:
    """Workers that reach the private server through the proxy; the test itself goes straight to it."""
    directory = tmp_path / 'proxied'
    directory.mkdir()
    proxied = Fleet(proxy.url, redis, directory, witness)
    if 'beside' in request.fixturenames:
        proxied.expected = request.getfixturevalue('fleet').expected
    yield from _far(proxied, redis)


@pytest.fixture
def pair(home: Path) -> Iterator[Pair]:
    """A primary, its replica and three sentinels; not started yet."""
    pair = Pair(home)
    try:
        yield pair
    finally:
        pair.close()


@pytest.fixture
def watched(pair: Pair, tmp_path: Path, witness: Witness) -> Iterator[Fleet]:
    """Workers that ask the sentinels of `pair` for their server."""
    with pair.client(socket_timeout=2) as client:
        fleet = Fleet(f'sentinel {pair.instances}', client, tmp_path, witness)
        fleet.where = ('--config', 'tests.crash.sentinel_settings')
        fleet.environment = {'RQ_CRASH_SENTINELS': ' '.join(map(str, pair.ports))}
        yield from _far(fleet, client)
