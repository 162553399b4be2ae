"""Workers in odd surroundings: other streams, limits, namespaces, users. And what such surroundings are made of."""

import os
import resource
import select
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.crash.driver import ROOT, Crew, Fleet, tree_of
from tests.pipes import fill, read_now

IS_ROOT = os.geteuid() == 0
#: a user without processes who may read all that we may, because what a worker needs can be root's
_CAPS = '+dac_override,+dac_read_search'
AS_NOBODY = ['setpriv', '--reuid', '61234', '--regid', '61234', '--clear-groups', f'--inh-caps={_CAPS}']
AS_NOBODY += [f'--ambient-caps={_CAPS}']


def cli(fleet: Fleet, name: str, worker: str, words: Sequence[str]) -> list[str]:
    """The command of a worker, as the driver makes it; `words` are options and queues."""
    command = [sys.executable, '-m', 'rq.cli', 'worker', *fleet.where, '--name', name]
    return [*command, '--worker-class', worker if '.' in worker else f'tests.crash.workers.{worker}', *words]


def start_in(
    fleet: Fleet,
    *options: str,
    name: str = 'odd',
    worker: str = 'Quick',
    before: Sequence[str] = (),
    command: Sequence[str] = (),
    more: dict[str, str] | None = None,
    wait: bool = True,
    **popen: Any,
) -> Crew:
    """A worker of queue q behind the words `before`; `more` environment, and words of Popen such as stdout or cwd."""
    environment = {**os.environ, 'PYTHONPATH': str(ROOT), 'RQ_WITNESS': str(fleet.witness.path)}
    environment |= {'PYTHONUNBUFFERED': '', **(more or {})}  # an empty one is none
    log = fleet.directory / f'{name}.log'
    with log.open('ab') as out:
        words = {'cwd': ROOT, 'stdin': subprocess.DEVNULL, 'stdout': out, 'stderr': out, **popen}
        command = [*before, *(command or cli(fleet, name, worker, (*options, 'q')))]
        process = subprocess.Popen(command, env=environment, start_new_session=True, **words)
    crew = Crew(name, process, log, options)
    fleet.crews.append(crew)
    if wait:
        fleet.wait_for(crew)
    return crew


def shell(words: str) -> list[str]:
    """Run `words` in a shell, which then becomes the worker: `exec "$@"` and its redirections stand in them."""
    return ['sh', '-c', words, 'sh']


def apart(words: str) -> list[str]:
    """The same in mounts of its own, which nobody else sees and which end with the worker."""
    flags = ['-m'] if IS_ROOT else ['-rm']
    if shutil.which('unshare') is None or subprocess.run(['unshare', *flags, 'true'], capture_output=True).returncode:
        raise AssertionError("mounts of one's own need root, or user namespaces, which this machine refuses")
    return ['unshare', *flags, *shell(words)]


class Unread:
    """A pipe, a terminal or a socket that nobody reads until `read` is called."""

    def __init__(self, kind: str = 'pipe') -> None:
        if kind == 'pipe':
            self.reader, self.writer = os.pipe()
        elif kind == 'terminal':
            self.reader, self.writer = os.openpty()
        else:
            self.reader, self.writer = (end.detach() for end in socket.socketpair())

    def fill(self) -> 'Unread':
        """Leave no room in it."""
        fill(self.writer)
        return self

    @property
    def is_full(self) -> bool:
        """Whether there is no room for a line."""
        return not select.select([], [self.writer], [], 0)[1]

    def read(self) -> str:
        """What is in it now."""
        return read_now(self.reader).decode(errors='replace')

    def close_reader(self) -> None:
        """From now on whoever writes is told that nobody will ever read."""
        os.close(self.reader)
        self.reader = -1

    def close(self) -> None:
        """Let go of both ends."""
        for descriptor in (self.reader, self.writer):
            if descriptor >= 0:
                os.close(descriptor)


@contextmanager
def unread(kind: str = 'pipe') -> Iterator[Unread]:
    """One of them."""
    pipe = Unread(kind)
    try:
        yield pipe
    finally:
        pipe.close()


def limit(pid: int, what: int, value: int) -> None:
    """Lower, or raise again, the soft limit of a process that runs."""
    resource.prlimit(pid, what, (value, resource.prlimit(pid, what)[1]))


def starve(pid: int) -> None:
    """Allow a process not one descriptor more than it has."""
    used = {int(entry.name) for entry in Path(f'/proc/{pid}/fd').iterdir()}
    limit(pid, resource.RLIMIT_NOFILE, next(number for number in range(len(used) + 1) if number not in used))


def feed(pid: int) -> None:
    """Allow it descriptors again."""
    limit(pid, resource.RLIMIT_NOFILE, resource.prlimit(pid, resource.RLIMIT_NOFILE)[1])


def limit_processes(pid: int, soft: str) -> None:
    """Allow a worker of `AS_NOBODY` so many processes; only a user's own ones may be told."""
    before = AS_NOBODY if IS_ROOT else []
    subprocess.run([*before, 'prlimit', '--pid', str(pid), f'--nproc={soft}:'], check=True)


def limit_of_processes() -> str:
    """How many are allowed at most."""
    hard = resource.getrlimit(resource.RLIMIT_NPROC)[1]
    return 'unlimited' if hard == resource.RLIM_INFINITY else str(hard)


def nursery_of(crew: Crew) -> int:
    """The process that forks a worker's horses: its only child that has children."""
    children = [pid for pid in tree_of(crew.pid) if parent_of(pid) == crew.pid]
    return next(pid for pid in children if any(parent_of(other) == pid for other in tree_of(crew.pid)))


def parent_of(pid: int) -> int:
    """The parent of a process; 0 when it is gone."""
    try:
        stat = Path(f'/proc/{pid}/stat').read_bytes()
    except OSError:
        return 0
    return int(stat[stat.rindex(b')') + 2 :].split()[1])
