"""Where settlements go: run at once, kept for the next claim, or into the pipe to the parent.

A worker holds one of these at a time; `handle_job_success` and its siblings put into it whatever it is.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

from rq.defaults import BURST_PATIENCE
from rq.executors.horse import Reporter
from rq.failure.capture import Failure
from rq.failure.notify import Settlement, tell
from rq.rules.lease import Lease
from rq.store import claim
from rq.store.call import is_weather, run


class Outbox(Protocol):
    """What the seams of a worker write to."""

    def emit(self, settlement: Settlement) -> None:
        """Settle an execution."""

    def note(self, lease: Lease, failure: Failure, told: int) -> bool:
        """Remember a failure; False when the execution is no longer ours."""

    def allow(self, seconds: float, phase: str) -> None:
        """A phase of user code begins and may take so long."""


class Direct:
    """Outside the loop: everything happens now, on the worker's own connection."""

    def __init__(self, connection: Any, log: Any, worker_name: str) -> None:
        self._connection, self._log, self._name = connection, log, worker_name

    def emit(self, settlement: Settlement) -> None:
        """Write it and tell."""
        tell(self._log, self._name, settlement, run(self._connection, settlement.call))

    def note(self, lease: Lease, failure: Failure, told: int) -> bool:
        """Written now."""
        return run(self._connection, claim.note(lease, failure.to_dict(), told))

    def allow(self, seconds: float, phase: str) -> None:
        """Nobody else keeps the deadline of this process."""


class Held:
    """In the loop: settlements wait in memory for the next round trip, through outages of any length."""

    def __init__(self, note: Callable[[Lease, Failure, int], bool]) -> None:
        self.waiting: list[Settlement] = []
        self._note = note

    def emit(self, settlement: Settlement) -> None:
        """Kept until it is written."""
        self.waiting.append(settlement)

    def note(self, lease: Lease, failure: Failure, told: int) -> bool:
        """Written now, or kept in memory while the server is away."""
        return self._note(lease, failure, told)

    def allow(self, seconds: float, phase: str) -> None:
        """The penalties in this process hold."""


class Piped:
    """In a horse: the parent writes. When the pipe is broken the horse writes itself; the lease decides either way."""

    def __init__(self, reporter: Reporter, alone: Direct) -> None:
        self._reporter, self._alone = reporter, alone

    def emit(self, settlement: Settlement) -> None:
        """Reported to the parent."""
        try:
            self._reporter.send({'do': 'settle', **settlement.pack()})
        except OSError:
            _patiently(lambda: self._alone.emit(settlement))

    def note(self, lease: Lease, failure: Failure, told: int) -> bool:
        """The parent writes it and answers before any user code hears of the failure."""
        try:
            return bool(self._reporter.ask({'do': 'note', 'failure': failure.to_dict(), 'told': told}))
        except OSError:
            return bool(_patiently(lambda: self._alone.note(lease, failure, told)))

    def allow(self, seconds: float, phase: str) -> None:
        """The parent moves the deadline."""
        try:
            self._reporter.send({'do': 'allow', 'seconds': seconds, 'phase': phase})
        except OSError:
            return  # it keeps the old deadline, and the penalty in here holds


def _patiently(call: Callable[[], Any]) -> Any:
    """Repeat through bad weather for a while; then the lease runs out and somebody else takes over."""
    until = time.monotonic() + BURST_PATIENCE
    while True:
        try:
            return call()
        except Exception as error:
            if not is_weather(error) or time.monotonic() > until:
                raise
            time.sleep(1)
