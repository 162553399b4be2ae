"""The executor of many jobs in one process: coroutines on one event loop, plain functions in a pool of threads.

A job that is to be ended gets an exception: a coroutine where it waits, a thread as soon as it runs Python code. One
that does not end is given up: its outcome is recorded, its slot stays taken until it really ends.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from rq.defaults import KILL_GRACE
from rq.executors.base import Ended, Running
from rq.executors.chime import Chime
from rq.executors.slots import AGAIN, Ride, Slot, Taken
from rq.executors.threads import Threads
from rq.executors.turning import Turning
from rq.failure.notify import Settlement
from rq.perform import awaited, context, steps
from rq.rules.watch import Why
from rq.timeouts import JobTimeoutException
from rq.timers import Later, Mark

CLOSE_SECONDS = 1.0  # how long who leaves waits for threads that have nothing to do
_LONGEST = 86400.0 * 365
#: how long a job that is to be ended gets for it; an overdue one has had its time
_PATIENCE = {Why.OVERDUE: 0.0, Why.STOPPED: KILL_GRACE, Why.LOST: KILL_GRACE, Why.INTERRUPTED: 1.0}


@dataclass(frozen=True)
class Craft:
    """What the worker's room knows of its jobs."""

    make_slot: Callable[[], Slot]
    is_awaited: Callable[[Running], bool]  # whether it is known as a coroutine function that nobody wraps
    perform: Callable[[Ride], bool]  # in a thread; whether it is to be awaited on the event loop
    fail: Callable[[Any, Running], None]  # the steps of a failure that is noted
    went_wrong: Callable[[Any, Running, BaseException], None]  # an override raised
    close: Callable[[], None]


