"""Slots: what a job runs in beside others in one process. Each has a worker of its own as hooks, and an outbox."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from rq.defaults import BURST_PATIENCE
from rq.exceptions import ColdShutdown
from rq.executors.base import Ended, Running
from rq.executors.outbox import Direct
from rq.failure.capture import Failure
from rq.failure.notify import Settlement
from rq.rules.lease import Lease
from rq.store.call import is_weather
from rq.timers import Mark

_DONE = ('finish', 'retry_returned')  # outcomes of a function that came to its end
AGAIN = 0.2  # seconds between two tries while the server is away


class Taken(ColdShutdown):
    """Raised in a job that is to be ended: passes through every fence."""


class Ride:
    """One execution on its way through a slot, from start to the end of its steps."""

    def __init__(self, running: Running, work: Callable[[Ride], None]) -> None:
        self.running = running
        self.course: Any = running.course  # the short way it takes; None once it has left that
        self.work = work  # what is next to be done for it in a thread
        self.slot: Any = None  # the Slot it sits in
        self.task: Any = None  # while it is a coroutine on the event loop
        self.mark: Mark | None = None  # while it is in a thread
        self.settlement: Settlement | None = None
        self.is_begun = False
        self.is_awaited = False  # its coroutine has begun
        self.goes_on = False  # to be awaited, as it has turned out in a thread
        self.is_over_time = False
        self.is_taken = False  # to be ended
        self.is_over = False  # it has ended, and that was told
        self.is_given_up = False  # it did not end, or nobody wants to know how
        self.patience: Any = None  # the timer that gives it up

    @property
    def ended(self) -> Ended:
        """How it came out. Of one that was ended from outside the loop knows why."""
        if self.is_taken and (self.settlement is None or self.settlement.verb not in _DONE):
            return Ended(self.running)
        return Ended(self.running, settlement=self.settlement, reported=True)

    def take(self) -> None:
        """End it, if it is in a thread; where it cannot be interrupted now, it finds out by itself."""
        self.is_taken = True
        mark = self.mark
        if mark is not None:
            mark.strike(Taken)

    def check(self) -> None:
        """Raise what could not be raised from outside."""
        if self.is_taken:
            raise Taken


class Slot:
    """Hooks and outbox for one job after the other."""

    def __init__(self, hooks: Any, outbox: SlotOutbox) -> None:
        self.hooks, self.outbox = hooks, outbox

    def enter(self, ride: Ride) -> None:
        """A job begins."""
        ride.slot, self.outbox.ride, ride.is_begun = self, ride, True
        hooks = self.hooks
        hooks.told, hooks.ring, hooks.outbox = 0, None, self.outbox
        if ride.course is None:
            self.furnish(ride.running)

    def furnish(self, running: Running) -> None:
        """The job's object is needed, and who works on it must find it in the books."""
        hooks, lease = self.hooks, running.lease
        hooks.executions[lease.execution], hooks.leases[lease.execution] = running.execution, lease
        running.job.connection = hooks.connection  # one that no other job is interrupted with

    def forget(self, running: Running) -> None:
        """An execution does not belong into the books."""
        hooks, lease = self.hooks, running.lease
        hooks.executions.pop(lease.execution, None)
        hooks.leases.pop(lease.execution, None)

    def is_ridden_by(self, running: Running) -> bool:
        """Whether an execution sits here now."""
        ride = self.outbox.ride
        return ride is not None and ride.running is running and ride.slot is self

    def leave(self, was_struck: bool) -> None:
        """It has ended. Who was interrupted in a conversation must not be answered in the next one."""
        hooks = self.hooks
        hooks.executions.clear()
        hooks.leases.clear()
        if was_struck:
            self.close()

    def close(self) -> None:
        """Let go of its connections; the next job gets new ones."""
        pool = getattr(self.hooks.connection, 'connection_pool', None)
        if pool is not None:
            pool.disconnect()


class SlotOutbox:
    """The outcome waits for the loop; what must be written at once is written here, over a connection of all slots."""

    def __init__(self, alone: Direct, at_once: bool, keep: int | None) -> None:
        self._alone = alone
        self.at_once = at_once  # somebody has wrapped `perform_job`, and looks at the outcome when ours returns
        self._keep = keep  # how many failed jobs a queue keeps
        self.ride: Any = None  # the Ride at hand

    def emit(self, settlement: Settlement) -> None:
        """Kept for the loop; of a job that was ended only a success counts."""
        if settlement.verb not in _DONE:
            self.ride.check()
        if self.at_once:
            self.commit(settlement)
        else:
            self.ride.settlement = settlement

    def commit(self, settlement: Settlement) -> bool:
        """Written now."""
        self.ride.running.settled = True
        if self._keep and settlement.verb in ('fail', 'stop'):
            settlement.words['keep'] = self._keep
        return bool(self._patiently(lambda: self._alone.commit(settlement)))

    def done(self) -> None:
        """The loop hears of it when the steps have ended."""

    def note(self, lease: Lease, failure: Failure, told: int) -> bool:
        """Written now; the time it takes is not the job's."""
        running = self.ride.running
        running.failure, running.told = failure, told
        running.watch.allow(None, 0)
        ours = bool(self._patiently(lambda: self._alone.note(lease, failure, told)))
        running.watch.allow(0, time.monotonic())
        return ours

    def allow(self, seconds: float, phase: str) -> None:
        """The loop gives so much time."""
        self.ride.running.watch.allow(seconds, time.monotonic(), phase)

    def _patiently(self, call: Callable[[], Any]) -> Any:
        """Through bad weather for a while, and not interrupted in the middle of a conversation."""
        ride, until = self.ride, time.monotonic() + BURST_PATIENCE
        while True:
            ride.check()
            try:
                if ride.mark is None:
                    return call()
                with ride.mark.closed():
                    return call()
            except Exception as error:
                if not is_weather(error) or time.monotonic() > until:
                    raise
            time.sleep(AGAIN)
