"""Into the queue, now, later, or after others. Typed faces of `enqueue`, `schedule` and `defer`."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from rq.rules.record import JobRecord
from rq.store import codec, keys
from rq.store.call import Argument, Call, text
from rq.store.headed import Head, Headed
from rq.store.scripts import load


class Entered(NamedTuple):
    """ok, already (a repeated call), again (it runs: queued after its outcome), duplicate, or for a job with a rate
    limit its status; and the server's time."""

    answer: str
    at: float


def _entered(reply: list[Any]) -> Entered:
    return Entered(reply[0].decode(), int(reply[1]) / 1e6)


def words(record: JobRecord) -> dict[str, codec.Value]:
    """The fields that a script is given of a record."""
    fields = codec.encode(record)
    fields.pop('enqueued_at', None)  # the server's clock says when
    return fields


def _places(queue: str) -> list[str]:
    return [keys.queue(queue), keys.QUEUES, keys.wake(queue)]


def _arguments(record: JobRecord, third: Argument, now: float | str, *more: Argument) -> list[Argument]:
    fields = words(record)
    ttl = record.ttl or ''
    # The nonce makes a call that a client repeats, because its reply was lost, known to the script.
    return [now, record.id, record.origin, third, ttl, secrets.token_hex(4), *more, *codec.flat(fields)]


def enqueue(record: JobRecord, front: bool = False, unique: bool = False, now: float | str = '') -> Call[Entered]:
    """The record enters the queue named by its origin, or waits for a slot of its rate limit."""
    queue = record.origin
    names = [keys.job(record.id), keys.queue(queue), keys.QUEUES, keys.wake(queue)]
    limit: tuple[Argument, Argument] = ('', '')
    if record.rate_limit_key and record.rate_limit_concurrency:
        limit = (record.rate_limit_key, record.rate_limit_concurrency)
    return Call(load('enqueue'), names, _arguments(record, int(bool(front)), now, int(unique), *limit), _entered)


def enqueue_new(record: JobRecord, front: bool = False, now: float | str = '') -> Call[Entered]:
    """As `enqueue`, for a record without a rate limit that gets its id here, so that there can be no older one."""
    fields = words(record)
    head = [now, int(bool(front)), record.ttl or '', 0, len(fields), *fields]
    return Call(load('enqueue_new'), _places(record.origin), [*head, record.id, *fields.values()], _entered)


class Plain(NamedTuple):
    """What one plain record has for itself, as it is stored; `second`: of its creation, since 1970."""

    second: str
    created_at: str
    id: str
    description: str
    data: bytes


def enqueue_plain(queue: str, timeout: int, by: str, own: Plain, now: float | str = '') -> Headed[Entered]:
    """A new record that has no more than most others enters its queue; `by`: where the program enqueued it, or ''."""
    return _PlainCall(_plain_head(queue, timeout, by, str(now)), own, _entered)


class _PlainCall(Headed[Entered]):
    """Packed in one go, where all is as long as usual."""

    __slots__ = ()
    tail: Plain

    def packed(self) -> bytes:
        second, created_at, job_id, text, raw = self.tail
        if len(job_id) != 36 or len(second) != 10 or not text.isascii():
            return super().packed()
        own = f'$10\r\n{second}\r\n$27\r\n{created_at}\r\n$36\r\n{job_id}\r\n'
        own += f'${len(text)}\r\n{text}\r\n${len(raw)}\r\n'
        return b''.join((b'*13\r\n', self.head.packed, own.encode(), raw, b'\r\n'))


@lru_cache(maxsize=1024)
def _plain_head(queue: str, timeout: int, by: str, now: str) -> Head:
    return Head.of(load('enqueue_plain'), [keys.queue(queue)], [now, queue, timeout, by])


class Alike(NamedTuple):
    """What records have in common that enter a queue together: wish for the front, ttl, names of their own fields."""

    front: bool
    ttl: Argument
    names: tuple[str, ...]


def enqueue_alike(queue: str, alike: Alike, fixed: Mapping[str, Argument], values: Iterable[Argument]) -> Call[Entered]:
    """Many new records enter a queue in one step: fields that all have, then of each its id and its own values."""
    front, ttl, names = alike
    args = ['', int(front), ttl, 2 * len(fixed), len(names), *codec.flat(fixed), *names, *values]
    return Call(load('enqueue_new'), _places(queue), args, _entered)


def schedule(record: JobRecord, due: int | str, unique: bool = False, now: float | str = '') -> Call[str]:
    """The record waits until `due` (epoch seconds; `+60` is so long from the server's now).

    Answers ok, already, duplicate or started.
    """
    queue = record.origin
    names = [keys.job(record.id), keys.place('scheduled', queue), keys.QUEUES, keys.queue(queue)]
    return Call(load('schedule'), names, _arguments(record, due, now, int(unique)), text)


def defer(record: JobRecord, mode: str = 'ask', front: bool = False, now: float | str = '') -> Call[str]:
    """The record waits for the jobs it depends on. Answers ok, met, entered, already or started.

    When none of them is missing: mode `ask` writes nothing (met), `enter` enqueues it at once (entered).
    Mode `link` registers it without looking; `promote.ready` looks afterwards.
    """
    queue, parents = record.origin, list(dict.fromkeys(record._dependency_ids))
    names = [keys.job(record.id), keys.place('deferred', queue), keys.QUEUES, keys.queue(queue)]
    words: list[Argument] = [int(bool(record.allow_dependency_failures)), int(bool(front)), len(parents), *parents]
    return Call(load('defer'), names, _arguments(record, mode, now, *words), text)