class Pool:
    """Runs jobs side by side. All but the work of a ride itself happens in the main thread."""

    is_inline = takes_batches = False
    has_slots = True
    lease_seconds = 0

    def __init__(self, capacity: int, craft: Craft, ahead: int = 0) -> None:
        self.capacity = capacity
        self._craft, self._ahead = craft, ahead
        self._rides: dict[str, Ride] = {}
        self._left_behind: set[Ride] = set()
        self._slots: list[Slot] = []  # those that are free
        self._over: deque[tuple[Ride, bool]] = deque()  # with whether it has ended; else it is to be given up
        self._chime = Chime()
        self._threads = Threads('rq-slot', self._carry)
        self._turning = Turning(self._await, capacity)

    # --- the protocol -------------------------------------------------------------------------------------------

    @property
    def rescues_while_busy(self) -> bool:
        """Whether there is room for one more."""
        return len(self._rides) + len(self._left_behind) < self.capacity

    @property
    def stuck(self) -> int:
        """How many slots are taken by jobs that were given up and have not ended."""
        return len(self._left_behind)

    def open(self) -> None:
        """Have the timer thread, which must not begin in the midst of a job."""
        Later(0, lambda: None)

    def prepare(self, expected: int = 1) -> None:
        """The threads that are sure to be needed; others come when they are."""
        if self._ahead:
            self._threads.have(self._ahead)
            self._ahead = 0

    def start(self, running: Running) -> None:
        """Run the job: on the event loop if it is known to belong there, else in a thread, which finds out."""
        begin = self._turning.start if self._craft.is_awaited(running) else self._threads.put
        self._enter(Ride(running, self._perform), begin)

    def resume(self, running: Running) -> None:
        """Take the failure's steps in a thread, even if all slots are taken."""
        ride = Ride(running, self._fail)
        ride.course = None  # that of the ride before, which may live on
        self._enter(ride, self._threads.put)

    def _enter(self, ride: Ride, begin: Callable[[Ride], None]) -> None:
        self._rides[ride.running.lease.execution] = ride
        try:
            begin(ride)
        except OSError:
            del self._rides[ride.running.lease.execution]
            raise

    def poll(self) -> list[Ended]:
        """What has ended, or is given up."""
        self._chime.quiet()
        ended = []
        while self._over:
            ride, has_ended = self._over.popleft()
            if has_ended:
                self._left_behind.discard(ride)
            if not ride.is_given_up and not ride.is_over:  # it may have ended just before it was given up
                ride.is_given_up, ride.is_over = not has_ended, has_ended
                ended.append(ride.ended if has_ended else Ended(ride.running))
                self._forget(ride, has_ended)
        return ended

    def _forget(self, ride: Ride, has_ended: bool) -> None:
        if self._rides.get(ride.running.lease.execution) is ride:
            del self._rides[ride.running.lease.execution]
        if not has_ended:
            self._left_behind.add(ride)
        if ride.patience is not None:
            ride.patience.is_over = True

    def kill(self, running: Running, signum: int = 9) -> None:
        """Interrupt the job. Without a reason in its watch nobody waits for its end any more."""
        ride = self._rides.get(running.lease.execution)
        if ride is None:
            return
        why = running.watch.killed_for
        if why is Why.OVERDUE and not ride.is_begun:  # others have kept it waiting: it goes back
            running.watch.killed_for = why = Why.INTERRUPTED
        ride.take()
        if ride.task is not None:
            self._turning.take(ride)
        if why is None:
            ride.is_given_up = True
            self._forget(ride, has_ended=False)
        elif _PATIENCE[why]:
            ride.patience = Later(_PATIENCE[why], lambda: self._tell(ride, has_ended=False))
        else:
            self._over.append((ride, False))

    def pulse(self) -> None:
        """Nobody to tell: a frozen worker is frozen jobs."""

    def pid_of(self, running: Running) -> int | None:
        """No process of its own."""
        return None

    def descriptors(self) -> list[int]:
        """The chime."""
        return [self._chime.descriptor]

    def close(self) -> None:
        """Send threads home, and leave behind what does not end."""
        until = time.monotonic() + CLOSE_SECONDS
        for ride in list(self._rides.values()):
            self.kill(ride.running)
        self._turning.close(CLOSE_SECONDS)
        self._threads.close(until - time.monotonic())
        self.poll()
        for slot in self._slots:
            slot.close()
        self._craft.close()
        if not self._left_behind and not self._rides:  # else one of them may still ring
            self._chime.close()

    # --- in a thread --------------------------------------------------------------------------------------------

    def _carry(self, ride: Ride) -> None:
        """One ride, or the rest of it. No interruption that is meant for it gets out of here."""
        was_struck = False
        try:
            self._work(ride)
        except BaseException:  # one that came when all was done
            pass
        while ride.mark is not None:
            try:
                ride.mark.close()
                was_struck, ride.mark = ride.mark.was_struck, None
            except BaseException:
                continue
        if ride.goes_on:
            self._await_after_all(ride, was_struck)
        else:
            self._leave(ride, was_struck)

    def _await_after_all(self, ride: Ride, was_struck: bool) -> None:
        ride.goes_on = False
        if was_struck:
            ride.slot.close()  # as in `leave`
        try:
            self._turning.start(ride)
        except OSError:  # there is no loop, for want of a thread
            ride.settlement = Settlement('release', ride.running.lease)
            self._leave(ride, False)

    def _work(self, ride: Ride) -> None:
        context.await_by(self._turning.wait)
        slot = ride.slot or self._seat(ride)
        ride.mark = Mark()
        try:
            ride.check()
            ride.work(ride)
        except Taken:
            if not ride.is_taken:  # it was meant for another one
                ride.settlement = Settlement('release', ride.running.lease)
        except BaseException as error:
            if not ride.is_taken:
                slot.hooks.log.exception('Job %s: an override raised', ride.running.lease.job_id)
                self._craft.went_wrong(slot.hooks, ride.running, error)

    def _seat(self, ride: Ride) -> Slot:
        try:
            slot = self._slots.pop()
        except IndexError:
            slot = self._craft.make_slot()
        slot.enter(ride)
        return slot

    def _leave(self, ride: Ride, was_struck: bool) -> None:
        slot, ride.slot = ride.slot, None
        try:
            if slot is None:  # there was none to be had, for want of a connection perhaps: others may have one
                ride.settlement = Settlement('release', ride.running.lease)
            else:
                slot.leave(was_struck)
                self._slots.append(slot)
        finally:
            self._tell(ride, has_ended=True)

    def _tell(self, ride: Ride, has_ended: bool) -> None:
        self._over.append((ride, has_ended))
        self._chime.ring()

    def _perform(self, ride: Ride) -> None:
        ride.goes_on = bool(self._craft.perform(ride))

    def _fail(self, ride: Ride) -> None:
        self._craft.fail(ride.slot.hooks, ride.running)

    # --- on the event loop --------------------------------------------------------------------------------------

    async def _await(self, ride: Ride) -> None:
        """A coroutine function, and what follows."""
        timer = None
        value, error = None, cast('BaseException | None', None)
        try:
            ride.is_awaited = True
            slot, course = ride.slot or self._seat(ride), ride.course
            ride.check()
            timer = self._limit(ride)
            value = await (awaited.call(ride.running.job, slot.hooks) if course is None else course.wait_for(slot))
        except awaited.NotAwaitable:
            self._hand_over(ride, self._perform)
            return
        except BaseException as raised:
            error = raised
        finally:
            if timer is not None:
                timer.is_over = True
        try:
            settled = error is None and self._is_settled(ride)
        except BaseException:  # of the serializer, which the long way will meet again: it is none of the function
            self._follow(ride, value, None)
            return
        if settled or ride.slot is None or error is not None and ride.is_taken:
            self._leave(ride, False)
        elif error is None and awaited.is_quick(ride.running.job, value):
            self._succeed(ride, value)
        else:
            self._follow(ride, value, error)

    def _is_settled(self, ride: Ride) -> bool:
        """Whether the short way has come to its end; else the long one goes on from there."""
        course = ride.course
        if course is None:
            return False
        if course.settle(ride.slot.hooks):
            return True
        course.furnish(ride.slot)
        return False

    def _succeed(self, ride: Ride, value: Any) -> None:
        """The steps of a success without user code; what goes wrong there is followed by others."""
        running, hooks = ride.running, ride.slot.hooks
        try:
            failure = steps.conclude(running.job, running.queue, running.execution, lambda: value, hooks)
        except BaseException as raised:
            error = raised
            self._hand_over(ride, lambda ride: self._craft.went_wrong(hooks, running, error))
            return
        if failure is None:
            self._leave(ride, False)
            return
        began = failure
        self._hand_over(ride, lambda ride: steps.fail(running.job, running.queue, running.execution, began, hooks))

    def _limit(self, ride: Ride) -> Later | None:
        course = ride.course
        seconds = steps.timeout_of(ride.running.job) if course is None else max(course.seconds_left, 0.001)
        if seconds <= 0:
            return None
        return self._turning.limit(ride, min(seconds, _LONGEST))

    def _follow(self, ride: Ride, value: Any, error: BaseException | None) -> None:
        """The rest of the steps, in a thread."""
        running, hooks = ride.running, ride.slot.hooks
        if isinstance(error, Taken) and not ride.is_over_time:  # it was meant for another one
            ride.settlement = Settlement('release', running.lease)
            self._leave(ride, False)
            return
        if isinstance(error, asyncio.CancelledError | Taken) and ride.is_over_time:
            error = _timed_out(running.job, error)

        def outcome() -> Any:
            if error is not None:
                raise error
            return value

        def rest(ride: Ride) -> None:
            if ride.course is not None:
                ride.course.furnish(ride.slot)
            steps.finish(running.job, running.queue, running.execution, outcome, hooks)

        self._hand_over(ride, rest)

    def _hand_over(self, ride: Ride, work: Callable[[Ride], None]) -> None:
        ride.work, ride.task = work, None
        try:
            self._threads.put(ride)
        except OSError:  # no thread can be started now
            self._turning.loop.call_later(AGAIN, self._hand_over, ride, work)


def _timed_out(job: Any, error: BaseException) -> JobTimeoutException:
    """With the place where the coroutine was."""
    made = JobTimeoutException(f'Task exceeded maximum timeout value ({steps.timeout_of(job)} seconds)')
    made.__suppress_context__ = True
    return made.with_traceback(error.__traceback__)
