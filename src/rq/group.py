"""Group: a named set of jobs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Self
from uuid import uuid4

from rq.exceptions import NoSuchGroupError
from rq.job import Job
from rq.store import keys, read
from rq.utils import missing_keys

if TYPE_CHECKING:
    from redis import Redis
    from redis.client import Pipeline

    from rq.queue import EnqueueData, Queue

PAGE = 1000


class Group:
    """Jobs that belong together; it exists in Redis as long as it has any."""

    REDIS_GROUP_NAME_PREFIX = keys.GROUP_PREFIX
    REDIS_GROUP_KEY = keys.GROUPS
    REDIS_GROUP_CLEANING_KEY = keys.CLEAN_GROUPS

    def __init__(self, connection: Redis, name: str | None = None) -> None:
        self.name = name or uuid4().hex
        self.connection: Any = connection
        self.key = self.get_key(self.name)

    def __repr__(self) -> str:
        return f'Group(name={self.name!r})'

    @classmethod
    def get_key(cls, name: str) -> str:
        """The key of a group's set."""
        return keys.group(name)

    @classmethod
    def create(cls, connection: Redis, name: str | None = None) -> Self:
        """A new group; nothing is written until it has jobs."""
        return cls(connection, name)

    @classmethod
    def fetch(cls, name: str, connection: Redis) -> Self:
        """An existing group; `NoSuchGroupError` when it has no jobs."""
        if not connection.exists(cls.get_key(name)):
            raise NoSuchGroupError(f'No such group: {name!r}; it was never used, or all of its jobs are gone')
        return cls(connection, name)

    @classmethod
    def all(cls, connection: Redis) -> list[Self]:
        """Every group; names of those that are empty are dropped."""
        members: Any = connection.smembers(cls.REDIS_GROUP_KEY)
        found = []
        for name in read.texts(sorted(members)):
            try:
                found.append(cls.fetch(name, connection))
            except NoSuchGroupError:
                connection.srem(cls.REDIS_GROUP_KEY, name)
        return found

    @classmethod
    def acquire_maintenance_lock(cls, connection: Redis, timeout: int) -> bool:
        """Whether the caller may clean the groups now; nobody else may for `timeout` seconds."""
        return bool(connection.set(cls.REDIS_GROUP_CLEANING_KEY, 1, nx=True, ex=timeout))

    @classmethod
    def clean_registries(cls, connection: Redis) -> None:
        """Clean every group, and drop empty ones."""
        for group in cls.all(connection):
            group.cleanup()
            if not connection.exists(group.key):
                connection.srem(cls.REDIS_GROUP_KEY, group.name)

    def enqueue_many(
        self, queue: Queue, job_datas: Iterable[EnqueueData], pipeline: Pipeline | None = None
    ) -> list[Job]:
        """Enqueue jobs that belong to this group; a given pipeline is executed."""
        target = self.connection.pipeline() if pipeline is None else pipeline
        jobs = queue.enqueue_many(job_datas, pipeline=pipeline, group_id=self.name)
        if jobs:
            target.sadd(self.key, *(job.id for job in jobs))
            target.sadd(self.REDIS_GROUP_KEY, self.name)
        target.execute()
        return jobs

    def get_jobs(self) -> list[Job]:
        """Those of its jobs that still exist."""
        self.cleanup()
        found = Job.fetch_many(self._ids(), self.connection)
        return [job for job in found if job is not None]

    def delete_job(self, job_id: str, pipeline: Pipeline | None = None) -> None:
        """A job leaves the group."""
        target: Any = self.connection if pipeline is None else pipeline
        target.srem(self.key, job_id)

    def cleanup(self) -> None:
        """Forget jobs that no longer exist."""
        ids = self._ids()
        for start in range(0, len(ids), PAGE):
            known = {keys.job(each): each for each in ids[start : start + PAGE]}
            gone = missing_keys(self.connection, list(known))
            if gone:
                self.connection.srem(self.key, *(known[key] for key in gone))

    def _ids(self) -> list[str]:
        return read.texts(sorted(self.connection.smembers(self.key)))
