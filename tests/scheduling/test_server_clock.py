"""The server's time in a cron scheduler: jumps are believed when they last, and told once."""

from datetime import timedelta

import pytest

from rq.scheduling import server_clock
from rq.scheduling.server_clock import ServerClock
from rq.utils import now


class Server:
    """Says what time it is."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def time(self) -> tuple[int, int]:
        moment = now().timestamp() + self.seconds
        return int(moment), int(moment % 1 * 1e6)


@pytest.fixture
def server() -> Server:
    return Server()


def test_not_asked_yet() -> None:
    assert not ServerClock().is_known


def test_its_time(server: Server) -> None:
    clock = ServerClock()
    server.seconds = 500
    assert clock.look(server) == 0
    assert clock.is_known and abs(clock.now() - now() - timedelta(seconds=500)) < timedelta(seconds=1)
    assert clock.at_most(60) == 60


def test_drift_is_followed(server: Server) -> None:
    clock = ServerClock()
    for server.seconds in (0, 1, 2, 3):
        assert clock.look(server) == 0
    assert abs(clock.now() - now() - timedelta(seconds=3)) < timedelta(seconds=1)


@pytest.mark.parametrize('jump', [3600, -3600])
def test_a_slip_is_not(server: Server, jump: int) -> None:
    clock = ServerClock()
    clock.look(server)
    server.seconds = jump
    assert clock.look(server) == 0
    assert clock.at_most(60) == server_clock.LOOK_AGAIN
    assert abs(clock.now() - now()) < timedelta(seconds=1)
    server.seconds = 0
    assert clock.look(server) == 0 and clock.at_most(60) == 60


@pytest.mark.parametrize('jump', [3600, -3600])
def test_a_change_that_lasts_is_told_once(server: Server, jump: int, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = ServerClock()
    clock.look(server)
    server.seconds = jump
    clock.look(server)
    monkeypatch.setattr(server_clock, 'DOUBT', 0)
    assert clock.look(server) == pytest.approx(jump, abs=1)
    assert clock.look(server) == 0
    assert abs(clock.now() - now() - timedelta(seconds=jump)) < timedelta(seconds=1)
