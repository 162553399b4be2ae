"""What a loop minds while jobs run: signals, deadlines, the ends of executions, what other threads have found."""

from __future__ import annotations

import select
import time
from collections.abc import Callable
from typing import Any

from rq.exceptions import ColdShutdown
from rq.executors.base import Ended, Running
from rq.executors.outbox import Held
from rq.rules import watch
from rq.store.claim import Orphan
from rq.supervision.bell import Bell
from rq.supervision.clock import Inbox
from rq.worker import ended as after
from rq.worker import taken
from rq.worker.claiming import Conversation, GaveUp
from rq.worker.orders import Orders


class Minding:
    """Mixin of Loop."""

    worker: Any
    running: dict[str, Running]
    executor: Any
    outbox: Held
    talk: Conversation
    bell: Bell
    inbox: Inbox
    orders: Orders
    grace_is_over: bool
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
        poll = select.poll()
        for descriptor in [*descriptors, *([] if also is None else [also])]:
            poll.register(descriptor, select.POLLIN)
        if self.running:
            seconds = watch.next_deadline((one.watch for one in list(self.running.values())), time.monotonic(), seconds)
        readable = {descriptor for descriptor, _ in poll.poll(seconds * 1000)}
        if self.bell.listens in readable:
            self.bell.quiet()
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
        for running, why in watch.decide(((one, one.watch) for one in list(self.running.values())), time.monotonic()):
            running.watch.killed_for = why
            after.announce_kill(self.worker, running, why)
            self.executor.kill(running)
        ended = self.executor.poll()
        for one in ended:
            if not one.unbegun:
                self._end(one)
        for one in reversed(ended):  # they go back to the front, so the last one first
            if one.unbegun:
                self.not_begun(one)
        busy = self._main is not None and not self._main.ended
        if self.outbox.waiting and busy and not self.executor.is_inline:
            self.talk.try_to_settle(self.outbox.waiting)

    def _end(self, ended: Ended) -> None:
        if ended.settlement is not None:
            self.outbox.emit(ended.settlement)
        if ended.reported:
            self.forget(ended.running)
        else:
            after.died(self, ended)

    def _read_inbox(self) -> None:
        worker = self.worker
        for level, words in self.inbox.take('words'):
            worker.log.log(level, 'Worker %s: %s', worker.name, words)
        for execution_id in self.inbox.take('lost'):
            if execution_id in self.running and not self.running[execution_id].settled:
                self.running[execution_id].watch.lost = True
        self.orders.obey()
        if self.inbox.vanished:
            self.inbox.vanished = False
            worker.register_again()
        for queue_name, orphan in self.inbox.take('orphans'):
            self._adopt(queue_name, orphan)

    def _adopt(self, queue_name: str, orphan: Orphan) -> None:
        worker = self.worker
        running = self._register(taken.of_orphan(worker, self.executor.lease_seconds, queue_name, orphan))
        words = running.failure.message if running.failure else ''
        worker.log.warning('Worker %s: job %s: %s', worker.name, orphan.job_id, words)
        after.resume(self, running)

    def _end_at_once(self) -> None:
        """Cold shutdown: kill what runs, and let its leases run out now rather than in half a minute."""
        running = list(self.running.values())
        for one in running:
            self.executor.kill(one)
        self.executor.poll()
        self.let_expire(running)
        raise ColdShutdown

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
