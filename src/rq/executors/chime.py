"""A descriptor that becomes readable when a thread has something for the main one; rung once for many things."""

from __future__ import annotations

import os


class Chime:
    """Put the thing down, then ring; be quiet, then look."""

    def __init__(self) -> None:
        self.descriptor, self._rings = os.pipe()
        os.set_blocking(self.descriptor, False)
        os.set_blocking(self._rings, False)
        self._has_rung = False

    def ring(self) -> None:
        """Wake who selects on the descriptor."""
        if not self._has_rung:
            self._has_rung = True
            os.write(self._rings, b'.')

    def quiet(self) -> None:
        """Stop ringing."""
        try:
            os.read(self.descriptor, 4096)
        except BlockingIOError:
            pass
        self._has_rung = False  # only now: who rings in between writes a byte too many, not one too few

    def close(self) -> None:
        """Let go of the pipe."""
        self._has_rung = True  # who rings now writes nothing: the number may be another one's by then
        os.close(self.descriptor)
        os.close(self._rings)
