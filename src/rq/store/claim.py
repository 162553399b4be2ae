"""Taking jobs and keeping them: claim, begin, renew, note, rescue. Typed faces."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

from rq.defaults import LEASE_SECONDS, POISON_WINDOW, WIP_SECONDS
from rq.rules.lease import Lease
from rq.store import codec, keys
from rq.store.aside import put_aside
from rq.store.call import Argument, Call, text
from rq.store.minute import minute
from rq.store.read import shown
from rq.store.scripts import load

#: how long the record of an execution stays: who comes after a long outage must still find whether it had begun
_RECORD_SECONDS = 86400
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

    `aside`: what cannot be worked on, and has just been set aside, with the reasons. `ahead`: asked for before the
    worker knew of any work, so nothing is marked as begun.
    """

    taken: list[Claimed]
    dropped: list[bytes]
    more: bool
    suspended: bool = False
    aside: Sequence[tuple[str, str]] = ()
    ahead: bool = False


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


def for_batch(executions: Sequence[str]) -> list[str]:
    """Execution ids for jobs that are claimed together, and have no record until `begin` or `note` makes one."""
    return [f'x{execution[1:]}' for execution in executions]


def claims_of(executions: Sequence[str], reply: list[Any]) -> Claims:
    """The reply to a claim with these execution ids."""
    at = reply[5] / 1e6
    taken = [_claimed(each, at, execution) for each, execution in zip(reply[0], executions, strict=False)]
    return Claims(taken, reply[1], bool(reply[2]), bool(reply[3]), put_aside(reply[4]))


def _claimed(each: Any, at: float, execution: str) -> Claimed:
    if isinstance(each, bytes):  # one text, cut up by what `lua/lib/plain_job` has put between the words
        words = each.split(execution[-8:].encode() + b'\0\1')
        raw = dict(zip(words[:-2:2], words[1:-2:2], strict=True))
        return Claimed(int(words[-1]) - 1, words[-2].decode(), execution, at, raw)
    number, job_id, given, fields = each
    return Claimed(number - 1, job_id.decode(), given.decode(), at, codec.pairs(fields))


def claim(
    worker: str,
    queues: Sequence[str],
    executions: Sequence[str],
    lease_seconds: float = LEASE_SECONDS,
    begun: bool = False,
    repeated: bool = False,
    streak: bool = False,
    now: float | str | None = None,
) -> Call[Claims]:
    """Take up to as many jobs as execution ids are given, from the queues in this order.

    `lease_seconds` 0: by each job's timeout, for jobs run in the process that renews. A call that is sent again with
    the same execution ids gives what it took before; `repeated` says so to a server that may have forgotten the worker.
    `streak`: the worker took a job a moment ago and says `repeated` itself, so the books know that it is busy.
    """
    names = [keys.worker(worker)]
    for queue in queues:
        names += [keys.queue(queue), keys.aside(queue), keys.wake(queue)]
    arguments = words(queues, executions, lease_seconds, begun, repeated, streak)
    head: list[Argument] = [minute() if now is None else now, worker]
    return Call(load('claim'), names, [*head, *arguments], partial(claims_of, executions))


def words(
    queues: Sequence[str], executions: Sequence[str], lease_seconds: float, begun: bool, repeated: bool, streak: bool
) -> list[Argument]:
    """What the script of a claim is told behind the time and the worker."""
    head = (int(lease_seconds * 1000), WIP_SECONDS, max(TURNS, len(executions)), int(begun), int(repeated))
    return [*head, int(streak and not repeated), len(queues), *queues, *executions]


def begin(lease: Lease, lasting: bool = False, now: float | str = '') -> Call[str]:
    """User code may run from here on. `lasting`: the claim was for a short time, and holds for its lease's now."""
    arguments: list[Argument] = [now, lease.member, max(_RECORD_SECONDS, lease.wip_seconds), lease.worker]
    arguments += [lease.wip_seconds, lease.lease_ms if lasting else '']
    return Call(load('begin'), [*_books(lease), keys.leases(lease.queue)], arguments, text)


def _books(lease: Lease) -> list[str]:
    names = [keys.wip(lease.queue), keys.execution(lease.job_id, lease.execution)]
    return [*names, keys.executions(lease.job_id)]


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
    arguments: list[Argument] = [now, lease.member, json.dumps(failure), told, _RECORD_SECONDS, lease.worker]
    return Call(load('note'), _books(lease), [*arguments, lease.wip_seconds], lambda reply: reply == b'ok')


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
