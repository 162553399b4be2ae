"""Old name -> where it is now, and what to write instead. Opened by the lazy door of `rq/__init__.py`."""

from __future__ import annotations

import warnings
from importlib import import_module
from typing import Any

_STACK = 'rq.legacy.stack'
_WITH = 'connection=... of the queue, job or worker'

#: module -> old name -> (module that has it, the modern spelling)
NAMES: dict[str, dict[str, tuple[str, str]]] = {
    'rq': {
        **dict.fromkeys(
            ('Connection', 'get_current_connection', 'pop_connection', 'push_connection', 'use_connection'),
            (_STACK, _WITH),
        ),
        'get_failed_queue': ('rq.legacy.failed_queue', 'queue.failed_job_registry'),
    },
    'rq.connections': dict.fromkeys(
        (
            *('Connection', 'get_current_connection', 'pop_connection', 'push_connection'),
            *('resolve_connection', 'use_connection'),
        ),
        (_STACK, _WITH),
    ),
    'rq.queue': {
        'FailedQueue': ('rq.legacy.failed_queue', 'rq.registry.FailedJobRegistry'),
        'get_failed_queue': ('rq.legacy.failed_queue', 'queue.failed_job_registry'),
    },
    'rq.job': {'Status': ('rq.legacy.words', 'rq.job.JobStatus')},
    'rq.utils': {
        'utcnow': ('rq.legacy.words', 'rq.utils.now()'),
        'ensure_list': ('rq.legacy.words', 'rq.utils.ensure_job_list'),
        'first': ('rq.legacy.words', 'next(filter(None, ...), None)'),
        'enum': ('rq.legacy.words', 'enum.Enum'),
    },
}

_told: set[str] = set()


def find(module: str, name: str) -> Any:
    """The object of an old name, with its warning; `AttributeError` for a name that never was one."""
    if name not in NAMES.get(module, ()):
        raise AttributeError(f'module {module!r} has no attribute {name!r}')
    home, modern = NAMES[module][name]
    tell(f'{module}.{name}', modern, stacklevel=4)
    return getattr(import_module(home), name)


def tell(old: str, modern: str, stacklevel: int = 3) -> None:
    """Warn of an old spelling, once in this process."""
    if old not in _told:
        _told.add(old)
        warnings.warn(f'{old} is of RQ 0.x and deprecated: use {modern}', DeprecationWarning, stacklevel=stacklevel)
