"""Into the queue, now, later, or after others. Typed faces of `enqueue`, `schedule` and `defer`."""

from __future__ import annotations

import secrets
from typing import Any, NamedTuple

from rq.rules.record import JobRecord
from rq.store import codec, keys
from rq.store.call import Argument, Call, text
from rq.store.scripts import load


class Entered(NamedTuple):
    """ok, already (a repeated call), again (it runs: queued after its outcome), duplicate, or for a job with a rate
    limit its status; and the server's time."""

    answer: str
    at: float


def _entered(reply: list[Any]) -> Entered:
    return Entered(reply[0].decode(), int(reply[1]) / 1e6)


def _arguments(record: JobRecord, third: Argument, now: float | str, *more: Argument) -> list[Argument]:
    fields = codec.encode(record)
    fields.pop('enqueued_at', None)
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
