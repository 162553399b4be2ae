"""What signals and commands do to a loop: stop after the job, stop at once, stop a job, kill its horse."""

from __future__ import annotations

import signal
import threading
from typing import Any

from rq.exceptions import ColdShutdown
from rq.executors.base import Running
from rq.supervision.bell import Bell
from rq.worker import ended as after
from rq.worker import plain
from rq.worker.claiming import Conversation


class Interrupts:
    """Mixin of Loop."""

    worker: Any
    running: dict[str, Running]
    executor: Any
    bell: Bell
    is_plain: bool
    _is_loose: bool
    _main: Running | None
    _warm: bool
    _home: int
    talk: Conversation
    grace_is_over = False

    @property
    def hears_signals(self) -> bool:
        """Whether the loop runs in the main thread, the only one that signals reach."""
        return self._home == threading.main_thread().ident

    def warm_shutdown_begins(self) -> None:
        """To be said by the main loop, which may write to the server."""
        if self.worker.shutdown_grace is not None:
            timer = threading.Timer(self.worker.shutdown_grace, self._end_grace)
            timer.daemon = True
            timer.start()
        if self._main is not None and self.worker._horse_pid:  # of a plain horse: the main thread waits for it
            self._say_warm()
            return
        self._warm = True
        self.bell.ring()

    def _say_warm(self) -> None:
        self.talk.hurry()
        try:
            self.worker.set_shutdown_requested_date()
        except Exception as error:
            self.worker.log.debug('Worker %s: the request is not on record: %s', self.worker.name, error)
        self.worker.handle_warm_shutdown_request()

    def _end_grace(self) -> None:
        """In the timer's thread: a main thread that is not in the loop is fetched out of the job by a signal."""
        self.grace_is_over = True
        self.bell.ring()
        if self._is_out() and self.hears_signals:
            signal.pthread_kill(self._home, signal.SIGTERM)

    def _is_out(self) -> bool:
        """Whether the main thread runs the job itself, or waits for a horse that it forked by itself."""
        return self._main is not None and (self.executor.is_inline or self.is_plain)

    def interrupt_all(self) -> None:
        """The grace of the shutdown is over: what runs is to be handed back."""
        for running in self.running.values():
            running.watch.interrupted = True

    def interrupted(self, running: Running) -> None:
        """The same for the job that the main thread was fetched out of."""
        self.worker.log.warning('Worker %s: the grace of the shutdown is over', self.worker.name)
        running.failure = running.failure or running.job._failure
        after.interrupt(self, running)

    def cold_shutdown_begins(self) -> None:
        """User code in this process is interrupted here; horses are killed by `attend`."""
        if not self.grace_is_over:
            self.worker.log.warning('Worker %s: cold shut down', self.worker.name)
        self.bell.ring()
        if self._main is not None and self.worker._horse_pid:  # of a plain horse: the main thread waits for it
            self.worker.kill_horse()
            self.worker.wait_for_horse()
        if self._is_out():
            raise ColdShutdown

    def stop_job(self, job_id: str) -> bool:
        """Have a running job killed and recorded as stopped, if it can be."""
        for running in list(self.running.values()):
            if running.lease.job_id == job_id and (not self.executor.is_inline or running is not self._main):
                if self._is_loose and self.executor.pid_of(running) is None:
                    return plain.stop(self.worker, job_id)
                running.watch.stop_requested = True
                self.worker._stopped_job_id = job_id
                return True
        return False

    def kill_horses(self, signum: int) -> bool:
        """Signal the processes of what runs in horses of the executor; False when there are none."""
        mounted = [one for one in list(self.running.values()) if self.executor.pid_of(one)]
        for running in mounted:
            self.executor.kill(running, signum)
        return bool(mounted)
