"""The log of workers as a fresh process has it: other rooms' tests configure it in this one."""

import logging
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def fresh_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """No handlers, nothing disabled."""
    for name in ('rq.worker', 'rq.job'):
        log = logging.getLogger(name)
        monkeypatch.setattr(log, 'disabled', False)
        monkeypatch.setattr(log, 'propagate', True)
        monkeypatch.setattr(log, 'handlers', [])
        log.setLevel(logging.INFO if name == 'rq.worker' else logging.NOTSET)


@pytest.fixture
def listener(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """systemd's end."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
        monkeypatch.chdir(tmp_path)
        end.bind('notify')
        end.settimeout(10)
        monkeypatch.setenv('NOTIFY_SOCKET', str(tmp_path / 'notify'))
        monkeypatch.setenv('WATCHDOG_USEC', '30000000')
        yield end
