"""`Dependency` of this address (not that of `rq.job`): which of some jobs need not wait for others."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from redis.client import Pipeline

    from rq.job import Job


class Dependency:
    """For programs that enqueue in bulk by hand; `Queue.enqueue_many` does it in one step."""

    @classmethod
    def get_jobs_with_met_dependencies(cls, jobs: Iterable[Job], pipeline: Pipeline) -> tuple[list[Job], list[Job]]:
        """Register the dependencies of saved jobs, now; those that need not wait, and those that must."""
        met: list[Job] = []
        unmet: list[Job] = []
        waiting = list(jobs)
        for job in waiting:
            job.register_dependency(pipeline=pipeline)
        pipeline.execute()
        # Looked at only after all are registered: a dependency that ends in between then finds them.
        for job in waiting:
            (met if job.dependencies_are_met() else unmet).append(job)
        return met, unmet
