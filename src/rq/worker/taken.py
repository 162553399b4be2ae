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
from rq.utils import now
from rq.worker.plain import is_ours


def of_claim(worker: Any, lease_seconds: float, claimed: Claimed, begun: bool, queue: Any) -> Running:
    """A job that was taken from a queue. `begun`: nobody is to be told when it begins."""
    job = _blank_job(worker)
    job._id = claimed.job_id
    job.restore_claimed(claimed.raw)
    job.origin = job.origin or queue.name
    job._status, job.worker_name = JobStatus.STARTED, worker.name
    job.started_at = job.last_heartbeat = from_epoch(claimed.at)
    job._ahead = claimed.at - time.monotonic()
    running = _running(worker, lease_seconds, job, queue, claimed)
    running.begun = begun
    return running


def _blank_job(worker: Any) -> Any:
    """A job of the worker's class; those after the first one are copies of it, made at a tenth of the cost."""
    known = worker.__dict__.get('_blank')
    if known is None or known[0] != (worker.job_class, worker.connection, worker.serializer):
        job = worker.job_class(connection=worker.connection, serializer=worker.serializer)
        own = {name: type(value) for name, value in vars(job).items() if type(value) in (list, dict)}
        same = (worker.job_class, worker.connection, worker.serializer)
        worker._blank = (same, vars(job).copy(), own) if is_ours(worker.job_class, '__init__') else None
        return job
    job = known[0][0].__new__(known[0][0])
    job.__dict__.update(known[1])
    for name, kind in known[2].items():
        job.__dict__[name] = kind()
    job.created_at = now()
    return job


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
