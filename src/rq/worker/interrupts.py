"""What signals and commands do to a loop: stop after the job, stop at once, stop a job, kill its horse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rq.exceptions import ColdShutdown
from rq.executors.base import Running
from rq.supervision.bell import Bell
from rq.worker import plain


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
    _say_warm: Callable[[], None]
    _inline_busy: Callable[[], bool]

    def warm_shutdown_begins(self) -> None:
        """To be said by the main loop, which may write to the server."""
        if self._main is not None and self.worker._horse_pid:  # of a plain horse: the main thread waits for it
            self._say_warm()
            return
        self._warm = True
        self.bell.ring()

    def cold_shutdown_begins(self) -> None:
        """User code in this process is interrupted here; horses are killed by `attend`."""
        self.worker.log.warning('Worker %s: cold shut down', self.worker.name)
        self.bell.ring()
        if self._main is not None and self.worker._horse_pid:  # of a plain horse: the main thread waits for it
            self.worker.kill_horse()
            self.worker.wait_for_horse()
        if self._main is not None and (self._inline_busy() or self.is_plain):
            raise ColdShutdown

    def stop_job(self, job_id: str) -> bool:
        """Have a running job killed and recorded as stopped, if it can be."""
        for running in list(self.running.values()):
            if running.lease.job_id == job_id and not self._inline_busy():
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
