"""The inline executor: the job runs here, in the worker's own process and thread, like RQ's SimpleWorker."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from rq.executors.base import Ended, Running


class Inline:
    """Runs a job when it is started; `poll` then tells that it has ended. Nothing can be killed."""

    capacity = 1
    is_inline = takes_batches = True
    has_slots = False
    stuck = 0
    rescues_while_busy = False
    lease_seconds = 0

    def __init__(self, ride_job: Callable[[Running], None], ride_failure: Callable[[Running], None]) -> None:
        self._ride_job, self._ride_failure = ride_job, ride_failure
        self._ended: list[Ended] = []
        #: entered around user code, which may take long
        self.user_code: Callable[[], AbstractContextManager[None]] = nullcontext

    def open(self) -> None:
        """There is nothing to open."""

    def prepare(self, expected: int = 1) -> None:
        """There is nothing to prepare."""

    def start(self, running: Running) -> None:
        """Run the job to its end."""
        with self.user_code():
            self._ride_job(running)
        self._ended.append(Ended(running, reported=True))

    def resume(self, running: Running) -> None:
        """Take the failure's steps here."""
        self._ride_failure(running)
        self._ended.append(Ended(running, reported=True))

    def poll(self) -> list[Ended]:
        """What has ended; its settlement is in the worker's outbox already."""
        ended, self._ended = self._ended, []
        return ended

    def pulse(self) -> None:
        """Nobody to tell: a frozen worker is a frozen job."""

    def pid_of(self, running: Running) -> int | None:
        """No process of its own."""
        return None

    def kill(self, running: Running, signum: int = 9) -> None:
        """Not possible: the job is the worker."""

    def descriptors(self) -> list[int]:
        """Nothing to wait for."""
        return []

    def close(self) -> None:
        """Nothing to let go of."""
