"""A bell that interrupts the main loop's wait: rung by signals and by other threads. A pipe, for poll."""

from __future__ import annotations

import errno
import os
import select
from collections.abc import Collection


def ready(descriptors: Collection[int], seconds: float) -> set[int]:
    """Those of them that can be read; waits up to so long for one."""
    poll = select.poll()  # not select: that cannot watch descriptors beyond 1,023
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    try:
        return {descriptor for descriptor, _ in poll.poll(max(seconds, 0) * 1000)}
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    # somebody has put RLIMIT_NOFILE below their number, which poll minds
    return set(select.select(list(descriptors), [], [], max(seconds, 0))[0])


class Bell:
    """Ring it from anywhere; the main loop selects on `listens` and calls `quiet`."""

    def __init__(self) -> None:
        self.listens, self.rings = os.pipe()
        os.set_blocking(self.listens, False)
        os.set_blocking(self.rings, False)
        self.has_rung = False  # what a signal wakes up, whose handler has not run yet, is not known here

    def ring(self) -> None:
        """Interrupt whoever listens."""
        self.has_rung = True
        try:
            os.write(self.rings, b'.')
        except OSError:
            return  # full: it rings already; closed: nobody listens any more

    def quiet(self) -> None:
        """Stop ringing."""
        self.has_rung = False
        try:
            while os.read(self.listens, 4096):
                pass
        except BlockingIOError:
            return

    def wait(self, seconds: float) -> None:
        """Sleep until it rings, at most so long."""
        ready([self.listens], seconds)
        self.quiet()

    def close(self) -> None:
        """Let go of the pipe."""
        os.close(self.listens)
        os.close(self.rings)
