"""Writing an outcome: finish, fail, stop, retry, retry_returned, release. Each one guarded by the lease."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from rq.rules.lease import CLEANER, Lease
from rq.rules.timing import epoch_text
from rq.store import codec, keys
from rq.store.call import Answer, Argument, Call, answer
from rq.store.minute import minute
from rq.store.scripts import load

Times = tuple[float, float, float] | tuple[()]
"""Begin and end of an execution (epoch seconds) and the seconds worked; empty where unknown."""
Fields = Mapping[str, codec.Value]


def _keys(lease: Lease, place: str | None) -> list[str]:
    job, queue = lease.job_id, lease.queue
    names = [
        keys.job(job),
        keys.wip(queue),
        keys.leases(queue),
        keys.executions(job),
        keys.execution(job, lease.execution),
        keys.worker(lease.worker),
        keys.worker_executions(lease.worker),
        keys.results(job),
        keys.queue(queue),
        keys.wake(queue),
    ]
    return [*names, keys.place(place, queue)] if place else names


def _call(verb: str, place: str | None, lease: Lease, now: float | str, arguments: list[Argument]) -> Call[Answer]:
    return Call(load(verb), _keys(lease, place), [now, lease.job_id, lease.execution, *arguments], answer)


_SHORT, _VERY_SHORT = 4096, 1024  # bytes, about the window that is used for texts of this length


def _compressed(raw: bytes, level: int) -> bytes:
    """As zlib has it; for a short text the memory that it usually takes costs more than the work."""
    if len(raw) > _SHORT:
        return zlib.compress(raw, level)
    room = (10, 4) if len(raw) <= _VERY_SHORT else (12, 6)
    packer = zlib.compressobj(level, zlib.DEFLATED, *room)
    return packer.compress(raw) + packer.flush()


def encode_text(text: str) -> bytes:
    """A traceback as the result stream holds it."""
    return base64.b64encode(_compressed(text.encode('utf-8', errors='replace'), 6))


def encode_value(value: bytes) -> bytes:
    """A serialized value as the result stream holds it."""
    return base64.b64encode(value)


def _packed(attempt: Mapping[str, Any] | None) -> bytes:
    """An attempt as the job's hash holds it; `codec.attempts` reads it."""
    return _compressed(json.dumps(attempt).encode(), 1) if attempt else b''


def _counted(cause: Sequence[str]) -> str:
    """The words of a cause (`rules.fingerprint.Cause.words`) as the scripts count them."""
    return '\x1f'.join(cause)


def _texts(times: Times) -> list[str]:
    """Started, ended, seconds as the scripts take them."""
    return [f'{value:.6f}' for value in times] if times else ['', '', '']


def _with_end(times: Times, fields: Fields) -> list[codec.Value]:
    """The fields to set, `ended_at` among them where the end is known."""
    end: list[codec.Value] = ['ended_at', epoch_text(times[1])] if times and 'ended_at' not in fields else []
    return [*end, *codec.flat(fields)] if fields else end


def finish(
    lease: Lease,
    result_ttl: int,
    value: bytes | None,
    times: Times,
    fields: Fields,
    now: float | str | None = None,
    repeat: float | None = None,
    news: str = '',
) -> Call[Answer]:
    """The execution succeeded with a serialized value (None: it returned None).

    `repeat`: seconds until it is to run again. `news`: what is to be told outside, kept in the outbox.
    """
    packed = '' if value is None else encode_value(value)
    arguments: list[Argument] = [result_ttl, lease.worker, *_texts(times), packed, '' if repeat is None else repeat]
    names = [*_keys(lease, 'finished'), keys.place('scheduled', lease.queue)]
    head: list[Argument] = [minute() if now is None else now, lease.job_id, lease.execution]
    return Call(load('finish'), names, [*head, *arguments, news, *_with_end(times, fields)], answer)


class Success(NamedTuple):
    """A success about which nothing is unusual: no repeat, no news, a result that is kept for a while."""

    lease: Lease
    result_ttl: int
    value: bytes | None
    times: Times
    fields: Fields


