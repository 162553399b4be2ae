"""What a worker tells probes, part by part: the door, the file, systemd."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rq.rules.health import NEVER, Verdict
from rq.supervision.door import MOST_BYTES, MOST_VISITORS, Door, answer
from rq.supervision.health import Health
from rq.supervision.signs import HealthFile, Notifier
from tests.worker.probing import ILL, WELL, ask, say

# --- the door -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    'request_, status',
    [
        (b'GET /livez HTTP/1.1\r\nHost: a\r\n\r\n', 200),
        (b'GET /healthz?verbose HTTP/1.0\n\n', 200),
        (b'GET /readyz HTTP/1.1\r\n\r\n', 503),
        (b'GET / HTTP/1.1\r\n\r\n', 404),
        (b'GET /../etc/passwd HTTP/1.1\r\n\r\n', 404),
        (b'POST /livez HTTP/1.1\r\n\r\n', 405),
        (b'\x16\x03\x01\xff\xfe\n\n', 400),
        (b'\r\n\r\n', 400),
        (b'GET /livez\r\n\r\n', 400),
        (b'GET /livez HTTP/1.1\r\nCookie: ' + b'x' * MOST_BYTES, 431),
    ],
)
def test_answers(request_: bytes, status: int) -> None:
    head, _, body = answer(request_, lambda: {'healthy': True, 'ready': False}).partition(b'\r\n\r\n')
    assert head.startswith(b'HTTP/1.1 %d ' % status)
    assert f'Content-Length: {len(body)}'.encode() in head and json.loads(body)


def test_head_has_no_body() -> None:
    response = answer(b'HEAD /livez HTTP/1.1\r\n\r\n', lambda: {'healthy': False, 'ready': False})
    assert response.startswith(b'HTTP/1.1 503 ') and response.endswith(b'\r\n\r\n')


@pytest.fixture
def health() -> Iterator[tuple[Health, list[Verdict], int]]:
    """A health answer without a worker, the verdict it gives (the last one of a list), its port."""
    verdicts = [WELL]
    made = Health('w', say, port=0)
    made.start(lambda now: verdicts[-1], dict, 0.05)
    yield made, verdicts, int(made.url.rpartition(':')[2])
    made.stop()


def test_what_is_said_follows_the_verdict(health: tuple[Health, list[Verdict], int]) -> None:
    _, verdicts, port = health
    status, told = ask(port)
    assert status == 200 and told['healthy'] and told['ready'] and told['why'] is None
    assert (told['name'], told['pid']) == ('w', os.getpid()) and told['renewed_seconds_ago'] > 0
    verdicts.append(WELL._replace(leaving=True))
    assert (ask(port, '/livez')[0], ask(port, '/readyz')[0]) == (200, 503)
    verdicts.append(ILL)
    assert (ask(port, '/livez')[0], ask(port, '/livez')[1]['why']) == (503, 'nothing is accepted')
    verdicts.clear()
    assert (ask(port)[0], 'cannot be told' in ask(port)[1]['why']) == (503, True)


def test_silent_visitors_are_in_nobody_s_way(health: tuple[Health, list[Verdict], int]) -> None:
    _, _, port = health
    silent = [socket.create_connection(('127.0.0.1', port)) for _ in range(MOST_VISITORS + 3)]
    began = time.monotonic()
    assert ask(port)[0] == 200
    assert time.monotonic() - began < 2
    silent[-1].settimeout(10)
    assert silent[-1].recv(1) == b''  # its time is over
    for one in silent:
        one.close()


def test_a_long_request_comes_to_its_end(health: tuple[Health, list[Verdict], int]) -> None:
    _, _, port = health
    with socket.create_connection(('127.0.0.1', port), timeout=10) as visitor:
        for _ in range(4):
            visitor.sendall(b'GET /livez HTTP/1.1\r\nX: ' + b'x' * (MOST_BYTES // 4 - 24))
        assert b' 431 ' in visitor.recv(100)


def test_taken_port() -> None:
    with socket.create_server(('127.0.0.1', 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ValueError, match=f'{port}.*--health-port'):
            Door('127.0.0.1', port)
    with pytest.raises(ValueError, match='no.such.host'):
        Door('no.such.host.invalid', 0)


def test_a_forked_child_holds_no_door() -> None:
    made = Health('w', say, port=0)
    port = int(made.url.rpartition(':')[2])
    made.start(lambda now: WELL, dict)
    pid = os.fork()
    if pid == 0:
        signal.pause()
        os._exit(0)
    made.stop()
    try:
        assert ask(port)[0] == 0
        Door('127.0.0.1', port).close()
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


# --- the file -----------------------------------------------------------------------------------------------------


def test_file_comes_and_goes(tmp_path: Path) -> None:
    path = tmp_path / 'health'
    path.write_text('of somebody who was killed')
    sign = HealthFile(str(path), 'w', say)
    assert not path.exists()
    sign.show(ILL)
    assert not path.exists()
    now = time.monotonic()
    sign.show(Verdict('', now + 15, now))
    told = json.loads(path.read_text())
    assert (told['worker'], told['pid'], told['ready']) == ('w', os.getpid(), True)
    assert abs(told['at'] - time.time()) < 5 and told['healthy_until'] - told['at'] == pytest.approx(15, abs=0.01)
    written = path.stat()
    assert stat.S_IMODE(written.st_mode) & 0o444
    sign.show(Verdict('', now + 15, now))
    assert path.stat().st_ino == written.st_ino  # nothing is new
    sign.show(Verdict('', now + 15, now, leaving=True))
    assert json.loads(path.read_text())['ready'] is False
    sign.show(ILL)
    assert not path.exists()
    sign.show(Verdict('', now + 20, now + 5))
    assert path.exists()
    sign.close()
    assert list(tmp_path.iterdir()) == []


def test_file_belongs_to_one_worker(tmp_path: Path) -> None:
    path = tmp_path / 'health'
    sign = HealthFile(str(path), 'w', say)
    program = 'import sys; from rq.supervision.signs import HealthFile; HealthFile(sys.argv[1], "other", print)'
    done = subprocess.run([sys.executable, '-c', program, str(path)], capture_output=True, text=True, check=False)
    assert 'belongs to another worker' in done.stderr
    sign.close()
    done = subprocess.run([sys.executable, '-c', program, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / 'health.lock').exists()  # it did not say goodbye
    HealthFile(str(path), 'w', say).close()


def test_file_in_vain(tmp_path: Path) -> None:
    for path in (tmp_path / 'no' / 'such', tmp_path):
        with pytest.raises(ValueError, match='health_file'):
            HealthFile(str(path), 'w', say)
    home = tmp_path / 'home'
    home.mkdir()
    words: list[str] = []
    sign = HealthFile(str(home / 'health'), 'w', lambda level, text: words.append(text))
    (home / 'health.new').mkdir()  # stands for a disk that takes no more
    for _ in range(2):
        sign.show(WELL)
        assert not (home / 'health').exists()
    assert len(words) == 1 and 'cannot be kept up to date' in words[0]
    (home / 'health.new').rmdir()
    sign.show(WELL)
    assert (home / 'health').exists()
    sign.close()


# --- systemd ------------------------------------------------------------------------------------------------------


def test_notifier(listener: socket.socket) -> None:
    sign = Notifier.asked_for()
    assert sign is not None and not {'NOTIFY_SOCKET', 'WATCHDOG_USEC'} & os.environ.keys()
    assert Notifier.asked_for() is None
    sign.show(Verdict('not yet', NEVER, NEVER))
    sign.show(WELL)
    assert listener.recv(100).startswith(b'READY=1') and listener.recv(100) == b'WATCHDOG=1'
    sign.show(WELL)
    sign.show(ILL._replace(renewed_at=11.0))
    sign.show(WELL._replace(renewed_at=12.0))
    assert listener.recv(100) == b'WATCHDOG=1'
    sign.show(WELL._replace(renewed_at=13.0, leaving=True))
    assert (listener.recv(100), listener.recv(100)) == (b'STOPPING=1', b'WATCHDOG=1')
    sign.close()
    listener.setblocking(False)
    with pytest.raises(BlockingIOError):
        listener.recv(100)


def test_notifier_of_an_abstract_address(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
        end.bind(f'\0rq-health-{os.getpid()}')
        monkeypatch.setenv('NOTIFY_SOCKET', f'@rq-health-{os.getpid()}')
        sign = Notifier.asked_for()
        assert sign is not None
        sign.show(Verdict('', 15, 10, leaving=True))
        end.settimeout(10)
        assert end.recv(100).startswith(b'READY=1')
        sign.close()
    sign.show(WELL)  # nobody listens any more


def test_who_never_began_was_never_ready(listener: socket.socket) -> None:
    sign = Notifier.asked_for()
    assert sign is not None
    sign.close()
    listener.setblocking(False)
    with pytest.raises(BlockingIOError):
        listener.recv(100)
