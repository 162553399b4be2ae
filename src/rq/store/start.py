"""Running a job that no claim took: an execution on request, its begin; ids that RQ 3.0 workers left. Typed faces."""

from __future__ import annotations

from rq.rules.lease import Lease
from rq.store import keys
from rq.store.call import Argument, Call, text
from rq.store.scripts import load


def _moment(reply: bytes | None) -> float | None:
    return None if reply is None else float(reply)


def prepare(lease: Lease, ttl: int, state: str = '', now: float | str = '') -> Call[float | None]:
    """Make an execution and its lease for `ttl` seconds, unless it has one; when (epoch), None without a record."""
    names = [keys.job(lease.job_id), keys.worker(lease.worker)]
    words: list[Argument] = [now, lease.job_id, lease.queue, lease.execution, lease.worker, ttl, state]
    return Call(load('prepare'), names, words, _moment)


def start(lease: Lease, ttl: int, unlist: bool, list_key: str, now: float | str = '') -> Call[str]:
    """The job is started; answers ok, lost (its execution was taken from us) or gone. An execution '' is none."""
    names = [
        keys.job(lease.job_id),
        keys.worker(lease.worker),
        keys.worker_executions(lease.worker),
        keys.wip(lease.queue),
        keys.intermediate(list_key),
        keys.execution(lease.job_id, lease.execution),
        keys.leases(lease.queue),
    ]
    member = lease.member if lease.execution else ''
    return Call(load('start'), names, [now, lease.job_id, member, lease.worker, ttl, int(unlist)], text)


def recover(queue_name: str, list_key: str, job_id: str, first_seen: str, now: float | str = '') -> Call[str]:
    """Back to the front of its queue, uncharged; answers recovered, or dropped when it has its place elsewhere."""
    names = [keys.intermediate(list_key), list_key, keys.wake(queue_name), keys.job(job_id), first_seen]
    return Call(load('recover'), names, [now, job_id], text)
