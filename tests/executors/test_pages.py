"""Pages that children write: learned from a scout, copied for each at once; and of what goes wrong nothing is left."""

from __future__ import annotations

import mmap
import os
import resource
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rq.executors import pages, tree
from rq.executors.horse import Reporter
from rq.executors.pages import Pages
from rq.forking import Forks

COUNT = 200
SIZE = mmap.PAGESIZE


@pytest.fixture
def memory() -> mmap.mmap:
    """Pages that a child shares until it writes them."""
    found = mmap.mmap(-1, COUNT * SIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    write(found, b'1')
    return found


def write(memory: mmap.mmap, what: bytes) -> None:
    for number in range(COUNT):
        memory[number * SIZE : number * SIZE + 1] = what


def in_child(forks: Forks, answer: Callable[[], Any]) -> str:
    """What a child answers."""
    ours, theirs = os.pipe()
    pid = forks.fork()
    if pid == 0:
        try:
            os.write(theirs, str(answer()).encode())
        finally:
            os._exit(0)
    os.close(theirs)
    with os.fdopen(ours) as end:
        found = end.read()
    os.waitpid(pid, 0)
    return found


def belongings() -> tuple[set[int], int]:
    """Children and their children, and how many descriptors."""
    ends = Path('/proc/self/fd')
    return set(tree.descendants(os.getpid())), len(list(ends.iterdir())) if ends.exists() else 0


def faults_of_writing(memory: mmap.mmap) -> int:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    write(memory, b'2')
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def learned(memory: mmap.mmap) -> tuple[Pages, Forks]:
    forks, found = Forks(), Pages()
    found.learn(forks, lambda reporter: write(memory, b'3'))
    return found, forks


def test_children_have_them_before_they_write(memory: mmap.mmap) -> None:
    assert int(in_child(Forks(), lambda: faults_of_writing(memory))) >= COUNT
    found, forks = learned(memory)
    faults = int(in_child(forks, lambda: faults_of_writing(memory)))
    assert faults < COUNT / 2 if found.are_known else faults >= COUNT  # an old kernel: as before


def test_what_the_scout_writes_is_its_own(memory: mmap.mmap) -> None:
    _, forks = learned(memory)
    assert memory[0:1] == b'1'
    assert in_child(forks, lambda: memory[0:1]) == "b'1'"


def test_a_page_that_is_gone_is_left_out(memory: mmap.mmap) -> None:
    _, forks = learned(memory)
    memory.close()
    assert in_child(forks, lambda: 'lives') == 'lives'


def test_they_are_learned_anew(memory: mmap.mmap) -> None:
    found, forks = learned(memory)
    known = found.are_known
    other = mmap.mmap(-1, COUNT * SIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    write(other, b'1')
    found.learn(forks, lambda reporter: write(other, b'3'))
    assert found.are_known == known
    if known:
        assert int(in_child(forks, lambda: faults_of_writing(memory))) >= COUNT
        assert int(in_child(forks, lambda: faults_of_writing(other))) < COUNT / 2


def test_the_scout_has_a_worker_to_talk_to() -> None:
    def play(reporter: Reporter) -> None:
        reporter.send({'do': 'value', 'value': b'x' * 300_000})  # more than fits into a socket

    before = belongings()
    Pages().learn(Forks(), play)
    assert belongings() == before


def _raise(reporter: Reporter) -> None:
    raise ValueError('on purpose')


def _wait(reporter: Reporter) -> None:
    threading.Event().wait()


def _die(reporter: Reporter) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize('play', [_raise, _wait, _die])
def test_a_scout_that_does_not_return(play: Callable[[Reporter], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, '_PATIENCE', 0.2)
    found, forks = Pages(), Forks()
    before = belongings()
    found.learn(forks, play)
    assert not found.are_known
    assert belongings() == before
    assert in_child(forks, lambda: 'lives') == 'lives'
