"""Started processes with all their descendants: processor time, memory, and the end of every one of them.

This process adopts orphans (`adopt_orphans`), so nothing that it started can leave its tree.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import time
from pathlib import Path

TICKS = os.sysconf('SC_CLK_TCK')
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
LIBC = ctypes.CDLL(None)


def adopt_orphans() -> None:
    """Descendants whose parent ends become our children (Linux)."""
    LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def end_with_parent() -> None:
    """For a started process: even when this program is killed, what it started does not stay."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def stat_of(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on; empty when there is no such process."""
    try:
        text = Path('/proc', str(pid), 'stat').read_text()
    except OSError:
        return []
    return text.rpartition(')')[2].split()


def descendants(*roots: int) -> list[int]:
    """The processes below these, and these themselves, whatever sessions they opened."""
    children: dict[int, list[int]] = {}
    for entry in Path('/proc').iterdir():
        if entry.name.isdigit():
            fields = stat_of(int(entry.name))
            if fields:
                children.setdefault(int(fields[1]), []).append(int(entry.name))
    found, ahead = [], list(roots)
    while ahead:
        pid = ahead.pop()
        found.append(pid)
        ahead.extend(children.get(pid, []))
    return found


#: our children that are no orphans
KNOWN: set[int] = set()


class Tree:
    """One started program and whatever it starts."""

    def __init__(self, command: list[str], environment: dict[str, str], folder: Path, log: Path) -> None:
        self.log = log
        with log.open('ab') as file:
            self.process = subprocess.Popen(
                command, env=environment, cwd=folder, stdin=subprocess.DEVNULL, stdout=file, stderr=file,
                start_new_session=True,
                preexec_fn=end_with_parent,
            )  # fmt: skip
        KNOWN.add(self.process.pid)

    def pids(self) -> list[int]:
        """The processes of the tree."""
        return descendants(self.process.pid)

    def cpu(self) -> float:
        """User and system seconds so far, those of ended and awaited children too."""
        ticks = 0
        for pid in self.pids():
            fields = stat_of(pid)
            ticks += sum(map(int, fields[11:15])) if fields else 0
        return ticks / TICKS

    def pss(self) -> float:
        """Memory in MiB, shared pages divided among their users."""
        found = 0
        for pid in self.pids():
            try:
                lines = Path('/proc', str(pid), 'smaps_rollup').read_text().splitlines()
            except OSError:
                continue
            found += sum(int(line.split()[1]) for line in lines if line.startswith('Pss:'))
        return found / 1024

    def ended(self) -> bool:
        """Has the program ended by itself?"""
        return self.process.poll() is not None

    def end(self) -> None:
        """Kill every process of the tree, and what became ours because its parent had ended, at once."""
        KNOWN.discard(self.process.pid)
        if not self.ended():
            kill(self.pids())
            self.process.wait()
        end_orphans()


def kill(pids: list[int]) -> None:
    """End these processes."""
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def end_orphans(patience: float = 10.0) -> None:
    """Kill and await every descendant of this process that is neither known nor below a known one."""
    until = time.monotonic() + patience
    while time.monotonic() < until:
        mine = [pid for pid in descendants(os.getpid()) if pid != os.getpid()]
        left = set(mine) - set(descendants(*KNOWN))
        if not left:
            return
        kill(list(left))
        for pid in left:
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:  # not ours to await yet, or awaited
                pass
        time.sleep(0.002)


def end_everything() -> None:
    """Kill and await all descendants of this process, servers too."""
    KNOWN.clear()
    end_orphans()


def calibrate() -> float:
    """Milliseconds of a fixed loop, the best of three: how fast the machine is just now."""
    best = float('inf')
    for _ in range(3):
        began = time.perf_counter()
        total = 0
        for number in range(200_000):
            total += number & 7
        best = min(best, time.perf_counter() - began)
    return best * 1000
