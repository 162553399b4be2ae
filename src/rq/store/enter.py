"""Into the queue, now or later. Typed faces of `enqueue` and `schedule`."""

from __future__ import annotations

import secrets
from typing import Any, NamedTuple

from rq.rules.record import JobRecord
from rq.store import codec, keys
from rq.store.call import Argument, Call, text
from rq.store.scripts import load


class Entered(NamedTuple):
    """ok, already (a repeated call), again (it runs: queued after its outcome), duplicate; and the server's time."""

    answer: str
    at: float


def _entered(reply: list[Any]) -> Entered:
    return Entered(reply[0].decode(), int(reply[1]) / 1e6)


def _arguments(record: JobRecord, third: Argument, now: float | str, unique: bool) -> list[Argument]:
    fields = codec.encode(record)
    fields.pop('enqueued_at', None)
    ttl = record.ttl or ''
    # The nonce makes a call that a client repeats, because its reply was lost, known to the script.
    head = [now, record._id, record.origin, third, ttl, secrets.token_hex(4), int(unique)]
    return head + codec.flat(fields)


def enqueue(record: JobRecord, front: bool = False, unique: bool = False, now: float | str = '') -> Call[Entered]:
    """The record enters the queue named by its origin."""
    queue = record.origin
    names = [keys.job(record._id), keys.queue(queue), keys.QUEUES, keys.wake(queue)]
    return Call(load('enqueue'), names, _arguments(record, int(front), now, unique), _entered)


def schedule(record: JobRecord, due: int, unique: bool = False, now: float | str = '') -> Call[str]:
    """The record waits until `due` (epoch seconds). Answers ok, already, duplicate or started."""
    queue = record.origin
    names = [keys.job(record._id), keys.place('scheduled', queue), keys.QUEUES, keys.queue(queue)]
    return Call(load('schedule'), names, _arguments(record, due, now, unique), text)
