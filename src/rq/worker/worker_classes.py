"""The public workers: each is a choice of parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rq.executors.horses import Stable
from rq.executors.inline import Inline
from rq.worker import riding
from rq.worker.base import BaseWorker

if TYPE_CHECKING:
    from rq.executors.base import Executor
    from rq.worker.loop import Loop


class Worker(BaseWorker):
    """Runs each job in a fresh work horse, a forked process; a crash of the job is no crash of the worker."""

    def make_executor(self, loop: Loop) -> Executor:
        """A stable of horses, one job each."""
        return Stable(
            riding.brief_of,
            lambda brief, reporter: riding.ride_job(self, brief, reporter),
            lambda running, reporter: riding.ride_failure(self, running, reporter),
            riding.rehearsal(self),
            loop.prepare_child,
            loop.noted,
            self.lease_seconds,
        )


class SimpleWorker(BaseWorker):
    """Runs each job in its own process: faster to start, but a crash of the job is a crash of the worker."""

    def make_executor(self, loop: Loop) -> Executor:
        """This very process."""
        return Inline(lambda running: riding.run_here(self, running), lambda running: riding.fail_here(self, running))
