"""The short way in of plain calls: a function, its arguments, and none of the many words that a job may have.

Such a job is like any other, only made in one go. Whoever overrides or replaces a method on the long way, in a subclass
or at run time, is asked as ever: then the long way is taken.
"""

from __future__ import annotations

from datetime import datetime
from functools import cache, lru_cache
from operator import attrgetter, is_
from types import FunctionType
from typing import Any, cast

from rq.job import Job
from rq.provenance import place
from rq.rules.arguments import WORDS
from rq.rules.names import fresh_id, get_call_string
from rq.rules.parameters import secret_positions
from rq.rules.payload import dumped
from rq.rules.status import JobStatus
from rq.rules.timing import from_epoch, utcformat
from rq.store import codec, enter
from rq.store.headed import Headed
from rq.utils import now


class Seams:
    """Methods of a class that others may override or replace; of class methods what stands behind them."""

    def __init__(self, owner: type[Any], *names: str) -> None:
        self.owner = owner
        self._names = frozenset(name.partition('.')[0] for name in names)
        self._read = attrgetter(*names)
        self._made = self._read(owner)
        self._read_code = attrgetter(
            *(f'{name}.__code__' for name in names if hasattr(attrgetter(name)(owner), '__code__'))
        )
        self._code = self._read_code(owner)

    def are_closed(self, one: Any) -> bool:
        """Whether an object, of that class or one below it, has them as they were made."""
        return self.are_closed_of(type(one)) and self._names.isdisjoint(one.__dict__)

    def are_closed_of(self, kind: type[Any]) -> bool:
        """Whether a class, that one or one below it, has them as they were made."""
        try:
            # by identity, for a proxy says that it equals what it wraps; tracers also put code into the function itself
            return all(map(is_, self._read(kind), self._made)) and self._read_code(kind) == self._code
        except AttributeError:
            return False


_NAMES = ('create.__func__', '__init__', '__new__', '__setattr__', 'id', 'data', 'meta', 'get_call_string')


def seams_of_jobs(owner: type[Any]) -> Seams:
    """What a class of jobs has for others to override on their way in."""
    return Seams(owner, *_NAMES)


_SEAMS = seams_of_jobs(Job)


def takes(queue: Any, of_jobs: Seams = _SEAMS) -> bool:
    """Whether the short way leads into this queue, as far as its settings and the class of its jobs have a say."""
    return (
        queue._is_async
        and not queue.era
        and queue.default_retry is None
        and not queue.keep_on_failure
        and type(queue._default_timeout) is int
        and queue.job_class is of_jobs.owner
        and of_jobs.are_closed_of(queue.job_class)
    )


def is_plain(kwargs: dict[str, Any]) -> bool:
    """Whether all words of an `enqueue` go to the function."""
    return not kwargs or WORDS.isdisjoint(kwargs)


def import_path(func: Any) -> str | None:
    """The name by which a worker finds a function; None for whatever needs a closer look."""
    kind = type(func)
    if kind is FunctionType:
        module = func.__module__
        return f'{module}.{func.__qualname__}' if module and module != '__main__' else None
    return str(func) if kind is str else None


def prepared(queue: Any, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Headed[Any]] | None:
    """The job that a plain call makes, and the call of the store that enqueues it; None for the long way."""
    name = import_path(func)
    if name is None:
        return None
    serializer, moment, where, job_id = queue.serializer, now(), place(), fresh_id()
    text = call_text(name, args, kwargs)
    data = dumped(serializer, (name, None, args, kwargs))
    stored = codec.encode_call(data, serializer)
    job = object.__new__(queue.job_class)
    job.__dict__ = template(queue, moment, where)
    fill(job, (job_id, name, args, kwargs, text, data))
    second, begin = _second(int(moment.timestamp()))
    own = enter.Plain(second, f'{begin}{moment.microsecond:06d}Z', job_id, text, stored)
    return job, enter.enqueue_plain(queue.name, queue._default_timeout, where, own)


@lru_cache(maxsize=4)
def _second(number: int) -> tuple[str, str]:
    """A second since 1970 as text, and the timestamp text of its moments up to their fraction."""
    return str(number), utcformat(from_epoch(number))[:20]


def call_text(name: str, args: Any, kwargs: dict[str, Any]) -> str:
    """The call as one would write it."""
    return get_call_string(name, args, kwargs, 75, secret_positions(name)) or ''


@cache
def _blank() -> dict[str, Any]:
    return dict(vars(Job('blank', connection=cast(Any, object()))))


def template(queue: Any, moment: datetime, where: str, group_id: str | None = None) -> dict[str, Any]:
    """The attributes that plain jobs have in common which are enqueued at one moment, from one place."""
    attributes = _blank().copy()
    attributes['connection'], attributes['serializer'] = queue.connection, queue.serializer
    attributes['origin'], attributes['timeout'] = queue.name, queue._default_timeout
    attributes['created_at'] = attributes['enqueued_at'] = moment
    attributes['_status'] = attributes['_stored_status'] = JobStatus.QUEUED
    attributes['enqueued_from'], attributes['group_id'] = where, group_id
    attributes['_instance'] = None
    return attributes


def made(kind: type[Any], common: dict[str, Any], own: tuple[str, str, Any, dict[str, Any], str, bytes]) -> Any:
    """A job with these attributes and its own ones: id, import path, arguments, their text, the serialized call."""
    job = object.__new__(kind)
    job.__dict__ = common.copy()
    fill(job, own)
    return job


def fill(job: Any, own: tuple[str, str, Any, dict[str, Any], str, bytes]) -> None:
    """Give a job what only it has."""
    job_id, name, args, kwargs, text, data = own
    attributes = job.__dict__
    attributes['_id'], attributes['_func_name'], attributes['_data'] = job_id, name, data
    attributes['_args'], attributes['_kwargs'], attributes['description'] = args, kwargs, text
    attributes['_meta'], attributes['_broken'], attributes['_before'] = {}, {}, {}
    attributes['_dependency_ids'], attributes['webhooks'] = [], []
