"""Where the loop's next job comes from: settle what is held, claim, or wait for work."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from rq.exceptions import DequeueTimeout
from rq.executors.base import Running
from rq.executors.outbox import Held
from rq.rules.names import shown
from rq.store import read
from rq.store.claim import Claimed
from rq.supervision.bell import Bell
from rq.suspension import is_suspended
from rq.worker import dequeue, taken
from rq.worker.claiming import Conversation, GaveUp
from rq.worker.orders import Orders
from rq.worker.short import Brief

LOOK_SECONDS = 1.0


class Fetching:
    """Mixin of Loop."""

    worker: Any
    burst: bool
    max_idle_time: int | None
    running: dict[str, Running]
    _claimed: dict[str, Running]
    executor: Any
    outbox: Held
    talk: Conversation
    attend: Callable[..., bool]
    is_leaving: Callable[[], bool]
    _beats_itself: bool
    _dequeues_itself: bool
    _is_suspended: bool
    _is_loose: bool
    is_plain: bool
    _room_for: int
    _waiting_since: float | None
    _streak: int
    short: Any
    orders: Orders
    bell: Bell
    batch_seconds: float
    _until_late: Callable[[], float]
    _adopt: Callable[..., None]

    def _adopt_at_once(self) -> None:
        """In a burst, which may be over before the clock comes to it; again while it is too early to tell who lives."""
        if self.talk.is_early:
            seconds = self.executor.lease_seconds or self.worker.lease_seconds
            for queue_name, orphan in self.talk.rescue(self.worker.queue_names(), seconds):
                self._adopt(queue_name, orphan)

    def _next(self, number: int = 1) -> list[Running]:
        """The next jobs, at most so many; none when there are none, or when we leave while the server is away."""
        worker = self.worker
        worker.maintain()
        if self.is_leaving():
            return []  # told so meanwhile
        try:
            if self._beats_itself:
                self.talk.through(worker.heartbeat)
            return self._next_of_theirs() if self._dequeues_itself else self._next_claimed(number)
        except GaveUp:
            if worker._stop_requested:
                return []
            raise

    def _next_claimed(self, number: int) -> list[Running]:
        """Settle what is held and claim, in one round trip."""
        worker, seconds = self.worker, self.executor.lease_seconds
        batched = number > 1 and self.batch_seconds > 0
        begun, more = seconds == 0 and not batched, True
        while more:
            order = worker._ordered_queues  # of this moment: each job that is taken moves it on
            claims = self.talk.next(
                self.outbox.waiting, worker.ordered_names(), seconds, number, begun, worker._state == 'busy', batched
            )
            for job_id in claims.dropped:
                worker.log.warning('Worker %s: id %r was listed, but is not to be run; dropped', worker.name, job_id)
            for member, why in claims.aside:
                worker.log.warning('Worker %s: id %s is set aside: %s', worker.name, shown(member), shown(why))
            self._is_suspended = claims.suspended
            if claims.suspended and worker._state != 'suspended':
                worker.log.info('Worker %s: suspended, run `rq resume` to let it go on', worker.name)
            busy = claims.taken or self.running
            worker._state = 'busy' if busy else 'suspended' if claims.suspended else 'idle'
            if claims.taken:
                # in a batch nobody is told: all of it goes back together, should we be lost
                said = begun or batched and len(claims.taken) > 1
                short = self.short if self.short is not None and self.short.is_open_for_next() else None
                found = [self._running_of(one, order[one.queue], said, short) for one in claims.taken]
                if self.orders.wait:
                    self.bell.ring()  # they have waited for this
                for running in found if begun and claims.ahead else ():
                    self.talk.begin(running.lease, lasting=True)
                return found
            more = claims.more and not self.is_leaving()
        return []

    def _next_of_theirs(self) -> list[Running]:
        """By a queue class that has a way of its own: taken first, prepared then, as in RQ 3.0."""
        worker = self.worker
        self.talk.settle(self.outbox.waiting)
        self.talk.asked_at = time.monotonic()
        self._is_suspended = bool(self.talk.through(lambda: is_suspended(worker.connection)))
        if self._is_suspended:
            self.talk.through(lambda: worker.set_state('suspended'))
            return []
        try:
            found = self.talk.through(lambda: dequeue.take(worker, None if self.burst else 1))
        except DequeueTimeout:
            return []
        if found is None:
            return []
        worker.reorder_queues(reference_queue=found[1])
        return [self._register(self.talk.through(lambda: taken.of_theirs(worker, *found)))]

    def _promoted(self) -> bool:
        """A burst finds nothing: whether something is due. What is not due yet stays for others, and that is said."""
        worker, names = self.worker, self.worker.queue_names()
        if self.talk.promote(names):
            return True
        delayed = self.talk.through(lambda: read.delayed(worker.connection, names))
        if delayed:
            words = 'Worker %s: %d jobs are not due yet and stay scheduled: a worker that stays will run them'
            worker.log.info(words, worker.name, delayed)
        return False

    def _was_away(self, running: Running) -> bool:
        """Whether we were frozen since we asked for a job, which may be somebody else's by now."""
        return bool(
            time.monotonic() - running.taken_at > (self.executor.lease_seconds or self.worker.lease_seconds) / 2
        )

    def _running_of(self, claimed: Claimed, queue: Any, said: bool, short: Any) -> Running:
        self.worker.reorder_queues(reference_queue=queue)
        brief = short.brief_of(claimed, queue, said) if short is not None else None
        return self._register(brief or taken.of_claim(self.worker, self.executor.lease_seconds, claimed, said, queue))

    def _register(self, running: Running) -> Running:
        lease, running.taken_at = running.lease, self.talk.asked_at
        self.running[lease.execution] = self._claimed[lease.job_id] = running
        if not isinstance(running, Brief):
            self.worker.executions[lease.execution] = running.execution
            self.worker.leases[lease.execution] = lease
        return running

    def _wait_for_work(self, idle_since: float) -> None:
        """Until a token, a signal, an orphan, or about a second has come."""
        self._streak = 0
        queues = self.worker.queue_names()
        ahead = None
        if not (self._room_for > 1 or self.batch_seconds or self._is_loose or self._dequeues_itself or self.running):
            ahead = self.worker.ordered_names(), self.worker.lease_seconds  # short ones: it may be too late for us
        descriptor = self.talk.wait_descriptor(queues, ahead)
        if not self.is_plain:
            self.executor.prepare(0)
        limit = min(LOOK_SECONDS * 1.2, self._until_late())
        if self.max_idle_time is not None:
            limit = min(limit, max(idle_since + self.max_idle_time - time.monotonic(), 0))
        self._waiting_since = self._waiting_since or time.monotonic()
        readable = self.attend(limit, descriptor)
        if descriptor is not None and (readable or time.monotonic() - self._waiting_since > LOOK_SECONDS + 3):
            self.talk.waited(readable)
            self._waiting_since = None
        elif descriptor is None:
            self._waiting_since = None
