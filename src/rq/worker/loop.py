"""Claim, start, poll, settle the ended, repeat. The loop never asks which executor it has."""

from __future__ import annotations

import gc
import os
import select
import time
from typing import Any

from rq.exceptions import ColdShutdown
from rq.executors.base import Ended, Running
from rq.executors.horse import ignore_stop_signals
from rq.executors.outbox import Held
from rq.failure.capture import Failure, capture, from_dict
from rq.rules import watch
from rq.rules.lease import Lease
from rq.store.claim import Orphan
from rq.supervision.bell import Bell
from rq.supervision.clock import Inbox
from rq.worker import ended as after
from rq.worker import taken
from rq.worker.claiming import Conversation, GaveUp, burst_patience, gives_up

LOOK_SECONDS = 1.0
ERROR_PAUSE = 1.0
ORPHANS_IN_HAND = 20  # from here on no more are adopted: each may need a process for its handlers
STREAK = 1000


class Loop:
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
            worker._stop_requested, bool(self.running or self.outbox.waiting), since
        )
        self.outbox = Held(self.note)
        self.executor: Any = worker.make_executor(self)
        self._waiting_since: float | None = None
        self._warm = False
        self._streak = 0  # jobs in a row, without a wait between them

    # --- the loop -----------------------------------------------------------------------------------------------

    def run(self) -> bool:
        """Until there is a reason to leave; returns whether any job was done."""
        self.executor.prepare()
        idle_since = time.monotonic()
        while not self._leaving():
            self.attend(0)
            running = None if self._leaving() else self._next()
            if running is not None:
                self._streak += 1
                self._carry_out(running)
                idle_since = time.monotonic()
            elif self.burst:
                if not self.talk.promote(self.worker.queue_names()):
                    break
            elif self.max_idle_time is not None and time.monotonic() - idle_since >= self.max_idle_time:
                self.worker.log.info('Worker %s: idle for %d seconds, leaving', self.worker.name, self.max_idle_time)
                break
            elif not self._leaving():
                self._wait_for_work(idle_since)
        self._finish()
        return self.jobs_done > 0

    def arrive(self) -> bool:
        """Meet the server, enter the books; False when we were told to leave before it came."""
        try:
            self.talk.load_scripts()
        except GaveUp:
            if self.worker._stop_requested:
                return False
            raise
        self.worker.register_birth()
        self.worker.log.info(
            'Worker %s: started with PID %d, version %s', self.worker.name, os.getpid(), self.worker.version
        )
        gc.collect()
        gc.freeze()  # what is there now is shared with every horse: no collection there may copy its pages
        self.executor.open()
        return True

    def _leaving(self) -> bool:
        return bool(self.worker._stop_requested) or (self.max_jobs is not None and self.jobs_done >= self.max_jobs)

    def _finish(self) -> None:
        """Let orphans under way come to their end, and store what is held."""
        while self.running:
            self.attend(LOOK_SECONDS)
        self.talk.settle(self.outbox.waiting)

    # --- what other threads and signal handlers say --------------------------------------------------------------

    @property
    def is_busy(self) -> bool:
        """Whether anything runs."""
        return bool(self.running)

    def leases(self) -> list[Lease]:
        """What the clock must renew; it asks at each of its beats."""
        self.executor.pulse()
        running = [running.lease for running in list(self.running.values())]
        return running + self.inbox.leases(self.worker.name, self.executor.lease_seconds or self.worker.lease_seconds)

    def may_rescue(self) -> bool:
        """Whether orphans could be seen to."""
        in_hand = len(self.inbox.orphans) + len(self.running)
        return in_hand < ORPHANS_IN_HAND and (self.executor.rescues_while_busy or not self.running)

    def deliver(self, message: dict[str, Any]) -> None:
        """A command from the remote thread."""
        self.inbox.commands.append(message)
        self.bell.ring()

    def warm_shutdown_begins(self) -> None:
        """To be said by the main loop, which may write to the server."""
        self._warm = True
        self.bell.ring()

    def cold_shutdown_begins(self) -> None:
        """User code in this process is interrupted here; horses are killed by `attend`."""
        self.worker.log.warning('Worker %s: cold shut down', self.worker.name)
        self.bell.ring()
        if self._inline_busy() and self._main is not None:
            raise ColdShutdown

    def stop_job(self, job_id: str) -> bool:
        """Have a running job killed and recorded as stopped, if it can be."""
        for running in self.running.values():
            if running.lease.job_id == job_id and not self._inline_busy():
                running.watch.stop_requested = True
                self.worker._stopped_job_id = job_id
                return True
        return False

    def prepare_child(self) -> None:
        """In a horse, right after the fork: ours are not its descriptors, nor its signals."""
        self.bell.close()
        ignore_stop_signals()

    def close(self) -> None:
        """Let go of processes, connections and descriptors."""
        self.executor.close()
        self.talk.close()
        self.bell.close()

    # --- claiming -----------------------------------------------------------------------------------------------

    def _next(self) -> Running | None:
        """Settle what is held and claim, in one round trip."""
        worker, seconds = self.worker, self.executor.lease_seconds
        worker.maintain()
        more = True
        while more:
            try:
                claims = self.talk.next(self.outbox.waiting, worker.ordered_names(), seconds, begun=seconds == 0)
            except GaveUp:
                if worker._stop_requested:
                    return None
                raise
            for job_id in claims.dropped:
                worker.log.warning('Worker %s: id %r was listed, but is not to be run; dropped', worker.name, job_id)
            if claims.taken:
                return self._register(taken.of_claim(worker, seconds, claims.taken[0]))
            more = claims.more and not self._leaving()
        return None

    def _register(self, running: Running) -> Running:
        execution = running.execution
        self.running[execution.id] = self._claimed[execution.job_id] = running
        self.worker.executions[execution.id] = execution
        return running

    def _wait_for_work(self, idle_since: float) -> None:
        """Until a token, a signal, an orphan, or about a second has come."""
        self._streak = 0
        queues = self.worker.queue_names()
        descriptor = self.talk.wait_descriptor(queues)
        limit = LOOK_SECONDS * 1.2
        if self.max_idle_time is not None:
            limit = min(limit, max(idle_since + self.max_idle_time - time.monotonic(), 0))
        self._waiting_since = self._waiting_since or time.monotonic()
        readable = self.attend(limit, descriptor)
        if descriptor is not None and (readable or time.monotonic() - self._waiting_since > LOOK_SECONDS + 3):
            self.talk.waited(readable)
            self._waiting_since = None

    # --- one job ------------------------------------------------------------------------------------------------

    def _carry_out(self, running: Running) -> None:
        worker = self.worker
        self._main = running
        worker.announce(running)
        try:
            worker.execute_job(running.job, running.queue)
        except ColdShutdown:
            raise
        except Exception as error:
            worker.log.exception('Worker %s: execute_job raised on job %s', worker.name, running.lease.job_id)
            self._failed_here(running, error)
        finally:
            self._main = None
        if not running.ended:  # an overridden execute_job did not run it: somebody else may
            self.outbox.emit(after.handed_back(running))
            self.forget(running)
        self.jobs_done += 1

    def _failed_here(self, running: Running, error: Exception) -> None:
        """Code of a subclass raised around the job: the job's failure, because handed back it would raise for ever."""
        if not running.ended:
            self.executor.kill(running)
            running.failure = capture(error)
            after.settle_quietly(self, running)

    def execute(self, job: Any) -> None:
        """What `execute_job` does: run the claimed job to its end, minding everything else meanwhile."""
        running = self._claimed[job.id]
        running.watch.allow(job.timeout or 180, time.monotonic())
        try:
            if self.executor.lease_seconds:
                self.talk.begin(running.lease)
            self.executor.start(running)
        except OSError as error:
            self._cannot_start(running, error)
            return
        expected = self._expected()
        if expected:
            self.executor.prepare(expected)
        while not running.ended:
            self.attend(0 if self._inline_busy() else LOOK_SECONDS)  # an inline job has ended already

    def _expected(self) -> int:
        """How many jobs are likely to follow at once: as many as came in a row, and at least one."""
        if self.worker._stop_requested:
            return 0
        left = STREAK if self.max_jobs is None else self.max_jobs - self.jobs_done - 1
        return min(left, max(self._streak, 1))

    def _cannot_start(self, running: Running, error: OSError) -> None:
        """No process can be made: the job goes back, uncharged, and we wait a little."""
        self.worker.log.error('Worker %s: cannot start a work horse (%s); the job goes back', self.worker.name, error)
        self.outbox.emit(after.handed_back(running))
        self.forget(running)
        self.talk.settle(self.outbox.waiting)
        self._pause(ERROR_PAUSE)

    def forget(self, running: Running) -> None:
        """The execution is over here."""
        running.ended = True
        self.running.pop(running.lease.execution, None)
        self._claimed.pop(running.lease.job_id, None)
        self.worker.executions.pop(running.lease.execution, None)

    def abandon(self, running: Running) -> None:
        """A part of this worker was lost with the job: it goes the way of every lost worker's jobs, poison included."""
        self.worker.log.error('Worker %s: lost the process that forks horses, and a job', self.worker.name)
        self.forget(running)
        try:
            self.talk.expire([running.lease], lost=True)
        except GaveUp:
            return  # it runs out by itself

    def note(self, lease: Lease, failure: Failure, told: int) -> bool:
        """Remember a failure on its execution; False when that is no longer ours."""
        return self.talk.note(lease, failure.to_dict(), told)

    def noted(self, running: Running, failure: dict[str, Any], told: int) -> bool:
        """A horse has a failure to be remembered before it tells anybody."""
        running.failure, running.told = from_dict(failure), told
        return self.talk.note(running.lease, failure, told)

    # --- minding ------------------------------------------------------------------------------------------------

    def attend(self, seconds: float, also: int | None = None) -> bool:
        """Wait up to so long for anything, then mind it all; tells whether `also` became readable."""
        descriptors = [self.bell.listens, *self.executor.descriptors()]
        poll = select.poll()
        for descriptor in [*descriptors, *([] if also is None else [also])]:
            poll.register(descriptor, select.POLLIN)
        if self.running:
            seconds = watch.next_deadline((one.watch for one in self.running.values()), time.monotonic(), seconds)
        readable = {descriptor for descriptor, _ in poll.poll(seconds * 1000)}
        if self.bell.listens in readable:
            self.bell.quiet()
        self._mind()
        return also in readable

    def _mind(self) -> None:
        if self.worker._cold:
            self._end_at_once()
        if self._warm:
            self._warm = False
            self._say_warm()
        self._read_inbox()
        for running, why in watch.decide(((one, one.watch) for one in self.running.values()), time.monotonic()):
            running.watch.killed_for = why
            after.announce_kill(self.worker, running, why)
            self.executor.kill(running)
        for ended in self.executor.poll():
            self._end(ended)
        busy = self._main is not None and not self._main.ended
        if self.outbox.waiting and busy and not self._inline_busy():
            self.talk.settle(self.outbox.waiting)

    def _say_warm(self) -> None:
        try:
            self.worker.set_shutdown_requested_date()
        except Exception as error:
            self.worker.log.debug('Worker %s: the request is not on record: %s', self.worker.name, error)
        self.worker.handle_warm_shutdown_request()

    def _inline_busy(self) -> bool:
        return bool(self.executor.lease_seconds == 0)

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
            if execution_id in self.running:
                self.running[execution_id].watch.lost = True
        for message in self.inbox.take('commands'):
            worker.handle_payload(message)
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
        try:
            self.talk.expire([one.lease for one in running])
        except GaveUp:
            pass  # they run out by themselves
        raise ColdShutdown

    def _pause(self, seconds: float) -> None:
        """Sleep, but wake up when a signal comes."""
        self.bell.wait(seconds)
        if self.worker._cold:
            self._end_at_once()
