"""HasDependencies: the part of a Job that knows for whom it waits, and who waits for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from rq.exceptions import NoSuchJobError
from rq.rules.dependencies import flatten
from rq.rules.record import JobRecord
from rq.rules.status import JobStatus
from rq.store import keys, read
from rq.utils import current_timestamp

if TYPE_CHECKING:
    from redis.client import Pipeline

#: ends of a dependency that never release those who wait for it
_NEVER = (JobStatus.CANCELED, JobStatus.STOPPED)


class HasDependencies(JobRecord):
    """Mixin of Job."""

    connection: Any
    _dependency: Any = None

    @property
    def _class(self) -> Any:
        return type(self)

    @classmethod
    def dependents_key_for(cls, job_id: str) -> str:
        """The key of the set of those who wait for a job."""
        return keys.dependents(job_id)

    @property
    def dependents_key(self) -> str:
        """The key of the set of those who wait for this job."""
        return keys.dependents(self.id)

    @property
    def dependencies_key(self) -> str:
        """The key of the set of those this job waits for."""
        return keys.dependencies(self.id)

    @property
    def dependent_ids(self) -> list[str]:
        """Ids of those who wait for this job."""
        return read.texts(sorted(self.connection.smembers(self.dependents_key)))

    @property
    def dependency_ids(self) -> list[str]:
        """Ids of those this job waits for, as registered."""
        return read.texts(sorted(self.connection.smembers(self.dependencies_key)))

    @property
    def dependency(self) -> Self | None:
        """The first dependency as a job, kept; None without one, or when it is gone."""
        if self._dependency is None and self._dependency_ids:
            try:
                self._dependency = self._class.fetch(self._dependency_ids[0], self.connection, self.serializer)
            except NoSuchJobError:
                return None
        found: Self | None = self._dependency
        return found

    def process_dependencies(self, depends_on: Any) -> None:
        """Turn `depends_on` into ids and flags; `ValueError` for what is no dependency."""
        ids, allow_failure, at_front = flatten(depends_on)
        if ids:
            self._dependency_ids, self._dependency_id = ids, ids[0]
            self.allow_dependency_failures, self.enqueue_at_front = allow_failure, at_front

    def fetch_dependencies(self, watch: bool = False, pipeline: Any = None) -> list[Any]:
        """The dependencies that exist; with `watch`, the pipeline watches their keys."""
        ids = self._dependency_ids
        if watch and pipeline is not None and ids:
            pipeline.watch(*(keys.job(each) for each in ids))
        found = self._class.fetch_many(ids, self.connection, self.serializer)
        return [job for job in found if job is not None]

    def dependencies_are_met(
        self,
        parent_job: Any = None,
        pipeline: Any = None,
        exclude_job_id: str | None = None,
        refresh_job_status: bool = True,
    ) -> bool:
        """Whether nothing this job waits for is missing; with a pipeline, that watches what was looked at.

        A given parent counts as ended, unless it was canceled or stopped, or failed where that is not allowed.
        """
        ids = set(self.dependency_ids) - {exclude_job_id}
        if parent_job is not None:
            status = parent_job.get_status(refresh=refresh_job_status)
            if status in _NEVER or (status is JobStatus.FAILED and not self.allow_dependency_failures):
                return False
            ids.discard(parent_job.id)
        if pipeline is not None and ids:
            pipeline.watch(*(keys.job(each) for each in ids))
        wanted = {JobStatus.FINISHED, JobStatus.FAILED} if self.allow_dependency_failures else {JobStatus.FINISHED}
        return all(status in wanted for status in read.statuses(self.connection, ids) if status is not None)

    def register_dependency(self, pipeline: Pipeline | None = None) -> None:
        """Register the job as deferred, and with each of its dependencies; for programs with books of their own."""
        target: Any = self.connection.pipeline() if pipeline is None else pipeline
        target.zadd(keys.place('deferred', self.origin), {self.id: current_timestamp()})
        for each in self._dependency_ids:
            target.sadd(keys.dependents(each), self.id)
            target.sadd(self.dependencies_key, each)
        if pipeline is None:
            target.execute()

    def delete_dependents(self, pipeline: Pipeline | None = None) -> None:
        """Delete everybody who waits for this job, and the list of them."""
        target: Any = self.connection if pipeline is None else pipeline
        for job in self._class.fetch_many(self.dependent_ids, self.connection, self.serializer):
            if job is not None:
                job.delete(pipeline=pipeline, remove_from_queue=False, delete_dependents=True)
        target.delete(self.dependents_key)
