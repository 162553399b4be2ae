"""What others tell a worker: signals, commands, suspension. And how it leaves."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

from rq.command import handle_command, parse_payload
from rq.connections import rebuild
from rq.defaults import SOCKET_TIMEOUT
from rq.exceptions import ColdShutdown, StopRequested
from rq.rules import shutdown
from rq.supervision.remote import Remote
from rq.suspension import is_suspended
from rq.utils import now
from rq.worker import plain
from rq.worker.life import SHUTDOWN_SIGNAL, WorkerStatus

ASK_AGAIN = 1.0  # seconds: just after its fork a scheduler still has our handlers, and does not hear the first request
SUSPENSION_LOOK = 1.0  # seconds between two looks whether the suspension is over


class Stopping:
    """Mixin of BaseWorker."""

    name: str
    connection: Any
    executions: dict[str, Any]
    log: Any
    scheduler: Any
    pubsub: Any
    pubsub_thread: Any
    horse_lock: Any
    _remote: Remote | None
    _loop: Any
    _state: str
    _is_horse: bool
    _cold: bool
    _is_leaving: bool
    _stop_requested: bool
    _first_signal_at: float | None
    _shutdown_requested_date: Any
    _stopped_job_id: str | None
    horse_pid: Any
    set_state: Callable[..., None]
    set_shutdown_requested_date: Callable[[], None]
    register_death: Callable[[], None]

    # --- signals ------------------------------------------------------------------------------------------------

    def request_stop(self, signum: int, frame: FrameType | None) -> None:
        """SIGINT or SIGTERM: leave after the current job; a second one later: at once. In the loop: sets flags only."""
        if self._is_leaving:
            return
        if self._loop is not None and self._loop.grace_is_over:
            self._loop.cold_shutdown_begins()
            return
        busy = self._loop.is_busy if self._loop is not None else self._state == WorkerStatus.BUSY
        what = shutdown.decide(time.monotonic(), self._first_signal_at, busy)
        if what == 'ignore':
            return
        if what == 'cold':
            self.request_force_stop(signum, frame)
            return
        self._first_signal_at = time.monotonic()
        self._shutdown_requested_date = now()
        if self._loop is None and not busy:
            raise StopRequested
        self._stop_requested = True
        if self._loop is None:
            self.set_shutdown_requested_date()
            self.handle_warm_shutdown_request()
            self.stop_scheduler()
        elif what == 'warm':
            self._loop.warm_shutdown_begins()

    def request_force_stop(self, signum: int, frame: FrameType | None) -> None:
        """Kill what runs and leave; an echo of the first signal is ignored."""
        first = self._first_signal_at
        if first is not None and time.monotonic() - first <= shutdown.ECHO_SECONDS:
            return
        self._cold = True
        if self._loop is not None:
            self._loop.cold_shutdown_begins()
            return
        self.log.warning('Worker %s: cold shut down', self.name)
        if self.horse_pid:
            self.kill_horse()
            self.wait_for_horse()
        raise ColdShutdown

    def handle_warm_shutdown_request(self) -> None:
        """A stop was requested while a job runs; called before that job has ended."""
        self.log.info('Worker %s: warm shut down requested, stopping after the current job', self.name)

    # --- horses: a plain worker has none ------------------------------------------------------------------------

    def kill_horse(self, sig: signal.Signals = SHUTDOWN_SIGNAL) -> None:
        """Nothing to kill here."""

    def wait_for_horse(self) -> tuple[int | None, int | None, Any]:
        """Nothing to wait for here."""
        return plain.NOBODY

    # --- commands -----------------------------------------------------------------------------------------------

    def handle_payload(self, message: Any) -> None:
        """A command has come; what cannot be read is named and dropped."""
        try:
            payload = parse_payload(message)
        except (ValueError, KeyError, TypeError) as error:
            self.log.warning('Worker %s: a command cannot be read: %s', self.name, error)
            return
        handle_command(self, payload)

    def request_stop_job(self, job_id: Any) -> bool:
        """Stop a job if it runs here and can be stopped."""
        if self._loop is not None:
            return bool(self._loop.stop_job(str(job_id)))
        return plain.stop(self, str(job_id))

    def request_stop_execution(self, execution_id: str) -> None:
        """Stop one execution if it is under way here."""
        execution = self.executions.get(execution_id)
        if execution is None or not self.request_stop_job(execution.job_id):
            self.log.warning('Worker %s: execution %s is not running here, ignored', self.name, execution_id)

    def subscribe(self) -> None:
        """Listen for commands in a thread."""
        self.log.info('Worker %s: subscribing to channel rq:pubsub:%s', self.name, self.name)
        deliver = self._loop.deliver if self._loop is not None else self.handle_payload
        self._remote = Remote(rebuild(self.connection, socket_timeout=SOCKET_TIMEOUT), self.name, deliver)
        self._remote.start()
        self.pubsub, self.pubsub_thread = self._remote.pubsub, self._remote.thread

    def unsubscribe(self) -> None:
        """Do so no longer."""
        remote, self._remote = self._remote, None
        if remote is not None:
            self.log.info('Worker %s: unsubscribing from channel rq:pubsub:%s', self.name, self.name)
            remote.stop()

    # --- suspension ---------------------------------------------------------------------------------------------

    def check_for_suspension(self, burst: bool) -> None:
        """Wait while workers are suspended; a burst worker leaves instead (`StopRequested`)."""
        before = None
        while not self._stop_requested and is_suspended(self.connection, self):
            if burst:
                self.log.info('Worker %s: suspended in burst mode, leaving', self.name)
                raise StopRequested
            if before is None:
                before = self._state
                self.log.info('Worker %s: suspended, run `rq resume` to let it go on', self.name)
                self.set_state(WorkerStatus.SUSPENDED)
            self._sleep(SUSPENSION_LOOK)
        if before is not None:
            self.set_state(before)

    def _sleep(self, seconds: float) -> None:
        if self._loop is not None:
            self._loop.attend(seconds)
        else:
            threading.Event().wait(seconds)

    # --- leaving ------------------------------------------------------------------------------------------------

    def stop_scheduler(self) -> None:
        """End the process of its scheduler, if it has one."""
        process = getattr(self.scheduler, '_process', None)
        while process is not None and process.pid and process.is_alive():
            try:
                os.kill(process.pid, signal.SIGTERM)
            except OSError:
                pass  # it has ended already
            process.join(ASK_AGAIN)

    def teardown(self) -> None:
        """End the scheduler, leave the books, listen no longer; in a horse nothing of that."""
        if not self._is_horse:
            self.stop_scheduler()
            self.register_death()
            self.unsubscribe()
