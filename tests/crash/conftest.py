"""A fleet of workers and its witness."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from rq import Queue
from tests.conftest import PrivateServer
from tests.crash.driver import Fleet, Witness
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
def queue(redis: Redis) -> Queue:
    """The queue `q`."""
    return Queue('q', connection=redis)
