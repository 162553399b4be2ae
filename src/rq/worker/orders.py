"""Commands on their way from the channel to the worker: carried out by the main loop, wherever it is.

While user code has the main thread (a part of running a job is overridden) the channel's thread does it. What comes
just then is seen by both, and done by one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any


class Orders:
    """The commands of one loop."""

    def __init__(self, carry_out: Callable[[Any], None], ring: Callable[[], None]) -> None:
        self._carry_out, self._ring = carry_out, ring
        self._waiting: list[Any] = []
        self._lock = threading.RLock()
        self._is_away = False

    def deliver(self, message: dict[str, Any]) -> None:
        """From the channel's thread."""
        self._waiting.append(message)
        if self._is_away:
            self.obey()
        self._ring()

    def obey(self) -> None:
        """Carry out what waits."""
        with self._lock:
            while self._waiting:
                self._carry_out(self._waiting.pop(0))

    @property
    def wait(self) -> bool:
        """Whether there are any."""
        return bool(self._waiting)

    def leave(self) -> None:
        """The main thread goes where it does not look; what came before is done first."""
        self._is_away = True
        self.obey()

    def come_back(self) -> None:
        """It is here again."""
        self._is_away = False
