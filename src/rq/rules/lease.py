"""Lease: whose claim on which execution, and until when it holds. Arithmetic only; the clock is the server's."""

from __future__ import annotations

from typing import NamedTuple

from rq.defaults import LEASE_SECONDS, WIP_SECONDS

#: names of those who clean a registry by hand begin so; they are no workers, and no result names them
CLEANER = 'cleanup.'


class Lease(NamedTuple):
    """A claim on one execution. Its member in the wip set is what counts; the times are for renewals."""

    job_id: str
    execution: str
    queue: str
    worker: str
    lease_ms: int = LEASE_SECONDS * 1000
    wip_seconds: int = WIP_SECONDS

    @property
    def member(self) -> str:
        """The composite key in wip and lease sets."""
        return f'{self.job_id}:{self.execution}'


def is_of_batch(execution_id: str) -> bool:
    """Whether it was claimed together with others: then its record is made when there is something to say of it."""
    return execution_id.startswith('x')


def own_process_seconds(timeout: float | None) -> int:
    """Seconds of the lease of a job that runs in the process which renews: RQ's SimpleWorker ttl."""
    if timeout is None:
        timeout = 180
    return 420 if timeout < 0 else int(timeout) + 60
