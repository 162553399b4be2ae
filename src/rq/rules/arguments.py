"""The words of `enqueue(...)`: which belong to us, which to the function, and which values are allowed."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, Self

from rq.rules.timing import parse_timeout


class _Words(NamedTuple):
    func: Any
    timeout: Any
    description: Any
    result_ttl: Any
    ttl: Any
    failure_ttl: Any
    depends_on: Any
    job_id: Any
    at_front: Any
    meta: Any
    retry: Any
    repeat: Any
    on_success: Any
    on_failure: Any
    on_stopped: Any
    rate_limit: Any
    pipeline: Any
    unique: Any
    args: Any
    kwargs: Any
    webhooks: Any


class EnqueueArgs(_Words):
    """What `Queue.parse_args` found in the words of one call; as a tuple it has the items that it has in RQ 3.0."""

    more: Mapping[str, Any] = MappingProxyType({})  # words that RQ 3.0 does not know, where they are given

    def _asdict(self) -> dict[str, Any]:
        words = dict(zip(self._fields, self, strict=True))
        words.update(self.more)
        return words

    def _replace(self, **words: Any) -> Self:
        changed = super()._replace(**words)
        changed.more = self.more
        return changed


def given(**words: Any) -> dict[str, Any]:
    """Those of some words that have a value: a subclass may override what they are passed to as of RQ 3.0."""
    return {word: value for word, value in words.items() if value is not None}


#: keyword of enqueue() -> its default
_OURS: dict[str, Any] = {
    'job_timeout': None, 'description': None, 'result_ttl': None, 'ttl': None, 'failure_ttl': None, 'depends_on': None,
    'job_id': None, 'at_front': False, 'meta': None, 'retry': None, 'repeat': None, 'on_success': None,
    'on_failure': None, 'on_stopped': None, 'rate_limit': None, 'pipeline': None, 'unique': False, 'webhooks': None,
}  # fmt: skip
_MORE = ('on_final_failure', 'keep_on_failure')
#: every word of enqueue() that does not go to the function
WORDS = frozenset([*_OURS, *_MORE, 'args', 'kwargs'])
_NONE_GIVEN = tuple(_OURS.values())


def parse(f: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> EnqueueArgs:
    """Split the words of a call; `ValueError` for functions no worker can import."""
    if not isinstance(f, str) and getattr(f, '__module__', None) == '__main__' and not hasattr(f, '__self__'):
        raise ValueError(f'{f!r} stands in __main__, which a worker cannot import; move it into a module of its own')
    if WORDS.isdisjoint(kwargs):
        return EnqueueArgs._make((f, *_NONE_GIVEN[:-1], args, kwargs, _NONE_GIVEN[-1]))
    ours = {word: kwargs.pop(word, default) for word, default in _OURS.items()}
    more = {word: kwargs.pop(word) for word in _MORE if word in kwargs}
    if 'args' in kwargs or 'kwargs' in kwargs:
        assert args == (), 'Extra positional arguments cannot be used when using explicit args and kwargs'
        args, kwargs = kwargs.pop('args', ()), kwargs.pop('kwargs', {})
    ours['timeout'] = ours.pop('job_timeout')
    found = EnqueueArgs(func=f, args=args, kwargs=kwargs, **ours)
    if more:
        found.more = given(**more)
    return found


def checked_timeout(timeout: Any, default: int | None) -> int | None:
    """Seconds a job may run; None takes the queue's default, -1 is no limit."""
    seconds = parse_timeout(timeout)
    if seconds is None:
        return default
    if seconds == 0:
        raise ValueError('timeout=0 is not allowed: give seconds, or -1 for no limit')
    return seconds


def checked_ttl(ttl: Any) -> int | None:
    """Seconds a job may wait."""
    seconds = parse_timeout(ttl)
    if seconds is not None and seconds <= 0:
        raise ValueError(f'ttl={ttl!r} is not allowed: the job would be gone before it is seen; give 1 or more')
    return seconds
