"""An environment of its own for each queue that is measured, under .bench/, made on first use and when its pins change.

`python bench/environments.py --renew huey` takes the newest versions of one and writes them down as its pins.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

from catalog import PEERS, Peer

HERE = Path(__file__).parent
HOME = HERE.parent / '.bench'
NEWER = [f'python3.{minor}' for minor in range(12, 16)]


class Missing(Exception):
    """An environment cannot be made; the text says why."""


def pins(peer: Peer) -> Path:
    """The file with the exact versions of one environment."""
    return HERE / 'peers' / f'constraints-{peer.name}.txt'


def folder_of(peer: Peer) -> Path:
    """The `bin` folder of a queue's environment; ours is the one that this program runs in."""
    if peer.name == 'ours':
        return Path(sys.executable).parent
    home = HOME / peer.name
    stamp = home / '.made'
    interpreter = interpreter_for(peer)
    made_of = '\n'.join([' '.join(peer.packages), version_of(interpreter), pins(peer).read_text()])
    if not (stamp.exists() and stamp.read_text() == made_of):
        print(f'making an environment for {peer.title} ...', flush=True)
        make(peer, interpreter, ['-c', str(pins(peer))])
        stamp.write_text(made_of)
    return home / 'bin'


def make(peer: Peer, interpreter: str, words: list[str]) -> None:
    """A fresh environment with the packages of one queue."""
    home = HOME / peer.name
    run([interpreter, '-m', 'venv', '--clear', str(home)], peer)
    pip = [str(home / 'bin' / 'python'), '-m', 'pip', '--disable-pip-version-check', '--quiet', 'install']
    run([*pip, *words, *peer.packages], peer)


def run(command: list[str], peer: Peer) -> None:
    """Run a command of the making, or say what went wrong."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        raise Missing(f'no environment for {peer.title}: {(done.stderr or done.stdout).strip()[-600:]}')


def version_of(interpreter: str) -> str:
    """`3.12`, or nothing when the program does not run (a shim without a version behind it)."""
    word = 'import sys; print("%d.%d" % sys.version_info[:2])'
    try:
        done = subprocess.run([interpreter, '-c', word], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return ''
    return done.stdout.strip() if done.returncode == 0 else ''


def interpreter_for(peer: Peer) -> str:
    """The interpreter we run in, else the first one here that is new enough for the queue."""
    if sys.version_info[:2] >= peer.python:
        return sys.executable
    found = [path for name in NEWER if (path := shutil.which(name))]
    shims = Path(os.environ.get('PYENV_ROOT', Path.home() / '.pyenv'), 'versions')
    found += [str(path) for path in sorted(shims.glob('*/bin/python'))]
    for path in found:
        version = version_of(path)
        if version and tuple(int(part) for part in version.split('.')) >= peer.python:
            return path
    raise Missing(f'{peer.title} needs Python {".".join(map(str, peer.python))} or newer, and none is installed here')


def installed(peer: Peer) -> dict[str, str]:
    """Package -> version of what matters in an environment."""
    word = (
        'import sys, platform, importlib.metadata as m\n'
        'print("python", platform.python_version())\n'
        'for d in m.distributions(): print(d.metadata["Name"].lower(), d.version)'
    )
    python = folder_of(peer) / 'python'
    lines = subprocess.run([str(python), '-c', word], capture_output=True, text=True, check=True).stdout.splitlines()
    found = dict(line.split() for line in lines)
    wanted = {word.partition('[')[0].lower() for word in peer.packages} | {'python', 'redis', 'hiredis', 'rq'}
    return {name: version for name, version in sorted(found.items()) if name in wanted}


def renew(peer: Peer) -> None:
    """Make an environment with the newest versions and write its pins."""
    pins(peer).touch()
    make(peer, interpreter_for(peer), ['--pre'] if peer.early else [])
    python = str(HOME / peer.name / 'bin' / 'python')
    frozen = subprocess.run([python, '-m', 'pip', 'freeze'], capture_output=True, text=True, check=True).stdout
    pins(peer).write_text(frozen)


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--renew', nargs='+', choices=[name for name in PEERS if name != 'ours'], required=True)
    for chosen in parser.parse_args().renew:
        renew(PEERS[chosen])
