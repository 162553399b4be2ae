"""Processes and their descendants: read the tree, end it, reap what was left to us. Needs /proc."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

_PROC = Path('/proc')
_MARK = 1 << 52
_PIDS = 1 << 22  # there are never more
_ROUNDS = 20  # looks at a family that grows while we look


class Seen(NamedTuple):
    """What /proc says of a process."""

    parent: int
    group: int
    started: int  # clock ticks since the machine's


_reserve: tuple[int, int] | None = None  # whose it is, and a descriptor that can be given up


def keep_reserve() -> None:
    """In a worker: families must be found also when every other descriptor is taken."""
    global _reserve
    if _reserve is None or _reserve[0] != os.getpid():
        try:
            _reserve = os.getpid(), os.open(os.devnull, os.O_RDONLY)
        except OSError:
            _reserve = None


@contextmanager
def _room() -> Iterator[None]:
    global _reserve
    ours = _reserve is not None and _reserve[0] == os.getpid()
    if _reserve is not None and ours:
        os.close(_reserve[1])
        _reserve = None
    try:
        yield
    finally:
        if ours:
            keep_reserve()


def _processes() -> dict[int, Seen]:
    """Every process we may see; empty without /proc."""
    with _room():
        return _read_processes()


def _read_processes() -> dict[int, Seen]:
    found: dict[int, Seen] = {}
    try:
        entries = os.listdir(_PROC)
    except OSError:
        return found
    for name in entries:
        if name.isdigit():
            try:
                stat = (_PROC / name / 'stat').read_bytes()
                # the name in brackets may hold anything, so count from its last bracket
                fields = stat[stat.rindex(b')') + 2 :].split()
                found[int(name)] = Seen(int(fields[1]), int(fields[2]), int(fields[19]))
            except (OSError, ValueError, IndexError):
                continue  # it ended while we looked
    return found


def mark(job: int = 0, pid: int = 0) -> None:
    """In a horse, or of one: leave a mark that all its descendants from now on inherit, whatever they do to get away.

    A limit that limits nothing (microseconds of realtime scheduling, 142 years and the pid): it survives fork, exec,
    setsid, a changed environment and closed descriptors, so it finds those whose parent has gone, too. A horse that is
    used again has another one for each job: daemons of a finished job do not end with the next.
    """
    try:
        _, hard = resource.getrlimit(resource.RLIMIT_RTTIME)
        value = _MARK + job % _PIDS * _PIDS + (pid or os.getpid())
        if pid:
            resource.prlimit(pid, resource.RLIMIT_RTTIME, (value, hard))
        else:
            resource.setrlimit(resource.RLIMIT_RTTIME, (value, hard))
    except (OSError, ValueError, AttributeError):
        return  # no Linux, or a limit is set already: then its descendants are found as long as their parents live


def _mark_of(pid: int) -> str:
    """What a process has inherited, a horse leaves at the moment; the dead have it until they are reaped."""
    try:
        with _room():
            limits = (_PROC / str(pid) / 'limits').read_text()
    except OSError:
        return ''
    _, _, line = limits.partition('Max realtime timeout')
    return line.split(maxsplit=1)[0] if line else ''


def _below(roots: Iterable[int], seen: dict[int, Seen]) -> list[int]:
    children: dict[int, list[int]] = {}
    for pid, one in seen.items():
        children.setdefault(one.parent, []).append(pid)
    found: list[int] = []
    layer = list(roots)
    while layer:
        layer = [child for pid in layer for child in children.get(pid, ())]
        found += layer
    return found


def descendants(*roots: int) -> list[int]:
    """Children, grandchildren and so on, also those that left the process group by setsid."""
    return _below(roots, _processes())


class Family(NamedTuple):
    """The descendants of a horse, and the process groups that are theirs alone."""

    members: set[int]
    groups: set[int]

    def signal(self, signum: int) -> None:
        """Groups first: a signal to a group also reaches who was forked since we looked."""
        for group in self.groups:
            _send(os.killpg, group, signum)
        for pid in self.members:
            _send(os.kill, pid, signum)


def _send(how: Callable[[int, int], None], target: int, signum: int) -> None:
    try:
        how(target, signum)
    except (ProcessLookupError, PermissionError):
        return


def family(leader: int) -> Family:
    """Of a horse, dead or alive; also those that an ancestor of it adopted because their parent has ended."""
    seen = _processes()
    members = set(_below([leader], seen))
    if leader in seen:
        lost = _lost(leader, seen)
        members.update(lost, _below(lost, seen))
    # of a group whose leader lives and is none of them, they are only guests
    groups = {seen[pid].group for pid in members if seen[pid].group in members or seen[pid].group not in seen}
    return Family(members, groups - {os.getpgrp(), leader})


def _lost(leader: int, seen: dict[int, Seen]) -> list[int]:
    above: set[int] = set()
    mark = _mark_of(leader)
    if not mark.isdigit() or (int(mark) - leader) % _PIDS or int(mark) < _MARK:
        mark = str(_MARK + leader)  # not its own
    one = seen[leader].parent
    while one in seen and one not in above:
        above.add(one)
        one = seen[one].parent
    return [
        pid
        for pid, other in seen.items()
        # who is older has the mark of a namesake, whose job has finished: its daemon lives
        if other.parent in above and other.started >= seen[leader].started and pid not in (leader, os.getpid())
        if _mark_of(pid) == mark
    ]


def kill_tree(leader: int, signum: int = signal.SIGKILL) -> None:
    """End an unreaped group leader, its group, and all its descendants; never our own group."""
    if signum == signal.SIGKILL:
        _send(os.kill, leader, signal.SIGSTOP)
        rest = _held(leader)
    else:
        rest = family(leader)
    try:
        if os.getpgid(leader) == leader != os.getpgrp():
            os.killpg(leader, signum)
        else:
            os.kill(leader, signum)
    except ProcessLookupError:
        pass  # ended by itself meanwhile
    rest.signal(signum)


def kill_family(root: int) -> None:
    """End all descendants of a horse, but not itself."""
    _held(root).signal(signal.SIGKILL)


def _held(root: int) -> Family:
    """Its family, stopped first: who is killed while others of it go on may have forked again before it dies."""
    found = Family(set(), set())
    for _ in range(_ROUNDS):
        now = family(root)
        new = Family(now.members - found.members, now.groups - found.groups)
        if not new.members:
            break
        new.signal(signal.SIGSTOP)
        found.members.update(new.members)
        found.groups.update(new.groups)
    return found


def reap_adopted(ours: set[int]) -> None:
    """Reap daemons that finished jobs left behind and that became our children; never a child somebody waits for."""
    while True:
        try:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if ended is None or ended.si_pid in ours:
            return
        try:
            if os.getpgid(ended.si_pid) == os.getpgrp():
                return  # forked by code in this process, which will ask for its status
            os.waitpid(ended.si_pid, 0)
        except (ProcessLookupError, ChildProcessError):
            return
