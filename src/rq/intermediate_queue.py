"""IntermediateQueue: where single-queue workers of RQ 3.0 park an id between taking it and starting it.

Ours take a job in one step and park nothing; this is for what others left there.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from rq.rules.timing import from_epoch
from rq.store import keys, read, start
from rq.store.call import run

if TYPE_CHECKING:
    from redis import Redis

STUCK_SECONDS = 60


class IntermediateQueue:
    """The intermediate list of one queue."""

    def __init__(self, queue_key: str, connection: Redis) -> None:
        self.queue_key = queue_key
        self.key = self.get_intermediate_queue_key(queue_key)
        self.connection: Any = connection

    @classmethod
    def get_intermediate_queue_key(cls, queue_key: str) -> str:
        """The key of the list."""
        return keys.intermediate(queue_key)

    def get_first_seen_key(self, job_id: str) -> str:
        """The key that holds since when an id is known to stand here."""
        return f'{self.key}:first_seen:{job_id}'

    def set_first_seen(self, job_id: str) -> bool:
        """Note that an id was seen here for the first time; False when that is known already."""
        return bool(self.connection.set(self.get_first_seen_key(job_id), self._moment(), nx=True, ex=86400))

    def get_first_seen(self, job_id: str) -> datetime | None:
        """Since when an id is known to stand here."""
        seen = self.connection.get(self.get_first_seen_key(job_id))
        return None if seen is None else from_epoch(float(seen))

    def should_be_cleaned_up(self, job_id: str) -> bool:
        """Whether it was first seen more than a minute ago."""
        seen = self.get_first_seen(job_id)
        return seen is not None and from_epoch(self._moment()) - seen > timedelta(seconds=STUCK_SECONDS)

    def _moment(self) -> float:
        return read.server_time(self.connection)  # who looks first and who looks again may have different clocks

    def get_job_ids(self) -> list[str]:
        """The ids in here."""
        return read.texts(self.connection.lrange(self.key, 0, -1))

    def remove(self, job_id: str) -> None:
        """Take an id out."""
        self.connection.lrem(self.key, 1, job_id)

    def cleanup(self, worker: Any, queue: Any) -> None:
        """Put ids that were left here for more than a minute back, uncharged, because they never started.

        Each one is named first and judged a minute later: its worker may just be about to start it.
        """
        for job_id in self.get_job_ids():
            if job_id in queue.started_job_registry:
                continue
            if not self.connection.exists(queue.job_class.key_for(job_id)):
                self.remove(job_id)
            elif not self.set_first_seen(job_id) and self.should_be_cleaned_up(job_id):
                call = start.recover(queue.name, self.queue_key, job_id, self.get_first_seen_key(job_id))
                answer = run(self.connection, call)
                worker.log.warning('Worker %s: job %s was stuck in intermediate queue, %s', worker.name, job_id, answer)
