"""Processes and their descendants: read the tree, end it, reap what was left to us. Needs /proc."""

from __future__ import annotations

import os
import signal
from pathlib import Path

_PROC = Path('/proc')


def _parents() -> dict[int, int]:
    """pid -> parent pid of every process we may see; empty without /proc."""
    found: dict[int, int] = {}
    try:
        entries = list(os.scandir(_PROC))
    except OSError:
        return found
    for entry in entries:
        if entry.name.isdigit():
            try:
                stat = (_PROC / entry.name / 'stat').read_bytes()
                # the name in brackets may hold anything, so count from its last bracket
                found[int(entry.name)] = int(stat[stat.rindex(b')') + 2 :].split()[1])
            except (OSError, ValueError, IndexError):
                continue  # it ended while we looked
    return found


def descendants(*roots: int) -> list[int]:
    """Children, grandchildren and so on, also those that left the process group by setsid."""
    parents = _parents()
    found: list[int] = []
    layer = list(roots)
    while layer:
        layer = [pid for pid, parent in parents.items() if parent in layer]
        found += layer
    return found


def kill_tree(leader: int, signum: int = signal.SIGKILL) -> None:
    """End an unreaped group leader, its group, and all its descendants; never our own group."""
    rest = descendants(leader)
    try:
        if os.getpgid(leader) == leader != os.getpgrp():
            os.killpg(leader, signum)
        else:
            os.kill(leader, signum)
    except ProcessLookupError:
        pass  # ended by itself meanwhile
    _signal_all(rest, signum)


def kill_descendants(root: int) -> None:
    """End all descendants of a process, but not the process itself."""
    _signal_all(descendants(root), signal.SIGKILL)


def _signal_all(pids: list[int], signum: int) -> None:
    for pid in pids:
        try:
            os.kill(pid, signum)
        except (ProcessLookupError, PermissionError):
            continue


def kill_left_behind(job_id: str) -> None:
    """End the children that a dead horse left to us, its subreaper; we know them by the job id in their environment."""
    mark = b'\0RQ_JOB_ID=' + os.fsencode(job_id) + b'\0'
    left = [pid for pid, parent in _parents().items() if parent == os.getpid() and mark in _environment(pid)]
    for pid in [*left, *descendants(*left)]:
        try:
            os.kill(pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            continue


def _environment(pid: int) -> bytes:
    try:
        return b'\0' + (_PROC / str(pid) / 'environ').read_bytes()
    except OSError:
        return b''


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
