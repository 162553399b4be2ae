"""Small things that programs of 0.x import by name from `rq.utils`, `rq.compat` and `rq.job`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from rq.legacy import names
from rq.rules.status import JobStatus as Status
from rq.rules.timing import parse_timeout
from rq.store.codec import encode_some
from rq.utils import is_nonstring_iterable

__all__ = ['Status', 'enum', 'ensure_list', 'first', 'string_types', 'text_type', 'utcnow']

string_types = (str,)
text_type = str


def utcnow() -> datetime:
    """Now in UTC, without a time zone; deprecated: `rq.utils.now()` has one."""
    return datetime.now(UTC).replace(tzinfo=None)


def ensure_list(obj: Any) -> Any:
    """Anything one can iterate over as it is, a text or a single thing in a list."""
    return obj if is_nonstring_iterable(obj) else [obj]


def first(iterable: Iterable[Any], default: Any = None, key: Callable[[Any], Any] | None = None) -> Any:
    """The first item that is true, or for which `key` is; else the default."""
    return next(filter(key, iterable), default)


def enum(name: str, *sequential: str, **named: Any) -> type:
    """A class of that name with the words as attributes: numbered from 0, then those with values of their own."""
    return type(name, (), {**{word: number for number, word in enumerate(sequential)}, **named})


def enqueue_job(queue: Any, job: Any, pipeline: Any, at_front: bool, timeout: Any, set_meta_data: bool) -> Any:
    """`Queue.enqueue_job` with its words of 0.x, one of which may stand where the pipeline stands today."""
    names.tell('queue.enqueue_job(timeout=..., set_meta_data=...)', 'job.timeout = ...', stacklevel=5)
    if isinstance(pipeline, int):
        pipeline, timeout = None, pipeline
    if timeout is not None:
        job.timeout = parse_timeout(timeout)
    kept = {'origin': job.origin, 'enqueued_at': job.enqueued_at}
    queue.enqueue_job(job, pipeline=pipeline, at_front=at_front)
    if not set_meta_data:
        vars(job).update(kept)
        stored = {name: value for name, value in encode_some(kept).items() if value}
        target = job.connection if pipeline is None else pipeline
        if stored:
            target.hset(job.key, mapping=stored)
    return job
