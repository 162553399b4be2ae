"""What can be read, also in a process that has more descriptors than it may open by now."""

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from rq.supervision.bell import Bell, ready

BOTH = pytest.mark.parametrize('allowed', [True, False], ids=['as usual', 'none allowed'])


@contextmanager
def descriptors(allowed: bool) -> Iterator[None]:
    """No new ones for this process, if they are not allowed: `poll` counts those that it is given, too."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    if not allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@BOTH
def test_those_that_can_be_read(allowed: bool) -> None:
    pipes = [os.pipe() for _ in range(4)]
    listens, rings = zip(*pipes, strict=True)
    with descriptors(allowed):
        assert ready(listens, 0) == set()
        os.write(rings[1], b'x')
        os.write(rings[3], b'x')
        assert ready(listens, 10) == ready(listens, -1) == {listens[1], listens[3]}
    for descriptor in (*listens, *rings):
        os.close(descriptor)


@BOTH
def test_a_bell_is_heard(allowed: bool) -> None:
    bell = Bell()
    with descriptors(allowed):
        bell.ring()
        bell.wait(10)
        assert not bell.has_rung and ready([bell.listens], 0) == set()
    bell.close()