def words_of(success: Success) -> list[Argument]:
    """What scripts are told of a success, behind whose it is; its fields come last, after their number."""
    pairs = _with_end(success.times, success.fields)
    value = '' if success.value is None else encode_value(success.value)
    return [success.result_ttl, *_texts(success.times), value, len(pairs) // 2, *pairs]


def finish_many(successes: Sequence[Success], now: float | str | None = None) -> Call[list[bool]]:
    """Successes of one worker in one queue; tells of each whether it is written, else `finish` is to be asked."""
    first = successes[0].lease
    names = [keys.wip(first.queue), keys.leases(first.queue), keys.worker(first.worker)]
    names += [keys.worker_executions(first.worker), keys.place('finished', first.queue)]
    arguments: list[Argument] = [minute() if now is None else now, first.worker]
    for one in successes:
        arguments += [one.lease.job_id, one.lease.execution, *words_of(one)]
    number = len(successes)
    return Call(load('finish_many'), names, arguments, lambda reply: [one == 1 for one in reply] or [False] * number)


def fail(
    lease: Lease,
    failure_ttl: int,
    text: str,
    times: Times,
    fields: Fields,
    stored: bool = True,
    returned: bytes | None = None,
    now: float | str = '',
    news: str = '',
    attempt: Mapping[str, Any] | None = None,
    keep: int = 0,
    cause: Sequence[str] = (),
) -> Call[Answer]:
    """The job is given up. `returned`: the serialized Retry of a job that asked for more than its retries.

    `keep`: so many failed jobs of the queue are to stay, the latest ones; 0 is all. `cause`: the words of its group.
    """
    kind, name, value = 2, 'exc_string', encode_text(text)
    if returned is not None:
        kind, name, value = 5, 'return_value', encode_value(returned)
    worker = '' if lease.worker.startswith(CLEANER) else lease.worker
    arguments: list[Argument] = [failure_ttl, int(stored), kind, worker, *_texts(times), name, value, news]
    arguments += [_packed(attempt), keep, _counted(cause)]
    # without the default handler only the status is kept, as in RQ
    arguments += _with_end(times if stored else (), fields)
    return _call('fail', 'failed', lease, now, arguments)


def stop(
    lease: Lease, failure_ttl: int, text: str, fields: Fields, now: float | str = '', started: float | str = '',
    attempt: Mapping[str, Any] | None = None, keep: int = 0,
) -> Call[Answer]:  # fmt: skip
    """The execution was stopped on purpose; its end is nobody's measure, so only its begin is kept."""
    arguments: list[Argument] = [failure_ttl, 1, 2, lease.worker, started, '', '', 'exc_string', encode_text(text), '']
    return _call('stop', 'failed', lease, now, [*arguments, _packed(attempt), keep, '', *codec.flat(fields)])


def retry(
    lease: Lease, interval: float, front: bool, times: Times, fields: Fields, now: float | str = '',
    attempt: Mapping[str, Any] | None = None, cause: Sequence[str] = (),
) -> Call[Answer]:  # fmt: skip
    """Another attempt in `interval` seconds, at once for 0. `cause`: the words of the group that this one counts in."""
    arguments: list[Argument] = [interval, int(front), _texts(times)[2], _packed(attempt), _counted(cause)]
    arguments += _with_end(times, fields)
    return _call('retry', 'scheduled', lease, now, arguments)


def retry_returned(
    lease: Lease,
    interval: float,
    front: bool,
    result_ttl: int,
    value: bytes,
    times: Times,
    fields: Fields,
    now: float | str = '',
) -> Call[Answer]:
    """The function returned a Retry (`value`, serialized) and gets its other attempt."""
    started, ended, seconds = _texts(times)
    arguments: list[Argument] = [interval, int(front), seconds, result_ttl, lease.worker, started, ended]
    arguments += [encode_value(value), *_with_end(times, fields)]
    return _call('retry_returned', 'scheduled', lease, now, arguments)


def release(lease: Lease, now: float | str = '') -> Call[Answer]:
    """Handed back uncharged, to the front of its queue."""
    return _call('release', None, lease, now, [])
