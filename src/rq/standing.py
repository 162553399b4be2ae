"""HasStatus: the part of a Job that knows where it stands. Verbs of the store write it, and here RQ's own API."""

from __future__ import annotations

import time
import warnings
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rq import stairs
from rq.exceptions import InvalidJobOperation
from rq.rules.record import JobRecord
from rq.rules.status import JobStatus
from rq.rules.timing import from_epoch, utcformat
from rq.store import keys, read
from rq.utils import now

if TYPE_CHECKING:
    from redis.client import Pipeline


class HasStatus(JobRecord):
    """Mixin of Job. `_stored_status` is the status this object has read or written itself."""

    connection: Any
    _stored_status: JobStatus | None
    _ahead: float | None = None  # the server's clock minus this machine's steady one, as a claim has told

    def _moment(self) -> datetime:
        """By the server's clock while it runs: this machine's may be wrong, or be set meanwhile."""
        return now() if self._ahead is None else from_epoch(time.monotonic() + self._ahead)

    def get_status(self, refresh: bool = True) -> JobStatus:
        """The status, read again unless `refresh=False`; `InvalidJobOperation` when there is none to read."""
        if refresh:
            self._take_status(read.field(self.connection, self.id, 'status'))
        if self._status is None:
            raise InvalidJobOperation(f'Job {self.id} has no status yet')
        return self._status

    def _take_status(self, stored: bytes | None) -> None:
        if stored is None:
            raise InvalidJobOperation(f'Job {self.id} has no stored status: it was never saved, or is gone')
        try:
            self._status = self._stored_status = JobStatus(stored.decode())
        except ValueError as error:
            raise InvalidJobOperation(f'Job {self.id}: {stored!r} is no status this version knows') from error

    def set_status(self, status: JobStatus, pipeline: Pipeline | None = None) -> None:
        """Overwrite the stored status; for programs that keep books of their own. Nothing of ours calls it."""
        self._status = self._stored_status = status
        target: Any = self.connection if pipeline is None else pipeline
        target.hset(keys.job(self.id), 'status', status)

    @property
    def status(self) -> JobStatus:
        """The status, read again; setting it overwrites what is stored. Deprecated: `get_status()`, `set_status()`."""
        warnings.warn('job.status is deprecated: use job.get_status()', DeprecationWarning, stacklevel=2)
        return self.get_status()

    @status.setter
    def status(self, value: JobStatus | str) -> None:
        warnings.warn('job.status = ... is deprecated: use job.set_status(...)', DeprecationWarning, stacklevel=2)
        self.set_status(JobStatus(value))

    def get_id(self) -> str:
        """Its id; deprecated: `job.id`."""
        stairs.tell_old('job.get_id()', 'job.id')
        return self.id

    def set_id(self, value: str) -> None:
        """Give it an id; deprecated: `job.id = ...`."""
        stairs.tell_old('job.set_id()', 'job.id = ...')
        self.id = value

    def prepare_for_execution(self, worker_name: str, pipeline: Any) -> None:
        """Mark the record as started in the given pipeline; for programs that run jobs themselves."""
        self.worker_name, self.last_heartbeat = worker_name, now()
        self.started_at, self._status = self.last_heartbeat, JobStatus.STARTED
        moment = utcformat(self.started_at)
        fields = {'last_heartbeat': moment, 'status': self._status, 'started_at': moment, 'worker_name': worker_name}
        pipeline.hset(keys.job(self.id), mapping=fields)

    is_canceled = property(lambda self: self.get_status() is JobStatus.CANCELED, doc='Whether it was canceled.')
    is_deferred = property(lambda self: self.get_status() is JobStatus.DEFERRED, doc='Whether it waits for others.')
    is_failed = property(lambda self: self.get_status() is JobStatus.FAILED, doc='Whether it failed for good.')
    is_finished = property(lambda self: self.get_status() is JobStatus.FINISHED, doc='Whether it succeeded.')
    is_queued = property(lambda self: self.get_status() is JobStatus.QUEUED, doc='Whether it waits for a worker.')
    is_ready_to_enqueue = property(
        lambda self: self.get_status() is JobStatus.READY_TO_ENQUEUE, doc='Whether nothing keeps it from its queue.'
    )
    is_scheduled = property(lambda self: self.get_status() is JobStatus.SCHEDULED, doc='Whether it waits for a time.')
    is_started = property(lambda self: self.get_status() is JobStatus.STARTED, doc='Whether it runs.')
    is_stopped = property(lambda self: self.get_status() is JobStatus.STOPPED, doc='Whether it was stopped.')
