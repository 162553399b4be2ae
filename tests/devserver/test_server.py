"""The private server of a directory: one of them, found again, its data kept, gone when told so."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from redis import Redis

from rq.devserver import Server, ServerFailed, serve
from tests.waiting import wait_until

SERVE = 'import sys; from rq.devserver import serve; print(serve(sys.argv[1]).pid)'


def start_elsewhere(directory: Path, **environment: str) -> subprocess.Popen[str]:
    """Another process that serves `directory` and prints the server's pid."""
    return subprocess.Popen(
        [sys.executable, '-c', SERVE, str(directory)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path), **environment},
    )


def answer_of(process: subprocess.Popen[str]) -> int:
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    return int(out)


def kill(server: Server) -> None:
    """End the server as a crash would."""
    pid = server.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not server.alive(), what='the killed server is gone')


def servers_of(directory: Path) -> list[int]:
    """Every process whose command line names the socket of `directory`."""
    found = []
    for entry in Path('/proc').iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / 'cmdline').read_bytes()
            except OSError:
                continue
            if command.startswith(b'valkey-server') and os.fsencode(directory / 'valkey.sock') in command:
                found.append(int(entry.name))
    return found


def test_start(home: Path) -> None:
    server = serve(home)
    assert server.alive()
    assert home.stat().st_mode & 0o777 == 0o700
    with Redis.from_url(server.url) as client:
        assert client.set('key', 'value')
        assert client.info('server')['process_id'] == server.pid
        assert client.info('server')['tcp_port'] == 0
        assert client.config_get('appendonly') == {'appendonly': 'yes'}


def test_found_again_from_another_process(home: Path) -> None:
    first = answer_of(start_elsewhere(home))  # that process has ended, its server has not
    server = serve(home)
    assert server.pid == first == answer_of(start_elsewhere(home))


def test_starters_at_once_start_one(home: Path) -> None:
    home.mkdir()
    starters = [start_elsewhere(home) for _ in range(4)]
    pids = {answer_of(starter) for starter in starters}
    assert len(pids) == 1
    assert servers_of(home) == list(pids)


def test_killed_server_is_replaced_and_keeps_its_data(home: Path) -> None:
    server = serve(home)
    old = server.pid
    with Redis.from_url(server.url) as client:
        client.set('key', 'value')
    kill(server)
    assert server.pid == old  # the stale pid file
    assert Path(server.socket).exists()  # and the stale socket
    again = serve(home)
    assert again.pid != old
    with Redis.from_url(again.url) as client:
        assert client.get('key') == b'value'


def test_pid_file_with_the_number_of_another_process(home: Path) -> None:
    server = serve(home)
    kill(server)
    (home / 'valkey.pid').write_text(str(os.getpid()))
    assert serve(home).alive()  # and we have not been taken for it


def test_garbage_in_the_pid_file(home: Path) -> None:
    home.mkdir()
    (home / 'valkey.pid').write_text('')
    assert serve(home).alive()


def test_socket_removed_under_a_living_server(home: Path) -> None:
    server = serve(home)
    old = server.pid
    with Redis.from_url(server.url) as client:
        client.set('key', 'value')
    Path(server.socket).unlink()
    again = serve(home)
    assert servers_of(home) == [again.pid] != [old]
    with Redis.from_url(again.url) as client:
        assert client.get('key') == b'value'


def test_loading_server_is_waited_for(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = serve(home)
    with Redis.from_url(server.url) as client:
        pipeline = client.pipeline(transaction=False)
        for number in range(20_000):
            pipeline.rpush(f'list:{number % 7}', 'x')
        pipeline.execute()
    kill(server)
    settings, answer, answers = Server._settings, Server._answer, set()

    def noted(self: Server) -> str:
        answers.add(answer(self))
        return answer(self)

    monkeypatch.setattr(Server, '_settings', lambda self: [*settings(self), '--key-load-delay', '20'])
    monkeypatch.setattr(Server, '_answer', noted)
    with Redis.from_url(serve(home).url) as client:  # raises while it is loading
        assert sum(client.llen(f'list:{number}') for number in range(7)) == 20_000
    assert 'loading' in answers


def test_stop(home: Path) -> None:
    server = serve(home)
    pid = server.pid
    with Redis.from_url(server.url) as client:
        client.set('key', 'value')
    server.stop()
    assert not server.alive()
    assert server.pid is None
    assert servers_of(home) == []
    server.stop()  # twice is no error
    again = serve(home)
    assert again.pid != pid
    with Redis.from_url(again.url) as client:
        assert client.get('key') == b'value'


def test_the_last_user_stops_it(home: Path) -> None:
    server = serve(home)
    with Redis.from_url(server.url) as client:
        client.ping()
        assert not server.stop_if_last()
        assert server.alive()
    wait_until(server.stop_if_last, what='the only client has gone')
    assert not server.alive()
    assert server.stop_if_last()


def test_long_directory(home: Path, tmp_path: Path) -> None:
    directory = home / ('long' * 25)
    first = answer_of(start_elsewhere(directory))
    # Another TMPDIR must not lead to another server.
    assert answer_of(start_elsewhere(directory, TMPDIR=str(tmp_path))) == first
    server = serve(directory)
    assert server.pid == first
    socket = Path(server.socket)
    assert len(os.fsencode(socket)) < 104
    assert socket.parent.stat().st_mode & 0o777 == 0o700
    with Redis.from_url(server.url) as client:
        assert client.ping()
    server.stop()
    socket.parent.rmdir()
    assert serve(directory).alive()  # as after a reboot, which empties the temporary directory
    serve(directory).stop()
    socket.parent.rmdir()


def test_foreign_socket_directory_is_refused(home: Path) -> None:
    directory = home / ('long' * 25)
    server = serve(directory)
    server.stop()
    place = Path(server.socket).parent
    place.chmod(0o755)
    try:
        with pytest.raises(ServerFailed, match='0700'):
            serve(directory)
    finally:
        place.rmdir()


def test_directory_with_special_characters(home: Path) -> None:
    with Redis.from_url(serve(home / 'a b?c%20"ü#d').url) as client:
        assert client.ping()


def test_failed_start_tells_the_log(home: Path) -> None:
    home.mkdir()
    (home / 'appendonlydir').write_text('a file where the server wants a directory')
    with pytest.raises(ServerFailed, match=r'(?s)did not come up.*it said last:\n.+'):
        serve(home)


def test_frozen_server_is_named_not_doubled(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('rq.devserver.server.ANSWER_SECONDS', 0.2)
    server = serve(home)
    assert server.pid is not None
    os.kill(server.pid, signal.SIGSTOP)
    with pytest.raises(ServerFailed, match=f'pid {server.pid}.*kill {server.pid}'):
        serve(home)
    os.kill(server.pid, signal.SIGCONT)
    assert serve(home).pid == server.pid
