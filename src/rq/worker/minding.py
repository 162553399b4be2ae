"""What a loop minds while jobs run: signals, deadlines, the ends of executions, what other threads have found."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from rq.exceptions import ColdShutdown
from rq.executors.base import Ended, Running
from rq.executors.outbox import Held
from rq.rules import watch
from rq.store import read
from rq.store.call import RedisError
from rq.store.claim import Orphan
from rq.supervision.bell import Bell, ready
from rq.supervision.clock import Inbox
from rq.worker import ended as after
from rq.worker import taken
from rq.worker.claiming import Conversation, GaveUp
from rq.worker.orders import Orders

FEW = 8  # jobs that are looked at in each turn
LOOK_AGAIN = 1.0  # seconds until all of many are looked at again; less than KILL_GRACE


class Minding:
    """Mixin of Loop."""

    look_at = 0.0  # when all that run must be looked at

    worker: Any
    running: dict[str, Running]
    executor: Any
    outbox: Held
    talk: Conversation
    bell: Bell
    inbox: Inbox
    orders: Orders
    grace_is_over: bool
    batch_seconds: float
    turned_at: float
    _warm: bool
    _main: Running | None
    interrupt_all: Callable[[], None]
    forget: Callable[[Running], None]
    _say_warm: Callable[[], None]
    not_begun: Callable[[Ended], None]
    _register: Callable[[Running], Running]

    def attend(self, seconds: float, also: int | None = None) -> bool:
        """Wait up to so long for anything, then mind it all; tells whether `also` became readable."""
        if seconds == 0 and self.executor.is_inline and not self.bell.has_rung and also is None:
            self.turned_at = time.monotonic()  # nothing else can have happened: whoever has something to say rings
            for ended in self.executor.poll():
                self._end(ended)
            return False
        descriptors = [self.bell.listens, *self.executor.descriptors()]
        if also is not None:
            descriptors.append(also)
        if self.running:
            seconds = self._until_due(seconds)
        readable = ready(descriptors, seconds)
        if self.bell.listens in readable:
            self.bell.quiet()
            self.look_at = 0.0
        self._mind()
        return also in readable

    def _mind(self) -> None:
        self.turned_at = time.monotonic()
        if self.worker._cold:
            self._end_at_once()
        if self.grace_is_over:
            self.interrupt_all()
        if self._warm:
            self._warm = False
            self._say_warm()
        self._read_inbox()
        self._end_those_due()
        ended = self.executor.poll()
        for one in reversed(ended):  # to the front of the queue, so the last one first; who was interrupted comes after
            if one.unbegun:
                self.not_begun(one)
        for one in ended:
            if not one.unbegun:
                self._end(one)
        busy = self._main is not None and not self._main.ended
        if self.outbox.waiting and busy and not self.executor.is_inline:
            self.talk.try_to_settle(self.outbox.waiting)

    def _until_due(self, seconds: float) -> float:
        """Seconds until one must be looked at, at most the given ones."""
        now = time.monotonic()
        if len(self.running) > FEW:
            return max(min(seconds, self.look_at - now), 0.0)
        return watch.next_deadline((one.watch for one in list(self.running.values())), now, seconds)

    def _end_those_due(self) -> None:
        """Of many, all are looked at only when it may be time, or when somebody has rung.

        A deadline that was set since the last look is `KILL_GRACE` away from it, at least.
        """
        now = time.monotonic()
        if len(self.running) > FEW and now < self.look_at:
            return
        running_now = list(self.running.values())
        for running, why in watch.decide(((one, one.watch) for one in running_now), now):
            running.watch.killed_for = why
            after.announce_kill(self.worker, running, why)
            self.executor.kill(running)
        if len(running_now) > FEW:
            self.look_at = now + watch.next_deadline((one.watch for one in running_now), now, LOOK_AGAIN)

    def _end(self, ended: Ended) -> None:
        if ended.settlement is not None:
            self.outbox.emit(ended.settlement)
        if ended.reported:
            self.forget(ended.running)
        else:
            self._enlist(ended.running)
            after.died(self, ended)

    def _enlist(self, running: Running) -> None:
        """Who judges it finds it in the books; of a plain job that went the short way nothing was there."""
        self.worker.executions.setdefault(running.lease.execution, running.execution)
        self.worker.leases.setdefault(running.lease.execution, running.lease)

    def _read_inbox(self) -> None:
        worker = self.worker
        for level, words in self.inbox.take('words'):
            worker.log.log(level, 'Worker %s: %s', worker.name, words)
        for execution_id in self.inbox.take('lost'):
            running = self.running.get(execution_id)
            if running is not None and not running.settled:
                running.watch.unwanted = self._is_unwanted(running)
                running.watch.lost = not running.watch.unwanted
        if not self.orders.wait or not self.talk.has_news:  # else it may be about a job that we are about to have
            self.orders.obey()
        if self.inbox.vanished:
            self.inbox.vanished = False
            worker.register_again()
        for queue_name, orphan in self.inbox.take('orphans'):
            self._adopt(queue_name, orphan)

    def _is_unwanted(self, running: Running) -> bool:
        """Whether it was canceled while it runs: it goes on to its end, and its outcome is not recorded."""
        has_begun = not self.batch_seconds or self.executor.pid_of(running) is not None
        try:
            return has_begun and read.field(self.worker.connection, running.lease.job_id, 'status') == b'canceled'
        except (RedisError, OSError, ValueError):
            return False

    def _adopt(self, queue_name: str, orphan: Orphan) -> None:
        worker = self.worker
        running = self._register(taken.of_orphan(worker, self.executor.lease_seconds, queue_name, orphan))
        words = running.failure.message if running.failure else ''
        worker.log.warning('Worker %s: job %s: %s', worker.name, orphan.job_id, words)
        after.resume(self, running)

    def _end_at_once(self) -> None:
        """Cold shutdown: kill what runs, and let its leases run out now rather than in half a minute."""
        self._take_outcomes()  # before: of who is given up nothing is taken any more
        under_way = [one for one in self.running.values() if self.executor.pid_of(one) is not None]
        for running in list(self.running.values()):
            self.executor.kill(running)
        self._take_outcomes()  # it was faster
        self.let_go(under_way)
        raise ColdShutdown

    def _take_outcomes(self) -> None:
        for ended in self.executor.poll():
            if ended.settlement is not None:
                self._end(ended)

    def let_go(self, under_way: Sequence[Running] = ()) -> None:
        """Store what has ended, and let others take over at once what has not."""
        self.talk.try_to_settle(self.outbox.waiting)
        if self.batch_seconds:  # nobody was told that these had begun
            for running in [*under_way, *([] if self._main is None else [self._main])]:
                if not running.ended:
                    self.talk.begin(running.lease)
        self.let_expire(list(self.running.values()))

    def let_expire(self, running: list[Running]) -> None:
        """Others may take over at once."""
        try:
            self.talk.expire([one.lease for one in running])
        except GaveUp:
            return  # they run out by themselves

    def _pause(self, seconds: float) -> None:
        """Sleep, but wake up when a signal comes."""
        self.turned_at = time.monotonic()
        self.bell.wait(seconds)
        if self.worker._cold:
            self._end_at_once()
        self.look_at = 0.0
        self._end_those_due()  # also while the server is away
