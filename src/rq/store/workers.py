"""The books of living workers: born, beat, gone. Typed faces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rq.defaults import LEASE_SECONDS
from rq.store import codec, keys
from rq.store.call import Argument, Call, text
from rq.store.scripts import load


def _keys(name: str, queues: Sequence[str]) -> list[str]:
    sets = [keys.all_workers(name), *(keys.workers(queue) for queue in queues)]
    return [keys.worker(name), keys.worker_executions(name), *sets]


def born(
    name: str, queues: Sequence[str], ttl: int, fields: Mapping[str, codec.Value], seen_instance: str = '',
    now: float | str = '',
) -> Call[str]:  # fmt: skip
    """Enter the books; answers ok, or taken when a living worker other than `seen_instance` has the name."""
    return Call(load('born'), _keys(name, queues), [now, ttl, seen_instance, *codec.flat(fields)], text)


def beat(name: str, ttl: int, instance: str, now: float | str = '', lease_seconds: float = LEASE_SECONDS) -> Call[str]:
    """Answers ok, or gone when the books no longer know this instance; half a lease without any beat is a silence."""
    arguments: list[Argument] = [now, ttl, instance, int(lease_seconds * 1000)]
    return Call(load('beat'), [keys.worker(name), keys.worker_executions(name)], arguments, text)


def gone(name: str, queues: Sequence[str], instance: str, now: float | str = '') -> Call[str]:
    """Leave the books."""
    return Call(load('gone'), _keys(name, queues), [now, instance], text)
