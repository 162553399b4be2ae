"""Claim, start, poll, settle the ended, repeat. The loop never asks which executor it has."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable
from typing import Any

from rq.defaults import MAX_START_BACKOFF, START_BACKOFF
from rq.exceptions import ColdShutdown
from rq.executors.base import Running
from rq.executors.horse import ignore_stop_signals
from rq.executors.outbox import Held
from rq.failure.capture import Failure, capture, from_dict
from rq.failure.notify import Settlement
from rq.rules.batching import BatchSize
from rq.rules.lease import Lease
from rq.store.call import Answer
from rq.supervision.bell import Bell
from rq.supervision.clock import Inbox
from rq.worker import attempts, beside, plain, taken
from rq.worker import ended as after
from rq.worker.batches import Batches
from rq.worker.claiming import Conversation, GaveUp, burst_patience, gives_up
from rq.worker.fetching import LOOK_SECONDS, Fetching
from rq.worker.interrupts import Interrupts
from rq.worker.minding import Minding
from rq.worker.orders import Orders
from rq.worker.short import Brief
from rq.worker.side_by_side import SideBySide

ORPHANS_IN_HAND = 20  # from here on no more are adopted: each may need a process for its handlers
STREAK = 1000
UNKNOWN_PAUSE = 1.0  # seconds between two tries to note a failure after an outage of more than a lease


class Loop(Minding, Fetching, SideBySide, Interrupts):
    """One call of `work()`."""

    def __init__(self, worker: Any, burst: bool, max_jobs: int | None, max_idle_time: int | None) -> None:
        self.worker = worker
        self.burst, self.max_jobs, self.max_idle_time = burst, max_jobs, max_idle_time
        self.jobs_done = 0
        self.running: dict[str, Running] = {}
        self._claimed: dict[str, Running] = {}
        self._main: Running | None = None
        self.bell = Bell()
        self.inbox = Inbox(self.bell.ring)
        self.talk = Conversation(worker)
        self.talk.patience = burst_patience(burst)
        self.talk.pause = self._pause
        self.talk.give_up = lambda since: gives_up(
            worker._stop_requested, not self.grace_is_over and bool(self.running or self.outbox.waiting), since
        )
        self.outbox = Held(self.note, lambda one: self.commit(self.running[one.lease.execution], one))
        self.executor: Any = worker.make_executor(self)
        self.executor.on_commit = self.commit
        self._waiting_since: float | None = None
        self._warm = False
        self._home = threading.get_ident()
        self.orders = Orders(worker.handle_payload, self.bell.ring)
        self.is_plain, self._dequeues_itself = plain.wants_plain(worker), plain.dequeues_itself(worker)
        self._is_loose = self.is_plain or not plain.is_ours(worker, 'execute_job')
        self._beats_itself = not plain.is_ours(worker, 'heartbeat')
        self.outbox.at_once = self.executor.is_inline and not plain.is_ours(worker, 'perform_job')
        self._room_for = self._room()
        self.batch_seconds = 0 if self._is_loose else worker.batch_ms / 1000
        self.batches = Batches(self, self.batch_seconds) if self.batch_seconds and self.executor.is_inline else None
        if self.batches is not None:
            self.executor.user_code = self.batches.user_code
        self.short: Any = beside.way_of(self)
        self._open, self._sizes = [], BatchSize(self.batch_seconds)
        self._untouched: list[Running] = []
        self._is_suspended = False
        self._streak = 0  # jobs in a row, without a wait between them
        self.start_pause: float = START_BACKOFF  # before the next try when no process can be made
        self.stuck_at = 0.0
        self.turned_at = time.monotonic()  # a health check wants to see the main thread here now and then

    # --- the loop -----------------------------------------------------------------------------------------------

    def run(self) -> bool:
        """Until there is a reason to leave; returns whether any job was done."""
        if not self.is_plain:
            self.executor.prepare()
        idle_since = time.monotonic()
        if self.burst:
            self.talk.promote(self.worker.queue_names())  # what is due may belong in front of what waits
            self._adopt_at_once()
        while not self.is_leaving():
            self.attend(0)
            if not self.is_leaving() and self._work_on():
                idle_since = time.monotonic()
            elif self._is_suspended:
                if self.burst:
                    break
                self.attend(LOOK_SECONDS)
                idle_since = time.monotonic()
            elif self.burst:
                if self.running or self.talk.is_early:
                    self.attend(LOOK_SECONDS)  # an orphan, which may be tried again at once
                    self._adopt_at_once()
                elif not self._promoted():
                    break
            elif (
                self.max_idle_time is not None
                and not self.running
                and time.monotonic() - idle_since >= self.max_idle_time
            ):
                self.worker.log.info('Worker %s: idle for %d seconds, leaving', self.worker.name, self.max_idle_time)
                break
            elif not self.is_leaving():
                self._wait_for_work(idle_since)
        self._finish()
        return self.jobs_done > 0

    def arrive(self, bootstrap: Callable[[], None], schedule: Callable[[], None]) -> bool:
        """Meet the server, enter the books; False when we were told to leave before it came."""
        try:
            self.talk.load_scripts()
            self.talk.through(schedule)
            gc.collect()
            gc.freeze()  # what is there now is shared with every horse: no collection there may copy its pages
            attempts.note_words(self.worker)
            if not self.is_plain:
                self.executor.open()
            bootstrap()
        except GaveUp:
            if self.worker._stop_requested:
                return False
            raise
        return True

    def is_leaving(self) -> bool:
        """Whether no more jobs are to be taken."""
        return bool(self.worker._stop_requested) or (self.max_jobs is not None and self.jobs_done >= self.max_jobs)

    def _finish(self) -> None:
        """Let what is under way come to its end, and store what is held."""
        while self.running:
            self._wait_for_place()
            self._see_to_batches()
            self.talk.try_to_settle(self.outbox.waiting)  # what has ended does not wait for the others
        seconds, queues = self.executor.lease_seconds, self.worker._ordered_queues
        came_late = [
            taken.of_claim(self.worker, seconds, one, False, queues[one.queue]) for one in self.talk.withdraw()
        ]
        for running in [*self._untouched, *came_late]:
            if self._is_held(running):
                self.outbox.emit(after.handed_back(running))
        self.talk.settle(self.outbox.waiting)
        if self.jobs_done and self.worker.get_state() == 'busy':  # a claim says so by itself, but there is none more
            try:
                self.talk.through(lambda: self.worker.set_state('idle'))
            except GaveUp:
                return

    # --- what other threads and signal handlers say --------------------------------------------------------------

    @property
    def is_busy(self) -> bool:
        """Whether anything runs."""
        return bool(self.running)

    def leases(self) -> list[Lease]:
        """What the clock must renew; it asks at each of its beats."""
        self.executor.pulse()
        running = [
            running.lease for running in list(self.running.values()) if not (running.settled or running.watch.unwanted)
        ]
        running += [one.lease for one in list(self.outbox.waiting)]  # it may take a while until it is stored
        running += self.batches.leases() if self.batches is not None else []
        running += self.inbox.leases(self.worker.name, self.executor.lease_seconds or self.worker.lease_seconds)
        return [] if self.inbox.is_stuck else running

    def may_rescue(self) -> bool:
        """Whether orphans could be seen to."""
        in_hand = len(self.inbox.orphans) + len(self.running)
        busy = bool(self.running) and (self.is_plain or not self.executor.rescues_while_busy)
        return in_hand < ORPHANS_IN_HAND and not busy and not self.inbox.telling_until

    def deliver(self, message: dict[str, Any]) -> None:
        """A command from the remote thread."""
        self.orders.deliver(message)

    def claimed(self, job_id: str) -> Running | None:
        """What was claimed of a job, and has not ended."""
        return self._claimed.get(job_id)

    def begins(self, running: Running) -> None:
        """User code may run from here on; said once."""
        if not running.begun:
            running.begun = True
            self.talk.begin(running.lease)

    def prepare_child(self) -> None:
        """In a horse, right after the fork: ours are not its descriptors, nor its signals."""
        self.bell.close()
        ignore_stop_signals()

    def close(self) -> None:
        """Let go of processes, connections and descriptors."""
        if self.batches is not None:
            self.batches.close()
        self.executor.close()
        self.talk.close()
        self.bell.close()
        gc.unfreeze()  # a program may call work() many times: what is left of each call must not stay for ever

    # --- one job ------------------------------------------------------------------------------------------------

    def _work_on(self) -> bool:
        """Whether there was something to do: a job, or as many as there is room for."""
        if self.executor.stuck:
            self._leave_if_stuck()
        if self._room_for > 1 or self.batch_seconds and self.batches is None:
            return self._take_several(self._room_for)
        if self.batches is not None:
            claimed = self._next(min(self.batches.sizes.size, self._expected() + 1))
            self.batches.run(claimed)
        else:
            claimed = self._next()
            for running in claimed:
                self._carry_out(running)
        self._streak += len(claimed)
        return bool(claimed)

    def _carry_out(self, running: Running) -> None:
        worker = self.worker
        self._main = running
        is_brief = isinstance(running, Brief)
        if not is_brief:
            worker.announce_job(running.job, running.queue)
        try:
            if self._is_loose:
                self.orders.leave()
            if is_brief:
                self.short.carry_out(running)
            else:
                worker.execute_job(running.job, running.queue)
        except ColdShutdown:
            if running.settled:
                after.left_in_handlers(self, running)
            elif self.grace_is_over:
                self.interrupted(running)
                return
            elif self._is_loose or self.executor.is_inline:
                if self.batch_seconds:
                    self.talk.begin(running.lease)  # in a batch nobody was told
                self.let_expire([running])
            raise
        except Exception as error:
            worker.log.exception('Worker %s: execute_job raised on job %s', worker.name, running.lease.job_id)
            self._failed_here(running, error)
        finally:
            self._main = None
            self.orders.come_back()
        if not running.ended:
            self._see_how_it_ended(running)
        self.jobs_done += 1

    def _see_how_it_ended(self, running: Running) -> None:
        """It was run in a way of their own, and settled or not; or an overridden execute_job did not run it at all.

        Somebody else may, but not this worker: it would be handed the same job for ever.
        """
        self.talk.settle(self.outbox.waiting)
        if self._is_held(running):
            self._untouched = [*self._untouched[-STREAK:], running]
        self.forget(running)

    def _is_held(self, running: Running) -> bool:
        return bool(self.talk.through(lambda: plain.is_held(self.worker, running.lease)))

    def _failed_here(self, running: Running, error: Exception) -> None:
        """Code of a subclass raised around the job: the job's failure, because handed back it would raise for ever."""
        if not running.ended:
            self.executor.kill(running)
            if self.worker._horse_pid:  # a plain one
                self.worker.kill_horse()
                self.worker.wait_for_horse()
            running.failure = capture(error, job=running.job)
            after.settle_quietly(self, running)

    def execute(self, job: Any) -> bool:
        """Run a claimed job to its end, minding everything else meanwhile; False when that is not for us to do."""
        running = self._claimed.get(job.id)
        if running is None or self.is_plain:
            return False
        if not self._launch(running):
            return True
        expected = self._expected()
        if expected:
            self.executor.prepare(expected)
        while not running.ended:
            self.attend(0 if self.executor.is_inline else LOOK_SECONDS)  # an inline job has ended already
        if self._is_loose:  # who wraps execute_job looks at the outcome next
            self.talk.settle(self.outbox.waiting)
        return True

    def _launch(self, running: Running, starts: bool = True) -> bool:
        """Have the executor start a job, or in a batch only prepare for that; False when that was not to be."""
        if (running.is_doubtful or self._was_away(running)) and not self._is_held(running):
            self.forget(running)
            return False
        timeout = self._prepare(running)
        try:
            if starts:
                running.watch.allow(timeout or 180, time.monotonic())
                self.executor.start(running)
        except OSError as error:
            after.could_not_start(self, running, error)
            return False
        if time.monotonic() - self.stuck_at > MAX_START_BACKOFF:  # a horse that waited proves nothing
            self.start_pause = START_BACKOFF
        if self.worker._stopped_job_id == running.lease.job_id:  # before there was a horse
            running.watch.stop_requested, self.look_at = True, 0.0
        return True

    def _prepare(self, running: Running) -> float | None:
        """Its timeout."""
        if isinstance(running, Brief):
            self.begins(running)
            return running.timeout
        job = running.job
        self.worker.prepare_execution(job)
        timeout: float | None = job.timeout
        return timeout

    def _expected(self) -> int:
        """How many jobs are likely to follow at once: as many as came in a row, and at least one."""
        if self.worker._stop_requested:
            return 0
        left = STREAK if self.max_jobs is None else self.max_jobs - self.jobs_done - 1
        return min(left, max(self._streak, 1))

    def forget(self, running: Running) -> None:
        """The execution is over here."""
        running.ended = True
        self.running.pop(running.lease.execution, None)
        self._claimed.pop(running.lease.job_id, None)
        self.worker.forget_execution(running.lease.execution)
        if self.worker._stopped_job_id == running.lease.job_id:
            self.worker._stopped_job_id = None

    def abandon(self, running: Running) -> None:
        """A part of this worker was lost with the job: it goes the way of every lost worker's jobs, poison included."""
        self.worker.log.error('Worker %s: lost the process that forks horses, and a job', self.worker.name)
        self.forget(running)
        try:
            self.talk.expire([running.lease], lost=True)
        except GaveUp:
            return  # it runs out by itself

    def commit(self, running: Running, settlement: Settlement) -> bool:
        """Write an outcome now, because handlers are told of it afterwards; False when it was not ours to write."""
        running.settled = True
        return self.talk.settle([settlement])[0] in (Answer.OK, Answer.ALREADY)

    def note(self, lease: Lease, failure: Failure, told: int) -> bool:
        """Remember a failure on its execution; False when that is no longer ours."""
        return bool(self.talk.note(lease, failure.to_dict(), told))

    def noted(self, running: Running, failure: dict[str, Any], told: int) -> bool:
        """A horse has a failure to be remembered before it tells anybody."""
        running.failure, running.told = from_dict(failure), told
        ours = self.talk.note(running.lease, failure, told)
        running.watch.allow(0, time.monotonic())  # its function is over; the time it waited for us is not its own
        if ours is None:  # it tells nobody now, and is asked again when there may be an answer
            running.told = told - 1
            self._pause(UNKNOWN_PAUSE)
        elif not ours:
            running.watch.lost, self.look_at = True, 0.0
        return bool(ours)
