"""Several jobs under way at once: claimed together as long as there is room, started, and minded by the same loop.

With batches each place takes several short jobs: one horse does them in order, and they are settled together.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from rq.exceptions import ColdShutdown
from rq.executors.base import Ended, Running
from rq.executors.outbox import Held
from rq.rules.batching import BatchSize
from rq.rules.watch import Why
from rq.worker import ended as after
from rq.worker.claiming import Conversation
from rq.worker.fetching import LOOK_SECONDS
from rq.worker.minding import FEW
from rq.worker.short import Brief

CALM_SECONDS = 0.005  # who waits so long for the end of a job has time for short rounds
CALM_FOR = 0.1  # seconds
GATHERING = 0.0002  # seconds in which others end
SHARE = 8  # a short round fills at most this part of all places
MOST = 3  # and any other one this, so that some jobs run while the server works for others


@dataclass
class Batch:
    """Jobs that one horse does in order."""

    members: list[Running]
    number: int  # of those that it does
    opened_at: float
    is_late: bool = False  # it has taken longer than it may, and has nothing left but what runs


class SideBySide:
    """Mixin of Loop, for executors with room for more than one job."""

    worker: Any
    executor: Any
    running: dict[str, Running]
    outbox: Held
    talk: Conversation
    max_jobs: int | None
    jobs_done: int
    is_plain: bool
    batch_seconds: float
    _is_loose: bool
    _streak: int
    _open: list[Batch]
    _sizes: BatchSize
    _calm_until = 0.0  # rounds are short until then
    attend: Callable[..., bool]
    forget: Callable[[Running], None]
    _next: Callable[..., list[Running]]
    _launch: Callable[..., bool]
    _expected: Callable[[], int]

    def _room(self) -> int:
        """How many jobs may run at once. Who overrides a part of running a job sees one after the other."""
        if self.executor.capacity > 1 and self._is_loose:
            self.worker.log.warning(
                'Worker %s: runs one job at a time, because execute_job or a part of forking is overridden',
                self.worker.name,
            )
        return 1 if self._is_loose else int(self.executor.capacity)

    def _leave_if_stuck(self) -> None:
        """When every place is taken by a job that was given up and does not end: whoever supervises starts anew."""
        if self.executor.stuck >= self.executor.capacity and not self.running:
            words = 'Worker %s: each of its %d places is taken by a job that does not end, leaving with exit code 1'
            self.worker.log.error(words, self.worker.name, self.executor.capacity)
            self.talk.settle(self.outbox.waiting)
            raise ColdShutdown(1)

    def _take_several(self, room_for: int) -> bool:
        """Write what has ended and fill the free places, in one round trip; whether there was anything to do."""
        self._see_to_batches()
        places = self._places_of_a_round(room_for)
        number = places * self._sizes.size
        if self.max_jobs is not None:
            number = min(number, self.max_jobs - self.jobs_done)
        if number <= 0:
            self._wait_for_place()
            return True
        claimed = self._next(number)
        self._streak += len(claimed)
        share = -(-len(claimed) // places)
        for at in range(0, len(claimed), max(share, 1)):
            self._begin(claimed[at : at + share])
        if claimed and self._expected():
            self.executor.prepare(self._expected())
        return bool(claimed)

    def _places(self, room_for: int) -> int:
        in_batches = sum(not running.ended for batch in self._open for running in batch.members)
        return int(room_for - len(self._open) - (len(self.running) - in_batches) - self.executor.stuck)

    def _places_of_a_round(self, room_for: int) -> int:
        """How many of the free places are to be filled by the next round trip.

        Where jobs wait for something, those that began together end together, and what ends last waits for the round
        of the others: so rounds are short then, and who ends first waits a moment, not to have one for itself.
        After a wait for work all places are filled at once.
        """
        places, some = self._places(room_for), max(room_for // SHARE, FEW)
        if self.batch_seconds or room_for <= FEW or not self._streak or places <= 0:
            return places
        if places <= some and len(self.running) > some:
            time.sleep(GATHERING)
            self.attend(0)
            places = self._places(room_for)
        return min(places, some if time.monotonic() < self._calm_until else max(room_for // MOST, FEW))

    def _begin(self, members: list[Running]) -> None:
        for running in members:
            if running.course is None:
                self.worker.announce_job(running.job, running.queue)
            else:
                self._announce(cast(Brief, running))
        if len(members) == 1:
            ready = members if self._launch(members[0]) else []
        else:
            ready = [running for running in members if self._launch(running, starts=False)]
            ready = self._start_batch(ready)
        self.jobs_done += len(ready)
        if self.batch_seconds and ready:
            self._open.append(Batch(ready, len(ready), time.monotonic()))

    def _announce(self, brief: Brief) -> None:
        worker, job_id = self.worker, brief.lease.job_id
        worker.procline(f'Running {job_id} from {brief.queue.name}')
        if worker.log.isEnabledFor(logging.INFO):
            worker.say_begun(brief.queue, job_id, brief.description)

    # --- batches ------------------------------------------------------------------------------------------------

    def _start_batch(self, ready: list[Running]) -> list[Running]:
        try:
            self.executor.start_batch(ready)
            return ready
        except OSError as error:
            for running in reversed(ready[1:]):
                self.outbox.emit(after.handed_back(running))
                self.forget(running)
            after.could_not_start(self, ready[0], error)
            return []

    def _wait_for_place(self) -> None:
        began = time.monotonic()
        self.attend(min(self._until_late(), LOOK_SECONDS))
        now = time.monotonic()
        if now - began > CALM_SECONDS:
            self._calm_until = now + CALM_FOR

    def _until_late(self) -> float:
        """Seconds until a batch has taken longer than it may."""
        waiting = [batch.opened_at for batch in self._open if not batch.is_late]
        return max(min(waiting) + self.batch_seconds - time.monotonic(), 0.001) if waiting else math.inf

    def _see_to_batches(self) -> None:
        """Those that have ended make room. Of those that are late, or when we leave, what has not begun goes back."""
        now, late, leaves = time.monotonic(), False, self.worker._stop_requested
        for batch in list(self._open):
            if not any(not running.ended for running in batch.members):
                self._open.remove(batch)
                self._sizes.learn(batch.number, now - batch.opened_at)
            elif not batch.is_late and (leaves or now - batch.opened_at > self.batch_seconds):
                batch.is_late = late = True
                back = self.executor.take_back([running for running in batch.members if not running.ended])
                batch.number -= len(back)
                for running in reversed(back):  # the last one first, for the front of the queue
                    self._hand_back(running)
                for running in batch.members:
                    if not running.ended:
                        self.talk.begin(running.lease)  # from here on it is no short one, and its loss is its own
        if late:
            self.talk.try_to_settle(self.outbox.waiting)

    def _hand_back(self, running: Running) -> None:
        self.outbox.emit(after.handed_back(running))
        self.forget(running)
        self.jobs_done -= 1

    def not_begun(self, ended: Ended) -> None:
        """No code of it ran: it is stopped, lost, or goes back for another one."""
        running = ended.running
        if running.watch.killed_for is Why.STOPPED:
            after.stopped(self, running)
        elif running.watch.killed_for is Why.LOST:
            self.forget(running)
        else:
            self._hand_back(running)
