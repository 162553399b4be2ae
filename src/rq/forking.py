"""What is minded when a process forks, and forks that leave out what is not needed: it costs a child 200 copied pages.

A process that had it done at its own birth, is alone since, and holds no lock, may leave out what minds threads only.
Its children have it all back at once, for those that their jobs make; hooks of others run in each of them as always.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
from collections.abc import Callable
from typing import Any

Hook = Callable[[], Any]
_Group = tuple[Hook | None, Hook | None, Hook | None]  # before the fork; after it in the child, and in the parent
_ours: tuple[_Group, ...] = ()


def mind_threads(child: Hook, before: Hook | None = None, parent: Hook | None = None) -> None:
    """Have these called when the process forks; needless where it had no threads."""
    global _ours
    if hasattr(os, 'register_at_fork'):  # where nothing forks there is nothing to mind
        every = {'after_in_child': child, 'before': before, 'after_in_parent': parent}
        os.register_at_fork(**{name: hook for name, hook in every.items() if hook is not None})
        _ours = (*_ours, (before, child, parent))


def _known() -> list[_Group]:
    """Of those in use: ours, and those of the standard library; another Python may have other names for them."""
    groups = list(_ours)
    loaded: Any = sys.modules
    try:
        groups.append((None, loaded['threading']._after_fork, None))
    except (KeyError, AttributeError):
        pass
    try:
        logs = loaded['logging']
        groups.append((logs._acquireLock, logs._after_at_fork_child_reinit_locks, logs._releaseLock))
    except (KeyError, AttributeError):
        pass
    try:
        lock = loaded['concurrent.futures.thread']._global_shutdown_lock
        groups.append((lock.acquire, lock._at_fork_reinit, lock.release))
    except (KeyError, AttributeError):
        pass
    return groups


class Forks:
    """Made before objects are frozen. Where the interpreter does not show its lists, every fork is an ordinary one."""

    def __init__(self) -> None:
        self._few: list[list[Hook]] = []
        self._every: list[list[Hook]] = []
        self._first: Hook | None = None
        marks = next((group for group in _ours if all(group)), ())  # one that is in all three lists
        found = [one for one in gc.get_referrers(*marks) if type(one) is list and all(map(callable, one))]
        lists = [[one for one in found if mark in one] for mark in marks]
        self._lists = [one[0] for one in lists] if lists and all(len(one) == 1 for one in lists) else []

    def settle(self) -> None:
        """In the process that is alone: find out what to leave out."""
        if not self._lists or not _is_alone() or threading.active_count() != 1:
            return
        self._every = [list(one) for one in self._lists]
        few = [list(one) for one in self._lists]
        for group in _known():
            if all(hook is None or hook in hooks for hook, hooks in zip(group, few, strict=True)):
                for hook, hooks in zip(group, few, strict=True):
                    if hook is not None:
                        hooks.remove(hook)
        self._few = few

    def begin_with(self, hook: Hook | None) -> None:
        """Have each child call it before anything else."""
        for hooks in self._few[1:2]:
            hooks[:] = [one for one in (hook, *hooks) if one is not None and one is not self._first]
        self._first = hook

    def fork(self) -> int:
        """As `os.fork`."""
        if not self._few or not _is_alone():
            pid = os.fork()
            if pid == 0 and self._first is not None:
                self._first()
            return pid
        for hooks, some in zip(self._lists, self._few, strict=True):
            hooks[:] = some
        try:
            pid = os.fork()
            if pid == 0:
                _renumber()
            return pid
        finally:
            for hooks, every in zip(self._lists, self._every, strict=True):
                hooks[:] = every


def _renumber() -> None:
    """What a left out hook of `threading` would have done, and is seen from outside."""
    renumber = getattr(threading.main_thread(), '_set_native_id', None)
    if renumber is not None:
        renumber()


def _is_alone() -> bool:
    return len(sys._current_frames()) == 1
