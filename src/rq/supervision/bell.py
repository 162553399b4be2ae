"""A bell that interrupts the main loop's wait: rung by signals and by other threads. A pipe, for poll."""

from __future__ import annotations

import os
import select


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
        poll = select.poll()
        poll.register(self.listens, select.POLLIN)
        poll.poll(seconds * 1000)
        self.quiet()

    def close(self) -> None:
        """Let go of the pipe."""
        os.close(self.listens)
        os.close(self.rings)
