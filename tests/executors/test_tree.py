"""Processes and their descendants."""

import contextlib
import os
import resource
import signal
import subprocess
import sys

import pytest

from rq.executors import tree
from tests.launch import lives
from tests.waiting import wait_until

FAMILY = """
import os, subprocess
child = subprocess.Popen(['sleep', '300'])
away = subprocess.Popen(['sleep', '300'], start_new_session=True)
print(child.pid, away.pid, flush=True)
child.wait()
"""


def family() -> tuple['subprocess.Popen[str]', set[int]]:
    leader = subprocess.Popen([sys.executable, '-c', FAMILY], stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert leader.stdout is not None
    return leader, {int(pid) for pid in leader.stdout.readline().split()}


def test_descendants_and_their_end() -> None:
    leader, members = family()
    assert set(tree.descendants(leader.pid)) == members
    tree.kill_tree(leader.pid)
    assert leader.wait(5) == -signal.SIGKILL
    wait_until(lambda: not any(lives(pid) for pid in members), 5, 'the family is gone')
    assert tree.descendants(leader.pid) == []


DAEMON = """
import os, sys, time
from rq.executors import tree
def daemon():
    if os.fork() == 0:
        os.setsid()
        pid = os.fork()
        if pid:
            print(pid, flush=True)
            os._exit(0)
        os.closerange(0, 1024)
        time.sleep(300)
    os.wait()
if sys.argv[1] == 'marked':
    tree.mark()
daemon()
print('done', flush=True)
time.sleep(300)
"""


@pytest.mark.parametrize('word', ['marked', 'unmarked'])
def test_a_daemon_is_known_by_its_mark(word: str) -> None:
    """Its parent has ended, its session and descriptors are its own; without a mark it is nobody's."""
    command = [sys.executable, '-c', DAEMON, word]
    leader = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert leader.stdout is not None
    daemon = int(leader.stdout.readline())
    assert leader.stdout.readline() == 'done\n'
    try:
        assert (daemon in tree.family(leader.pid).members) == (word == 'marked')
        tree.kill_tree(leader.pid)
        if word == 'marked':
            wait_until(lambda: not lives(daemon), 5, 'the daemon is gone')
        assert leader.wait(5) == -signal.SIGKILL
        assert lives(daemon) == (word == 'unmarked')
    finally:
        if lives(daemon):
            os.kill(daemon, signal.SIGKILL)


def test_a_mark_of_a_namesake_does_not_count() -> None:
    """The daemon of an earlier horse with the same pid is older than this one."""
    leader = subprocess.Popen([sys.executable, '-c', DAEMON, 'marked'], stdout=subprocess.PIPE, text=True)
    assert leader.stdout is not None
    daemon = int(leader.stdout.readline())
    assert leader.stdout.readline() == 'done\n'
    try:
        seen = tree._processes()
        younger = seen[leader.pid]._replace(started=seen[daemon].started + 1)
        assert tree._lost(leader.pid, seen) == [daemon]
        assert tree._lost(leader.pid, {**seen, leader.pid: younger}) == []
    finally:
        leader.kill()
        leader.wait(5)
        os.kill(daemon, signal.SIGKILL)


def test_never_our_own_group() -> None:
    child = subprocess.Popen(['sleep', '300'])
    tree.kill_tree(child.pid)
    assert child.wait(5) == -signal.SIGKILL and os.getpgrp() > 0


def test_a_child_somebody_waits_for_is_not_reaped() -> None:
    child = subprocess.Popen(['true'])
    wait_until(lambda: not lives(child.pid), 5, 'it ends')
    tree.reap_adopted(set())
    assert child.wait(5) == 0


def test_a_family_is_found_when_no_descriptor_is_left() -> None:
    leader, members = family()
    tree.keep_reserve()
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken: list[int] = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
    try:
        with contextlib.suppress(OSError):
            while True:
                taken.append(os.open(os.devnull, os.O_RDONLY))
        assert set(tree.descendants(leader.pid)) == members
        tree.kill_tree(leader.pid)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
        for descriptor in taken:
            os.close(descriptor)
    leader.wait(5)
    wait_until(lambda: not any(map(lives, members)), 5, 'all have ended')
