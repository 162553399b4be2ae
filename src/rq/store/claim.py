"""Taking jobs and keeping them: claim, begin, renew, note, rescue. Typed faces."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from rq.defaults import LEASE_SECONDS, POISON_WINDOW, WIP_SECONDS
from rq.rules.lease import Lease
from rq.store import codec, keys
from rq.store.aside import put_aside
from rq.store.call import Argument, Call, text
from rq.store.read import shown
from rq.store.scripts import load

#: ids a claim looks at before it returns, so that a list full of dead ids cannot hold the server
TURNS = 100


class Claimed(NamedTuple):
    """A job taken: from which queue (its place in the given order), under which execution, and its hash."""

    queue: int
    job_id: str
    execution: str
    at: float
    raw: dict[bytes, bytes]


class Claims(NamedTuple):
    """What a claim found. `more`: it ran out of turns, ask again. `dropped`: ids that had no business there.

    `aside`: what cannot be worked on, and has just been set aside, with the reasons.
    """

    taken: list[Claimed]
    dropped: list[bytes]
    more: bool
    suspended: bool = False
    aside: Sequence[tuple[str, str]] = ()


class Orphan(NamedTuple):
    """An adopted execution: under our new execution id, with what was noted by its lost worker."""

    job_id: str
    execution: str
    lost_worker: str
    times_lost: int
    failure: dict[str, Any] | None
    told: int
    at: float
    raw: dict[bytes, bytes]


class Rescued(NamedTuple):
    """What a rescue found: orphans to fail or retry, and the number of jobs put back because they never began.

    `is_early`: leases have run out, but it is too early to tell whether their owners live; ask again.
    """

    orphans: list[Orphan]
    released: int
    is_early: bool = False
    aside: Sequence[tuple[str, str]] = ()


def _claims(reply: list[Any]) -> Claims:
    taken = [
        Claimed(number - 1, job_id.decode(), execution.decode(), at / 1e6, codec.pairs(raw))
        for number, job_id, execution, at, raw in reply[0]
    ]
    return Claims(taken, reply[1], bool(reply[2]), bool(reply[3]), put_aside(reply[4]))


def claim(
    worker: str,
    queues: Sequence[str],
    executions: Sequence[str],
    lease_seconds: float = LEASE_SECONDS,
    begun: bool = False,
    repeated: bool = False,
    streak: bool = False,
    now: float | str = '',
) -> Call[Claims]:
    """Take up to as many jobs as execution ids are given, from the queues in this order.

    `lease_seconds` 0: by each job's timeout, for jobs run in the process that renews. A call that is sent again with
    the same execution ids gives what it took before; `repeated` says so to a server that may have forgotten the worker.
    `streak`: the worker took a job a moment ago and says `repeated` itself, so the books know that it is busy.
    """
    names = [keys.worker(worker)]
    for queue in queues:
        names += [keys.queue(queue), keys.aside(queue), keys.wake(queue)]
    head: list[Argument] = [
        now,
        worker,
        int(lease_seconds * 1000),
        WIP_SECONDS,
        max(TURNS, len(executions)),
        int(begun),
        int(repeated),
    ]
    head.append(int(streak and not repeated))
    return Call(load('claim'), names, [*head, len(queues), *queues, *executions], _claims)


def begin(lease: Lease) -> Call[str]:
    """User code may run from here on."""
    names = [keys.wip(lease.queue), keys.execution(lease.job_id, lease.execution)]
    return Call(load('begin'), names, ['', lease.member, 86400], text)


def renew(worker: str, leases: Sequence[Lease], now: float | str = '') -> Call[list[bool]]:
    """The named executions are alive; False for each one that is no longer ours."""
    names = [keys.worker_executions(worker)]
    arguments: list[Argument] = [now]
    for lease in leases:
        names += [
            keys.job(lease.job_id),
            keys.wip(lease.queue),
            keys.leases(lease.queue),
            keys.executions(lease.job_id),
            keys.execution(lease.job_id, lease.execution),
        ]
        arguments += [lease.member, lease.execution, lease.lease_ms, lease.wip_seconds]
    return Call(load('renew'), names, arguments, lambda reply: [one == b'ok' for one in reply])


def note(lease: Lease, failure: dict[str, Any], told: int, now: float | str = '') -> Call[bool]:
    """Remember a failure on its execution for a day; False when the execution is no longer ours."""
    names = [keys.wip(lease.queue), keys.execution(lease.job_id, lease.execution)]
    arguments: list[Argument] = [now, lease.member, json.dumps(failure), told, 86400]
    return Call(load('note'), names, arguments, lambda reply: reply == b'ok')


def noted(raw: bytes | None) -> dict[str, Any] | None:
    """The failure in the field that `note` wrote; None where there is none."""
    try:
        value = json.loads(raw) if raw else None
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _rescued(reply: list[Any]) -> Rescued:
    orphans = [
        Orphan(
            shown(job_id), execution.decode(), shown(lost), int(times), noted(failure), int(told), at / 1e6,
            codec.pairs(raw),
        )
        for job_id, execution, lost, times, failure, told, at, raw in reply[0]
    ]  # fmt: skip
    return Rescued(orphans, int(reply[1]), bool(reply[2]), put_aside(reply[3]))


def rescue(
    queue: str,
    worker: str,
    executions: Sequence[str],
    lease_seconds: float = LEASE_SECONDS,
    now: float | str = '',
    cleaning: bool = False,
) -> Call[Rescued]:
    """Look at expired leases of a queue; adopt at most as many as execution ids are given.

    While RQ 3.0 cleans the registries of the queue its own claims are left to it, unless we are the one who cleans.
    """
    names = [keys.leases(queue), keys.wip(queue), keys.queue(queue), keys.wake(queue)]
    head: list[Argument] = [now, queue, worker, int(lease_seconds * 1000), WIP_SECONDS, len(executions)]
    return Call(load('rescue'), names, [*head, POISON_WINDOW * 1000, int(cleaning), *executions], _rescued)
