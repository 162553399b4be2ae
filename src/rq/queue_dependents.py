"""ReleasesDependents: the part of a Queue that lets those go on who waited for other jobs.

Workers do this inside the script that writes an outcome. Here: the same for programs, and for bulk enqueueing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rq.job import Job
from rq.queue_view import QueueView
from rq.registry import ReadyJobRegistry
from rq.rules.status import JobStatus
from rq.store import promote
from rq.store.call import enqueue_on, run
from rq.utils import now

if TYPE_CHECKING:
    from redis.client import Pipeline

BULK = 500  # jobs per write


class ReleasesDependents(QueueView):
    """Part of Queue."""

    def move_dependents_to_ready(
        self,
        job: Job,
        pipeline: Pipeline | None = None,
        exclude_job_id: str | None = None,
        refresh_job_status: bool = True,
    ) -> dict[str, list[str]]:
        """Register dependents that wait for nothing any more as ready; returns their ids by the name of their queue.

        A pipeline must be watching, and is in MULTI afterwards when there are any.
        """
        if pipeline is not None and not pipeline.watching:
            raise ValueError('move_dependents_to_ready needs a watching pipeline: call pipeline.watch() first')
        parent = None if exclude_job_id == job.id else job
        found = self.job_class.fetch_many(job.dependent_ids, self.connection, self.serializer)
        ready: dict[str, list[str]] = {}
        for child in found:
            if child is None or child.get_status(refresh=False) is not JobStatus.DEFERRED:
                continue
            if child.dependencies_are_met(parent, exclude_job_id=exclude_job_id, refresh_job_status=refresh_job_status):
                ready.setdefault(child.origin, []).append(child.id)
        ids = [each for some in ready.values() for each in some]
        if ids:
            call = promote.make_ready(job.id, ids)
            begin_multi(pipeline)
            run(self.connection, call) if pipeline is None else enqueue_on(pipeline, call)
        return ready

    def enqueue_ready_jobs_by_queue(self, job_ids_by_queue_name: dict[str, list[str]]) -> None:
        """Enqueue jobs that are registered as ready; a queue whose turn fails is logged, and left to maintenance."""
        for name, ids in job_ids_by_queue_name.items():
            try:
                ReadyJobRegistry(name, self.connection, self.job_class, serializer=self.serializer).enqueue_jobs(ids)
            except Exception as error:
                self.log.error('Queue %s: ready jobs were not enqueued, maintenance will: %s', name, error)

    def enqueue_dependents(
        self, job: Job, exclude_job_id: str | None = None, refresh_job_status: bool = True
    ) -> dict[str, list[str]]:
        """Enqueue those who waited for this job and for nothing else; returns their ids by queue."""
        words: Any = {'exclude_job_id': exclude_job_id, 'refresh_job_status': refresh_job_status}
        ready = self.move_dependents_to_ready(job, **words)
        self.enqueue_ready_jobs_by_queue(ready)
        return ready

    def _examine(self, jobs: list[Job]) -> list[Job]:
        """Of jobs registered as deferred, enqueue those that wait for nothing; these come last."""
        went: set[str] = set()
        for start in range(0, len(jobs), BULK):
            some = [job.id for job in jobs[start : start + BULK]]
            for ids in run(self.connection, promote.promote_ready(some)).values():
                went.update(ids)
        met = [job for job in jobs if job.id in went]
        for job in met:
            job.enqueued_at, job._status = now(), JobStatus.QUEUED
            job._stored_status = job._status
        return [job for job in jobs if job.id not in went] + met


def begin_multi(pipeline: Any) -> None:
    """A caller's pipeline buffers from here on, also one that watches; what it buffers already may stay as it is."""
    if pipeline is not None and not getattr(pipeline, 'explicit_transaction', True) and not pipeline.command_stack:
        pipeline.multi()


def are_met(job: Job, pipeline: Any) -> bool:
    """Whether nothing a job depends on is missing now; a pipeline watches what was looked at."""
    wanted = ('finished', 'failed') if job.allow_dependency_failures else ('finished',)
    found = job.fetch_dependencies(watch=pipeline is not None, pipeline=pipeline)
    return all(one.get_status(refresh=False).value in wanted for one in found)
