"""What was claimed or adopted becomes a Running: job, queue, execution and lease of one attempt."""

from __future__ import annotations

import time
from typing import Any

from rq.defaults import RECOVERY_PAUSE
from rq.executions import Execution, prepare_execution
from rq.executors.base import Running
from rq.failure.orphans import failure_of, job_of
from rq.rules.keeping import OUTPUT, keeps
from rq.rules.lease import Lease, own_process_seconds
from rq.rules.status import JobStatus
from rq.rules.timing import from_epoch
from rq.store.claim import Claimed, Orphan


def of_claim(worker: Any, lease_seconds: float, claimed: Claimed, begun: bool) -> Running:
    """A job that was taken from a queue. `begun`: nobody is to be told when it begins."""
    queue = worker.queue_at(claimed.queue)
    job = worker.job_class(connection=worker.connection, serializer=worker.serializer)
    job._id = claimed.job_id
    job.restore_claimed(claimed.raw)
    job.origin = job.origin or queue.name
    job._status, job.worker_name = JobStatus.STARTED, worker.name
    job.started_at = job.last_heartbeat = from_epoch(claimed.at)
    job._ahead = claimed.at - time.monotonic()
    running = _running(worker, lease_seconds, job, queue, claimed)
    running.begun = begun
    return running


def of_orphan(worker: Any, lease_seconds: float, queue_name: str, orphan: Orphan) -> Running:
    """An execution whose worker was lost, with what failed."""
    job = job_of(orphan, worker.job_class, worker.connection, worker.serializer)
    job.origin = job.origin or queue_name
    running = _running(worker, lease_seconds, job, worker.queue_named(queue_name), orphan)
    running.failure, running.told = failure_of(orphan), orphan.told
    running.failure.pause = RECOVERY_PAUSE * max(orphan.times_lost - 1, 0)
    return running


def of_theirs(worker: Any, job: Any, queue: Any) -> Running:
    """A job that the `dequeue_any` of somebody's queue class took."""
    execution = prepare_execution(worker, job)
    return Running(job, queue, execution, worker.leases[execution.id], {}, begun=True)


def _running(worker: Any, lease_seconds: float, job: Any, queue: Any, taken: Claimed | Orphan) -> Running:
    execution = Execution(taken.execution, job.id, worker.connection, worker.name)
    lease = Lease(job.id, taken.execution, job.origin, worker.name, int(lease_seconds * 1000))
    if lease_seconds == 0:
        seconds = own_process_seconds(job.timeout)
        lease = lease._replace(lease_ms=seconds * 1000, wip_seconds=seconds)
    return Running(job, queue, execution, lease, taken.raw, keeps_output=keeps(OUTPUT, job, worker))
