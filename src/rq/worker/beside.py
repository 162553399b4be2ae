"""The short way of plain jobs that run side by side in the worker's process, in threads or as coroutines.

As `short`, but in a slot: the job's object is made when somebody asks, and has the slot's connection. What turns out
unusual goes on by the long way, with the hooks of the slot, from the point it has reached.
"""

from __future__ import annotations

import inspect
import os
import time
from types import CoroutineType
from typing import Any, cast

from rq import eras
from rq.exceptions import ColdShutdown
from rq.executors.slots import Slot
from rq.failure.notify import Settlement
from rq.perform import context, steps
from rq.perform.awaited import NotAwaitable
from rq.rules.names import import_attribute
from rq.rules.peek import quick_name
from rq.rules.timing import from_epoch
from rq.store.claim import Claimed
from rq.timeouts import JobTimeoutException
from rq.types import Hooks
from rq.worker import swift, taken
from rq.worker.short import Brief, ShortWay


def way_of(loop: Any) -> ShortWay | None:
    """The short way of a loop, if it has one: in the worker itself, or in slots."""
    if loop._is_loose or loop._beats_itself or loop.outbox.at_once:
        return None
    if loop.executor.is_inline:
        return ShortWay(loop)
    return ShortBeside(loop) if loop.executor.has_slots and loop.executor.capacity > 1 else None


class ShortBeside(ShortWay):
    """That of one loop whose executor runs jobs side by side."""

    def brief_of(self, claimed: Claimed, queue: Any, begun: bool) -> Brief | None:
        """With the way it takes through its slot."""
        brief = super().brief_of(claimed, queue, begun)
        if brief is not None:
            brief.course = Course(brief, self)
        return brief

    def _unfold(self, brief: Brief) -> None:
        """In any thread, so the loop's books are not touched; a slot and the loop have them to be right when asked."""
        whole = brief.__dict__.setdefault(
            'whole', taken.of_claim(self._worker, 0, brief.claimed, brief.begun, brief.queue)
        )
        job, course = whole.job, brief.course
        job._ahead = brief.ahead
        if self._worker.default_retry is not None:
            job._default_retry = self._worker.default_retry
        if course is not None and course.began:
            job.started_at = job.last_heartbeat = from_epoch(course.began + brief.ahead)
            job._called = course.called
        brief.execution, brief.job = whole.execution, job


class Course(swift.Course):
    """A plain job on its way through a slot."""

    def __init__(self, brief: Brief, way: ShortBeside) -> None:
        known = {'call': brief.call, 'timeout': brief.timeout, 'lease': brief.lease, 'ahead': brief.ahead}
        super().__init__(known, self._whole)
        self.name = quick_name(brief.call)
        self._running, self._way = brief, way
        self._slot: Slot | None = None

    def _whole(self, known: dict[str, Any]) -> Any:
        slot, running = self._slot, self._running
        if slot is not None and slot.is_ridden_by(running):
            slot.furnish(running)
            if not slot.is_ridden_by(running):  # it has ended meanwhile: this is what it has left behind
                slot.forget(running)
        elif slot is not None:
            running.job.connection = slot.hooks.connection
        return running.job

    @property
    def is_open(self) -> bool:
        """Whether still nobody has a part in it: a job may have imported a tracer since it was claimed."""
        return self._way.is_open()

    # --- in a thread --------------------------------------------------------------------------------------------

    def perform(self, slot: Slot) -> bool:
        """Call, and settle; True when there is a coroutine function, which belongs on the event loop."""
        failed: BaseException | None = None
        try:
            if not self._call_in(slot):
                return True
            if self.settle(slot.hooks):
                return False
        except ColdShutdown:
            raise
        except BaseException as error:
            failed = error
        self.furnish(slot)
        self._go_on(slot.hooks, failed)
        return False

    def _call_in(self, slot: Slot) -> bool:
        hooks, home = slot.hooks, os.getpid()
        before, token = eras.stacked(), self._enter(slot)
        try:
            with hooks.death_penalty_class(self.brief['timeout'], JobTimeoutException, job_id=self.brief['lease'][0]):
                function = self._function(hooks)
                _, instance, args, kwargs = self.call
                if instance is None and inspect.iscoroutinefunction(function):
                    return False
                self.called = True
                value = function(*args, **kwargs)
                self.value = context.outcome_of(value) if type(value) is CoroutineType else value
        finally:
            if os.getpid() != home:
                os._exit(0)  # a forked descendant fell out of the function: it has no say in the outcome
            context.leave(token)
            eras.restack(before)
        self.ended = time.monotonic()  # a failure from here on is none of the function
        return True

    def _enter(self, slot: Slot) -> Any:
        self._slot = slot
        token = context.enter(self.later)
        eras.restack((*eras.stacked(), slot.hooks.connection))
        self.began = self.began or time.monotonic()
        return token

    def _function(self, hooks: Any) -> Any:
        if self.call is None:
            self.call = self._load(hooks.serializer)
        name, instance, _, _ = self.call
        return import_attribute(name) if instance is None else getattr(instance, name)

    def _go_on(self, hooks: Any, failed: BaseException | None) -> None:
        """By the long way, from what the function returned or raised."""
        running = self._running
        outcome = self.over_again(running.job, failed)
        steps.finish(running.job, running.queue, running.execution, outcome, cast(Hooks, hooks))

    # --- on the event loop --------------------------------------------------------------------------------------

    @property
    def seconds_left(self) -> float:
        """Of its time; what was needed to load it counts."""
        return float(self.brief['timeout'] - (time.monotonic() - self.began if self.began else 0.0))

    async def wait_for(self, slot: Slot) -> Any:
        """The value of the coroutine function; bound to the context of the task that calls this."""
        home = os.getpid()
        self._enter(slot)
        function = self._function(slot.hooks)
        _, instance, args, kwargs = self.call
        if instance is not None or not inspect.iscoroutinefunction(function):
            raise NotAwaitable
        self.called = True
        try:
            self.value = await function(*args, **kwargs)
            self.ended = time.monotonic()
            return self.value
        finally:
            context.enter(None)
            if os.getpid() != home:
                os._exit(0)  # a forked descendant fell out of the function: it has no say in the outcome

    # --- afterwards ---------------------------------------------------------------------------------------------

    def settle(self, hooks: Any) -> bool:
        """Have a plain success written; False when the long way is to be taken from here."""
        packed = None if self.value is None else bytes(hooks.serializer.dumps(self.value))
        if not self.is_plain(packed) or not self.is_open:
            return False
        brief = self._running
        began, ended = round(self.began + brief.ahead, 6), round(self.ended + brief.ahead, 6)
        times = began, ended, round(ended - began, 6)
        words: dict[str, Any] = {'result_ttl': brief.result_ttl, 'value': packed, 'times': times, 'fields': {}}
        hooks.outbox.emit(Settlement('finish', brief.lease, words, brief.description[:1000]))
        return True

    def furnish(self, slot: Slot) -> None:
        """The job's object is needed, with all that is known by now."""
        self._slot = slot
        job = self.later.job()
        job._called = self.called
        if self.ended:
            job._result = self.value
        if slot.hooks.default_retry is not None:
            job._default_retry = slot.hooks.default_retry
