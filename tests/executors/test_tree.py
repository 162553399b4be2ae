"""Processes and their descendants."""

import os
import signal
import subprocess
import sys

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


def test_never_our_own_group() -> None:
    child = subprocess.Popen(['sleep', '300'])
    tree.kill_tree(child.pid)
    assert child.wait(5) == -signal.SIGKILL and os.getpgrp() > 0


def test_a_child_somebody_waits_for_is_not_reaped() -> None:
    child = subprocess.Popen(['true'])
    wait_until(lambda: not lives(child.pid), 5, 'it ends')
    tree.reap_adopted(set())
    assert child.wait(5) == 0
