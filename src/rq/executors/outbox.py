"""Where settlements go: run at once, kept for the next claim, or into the pipe to the parent.

A worker holds one of these at a time; `handle_job_success` and its siblings put into it whatever it is.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

from rq.defaults import BURST_PATIENCE
from rq.executors.horse import Reporter, plug_streams
from rq.failure.capture import Failure
from rq.failure.notify import Settlement, deliver, tell
from rq.rules.lease import Lease
from rq.store import claim
from rq.store.call import Answer, is_weather, run


class Outbox(Protocol):
    """What the seams of a worker write to."""

    def emit(self, settlement: Settlement) -> None:
        """Settle an execution."""

    def commit(self, settlement: Settlement) -> bool:
        """Settle now, and stay: more is to be done for this execution. False when it is no longer ours."""

    def done(self) -> None:
        """That is done now."""

    def note(self, lease: Lease, failure: Failure, told: int) -> bool:
        """Remember a failure; False when the execution is no longer ours."""

    def allow(self, seconds: float, phase: str) -> None:
        """A phase of user code begins and may take so long."""


class Direct:
    """Outside the loop: everything happens now, on the worker's own connection."""

    def __init__(
        self,
        connection: Any,
        log: Any,
        worker_name: str,
        tells_lifespan: Callable[[], bool] = lambda: True,
        delivers: bool = True,
    ) -> None:
        self._connection, self._log, self._name = connection, log, worker_name
        self._tells_lifespan = tells_lifespan
        self._delivers = delivers  # in a horse: no, its worker's courier does, and the next job need not wait for it

    def emit(self, settlement: Settlement) -> None:
        """Write it and tell."""
        self.commit(settlement)

    def commit(self, settlement: Settlement) -> bool:
        """The same."""
        answer = run(self._connection, settlement.call)
        tell(self._log, self._name, settlement, answer, self._tells_lifespan())
        if self._delivers:
            deliver(self._connection, settlement, answer)
        return answer in (Answer.OK, Answer.ALREADY)

    def done(self) -> None:
        """Nobody waits."""

    def note(self, lease: Lease, failure: Failure, told: int) -> bool:
        """Written now."""
        return run(self._connection, claim.note(lease, failure.to_dict(), told))

    def allow(self, seconds: float, phase: str) -> None:
        """Nobody else keeps the deadline of this process."""


class Held:
    """In the loop: settlements wait in memory for the next round trip, through outages of any length."""

    at_once = False  # somebody has wrapped `perform_job`, and looks at the outcome when ours returns

    def __init__(self, note: Callable[[Lease, Failure, int], bool], commit: Callable[[Settlement], bool]) -> None:
        self.waiting: list[Settlement] = []
        self._note, self._commit = note, commit

    def emit(self, settlement: Settlement) -> None:
        """Kept until it is written."""
        if self.at_once:
            self._commit(settlement)
        else:
            self.waiting.append(settlement)

    def commit(self, settlement: Settlement) -> bool:
        """Written now."""
        return self._commit(settlement)

    def done(self) -> None:
        """The loop knows when its executor is done."""

    def note(self, lease: Lease, failure: Failure, told: int) -> bool:
        """Written now, or kept in memory while the server is away."""
        return self._note(lease, failure, told)

    def allow(self, seconds: float, phase: str) -> None:
        """The penalties in this process hold."""


class Piped:
    """In a horse: the parent writes. When the pipe is broken the horse writes itself; the lease decides either way."""

    def __init__(self, reporter: Reporter, alone: Direct, at_once: bool = False) -> None:
        self._reporter, self._alone = reporter, alone
        self._at_once = at_once  # as above

    def emit(self, settlement: Settlement) -> None:
        """Reported to the parent."""
        if self._at_once:
            self.commit(settlement)
            self.done()
            return
        try:
            self._reporter.send({'do': 'settle', **settlement.pack()})
        except OSError:
            _patiently(lambda: self._alone.emit(settlement))

    def commit(self, settlement: Settlement) -> bool:
        """The parent writes it and answers."""
        try:
            return bool(self._reporter.ask({'do': 'commit', **settlement.pack()}))
        except OSError:
            return bool(_patiently(lambda: self._alone.commit(settlement)))

    def done(self) -> None:
        """The parent goes on to the next job."""
        try:
            self._reporter.send({'do': 'done'})
        except OSError:
            return  # it sees that we leave

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
    plug_streams()
    until = time.monotonic() + BURST_PATIENCE
    while True:
        try:
            return call()
        except Exception as error:
            if not is_weather(error) or time.monotonic() > until:
                raise
            time.sleep(1)
