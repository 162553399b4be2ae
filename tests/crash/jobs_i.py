"""Jobs of the odd surroundings."""

import os
import subprocess
import tempfile
from pathlib import Path

from rq.timeouts import JobTimeoutException
from tests.crash.jobs import say


def prints(size: int) -> int:
    """Leaves text in the buffer of stdout, for the end of its process to write."""
    print('p' * size)
    return size


def prints_at_once(size: int) -> None:
    """Writes so much before it goes on."""
    say('begin')
    print('p' * size, flush=True)
    say('end')


def fills_disk(directory: str) -> None:
    """Writes until there is no room, and one byte more."""
    say('begin')
    with (Path(directory) / 'big').open('wb', buffering=0) as file:
        while True:
            file.write(b'x' * 4096)


def temporary() -> int:
    """Uses a temporary file."""
    with tempfile.TemporaryFile() as file:
        return file.write(b'x' * 1000)


def here() -> str:
    """Where it runs."""
    try:
        return str(Path.cwd())
    except OSError as error:
        return type(error).__name__


def mask() -> str:
    """The mode a new file gets."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / 'f'
        file.touch()
        return oct(file.stat().st_mode & 0o777)


def environment(name: str) -> str | None:
    """A variable of its environment."""
    return os.environ.get(name)


def raises_short(number: int) -> None:
    """Fails with a short text."""
    raise ValueError(f'failure {number}')


def raises_long(size: int) -> None:
    """Fails with a long text that cannot be compressed."""
    raise ValueError(os.urandom(size // 2).hex())


def endless() -> None:
    """Loops until its time is over."""
    say('begin')
    try:
        while True:
            sum(range(1000))
    except JobTimeoutException:
        say('timed out')
        raise


def opens_many() -> None:
    """Opens files until it may not."""
    files = []
    while True:
        files.append(tempfile.TemporaryFile())  # noqa: SIM115 - to be left open


def echoes_past_python() -> None:
    """Another program writes where this process does, and so does C code."""
    subprocess.run(['sh', '-c', 'echo something; echo more >&2'], check=True)
    os.write(1, b'past Python\n')
    os.write(2, b'past Python\n')


def raises_text(text: str) -> None:
    """Fails with this text."""
    raise ValueError(text)
