"""Helpers that programs around RQ import by name; several are defined in `rq.rules` and only shown here.

Nothing of ours that is new belongs here: a new helper lives in the room that needs it.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Generator, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar, cast

from rq import stairs
from rq.rules.names import (
    get_call_string,
    import_attribute,
    parse_composite_key,
    resolve_function_reference,
    truncate_long_string,
)
from rq.rules.timing import parse_timeout, str_to_date, utcformat, utcparse

__all__ = [
    'NOT_JSON_SERIALIZABLE',
    'Platform',
    'as_text',
    'backend_class',
    'ceildiv',
    'compact',
    'current_timestamp',
    'decode_redis_hash',
    'ensure_job_list',
    'get_call_string',
    'get_connection_from_queues',
    'get_platform',
    'get_version',
    'import_attribute',
    'import_job_class',
    'import_queue_class',
    'import_worker_class',
    'is_nonstring_iterable',
    'missing_keys',
    'normalize_config_path',
    'now',
    'parse_composite_key',
    'parse_names',
    'parse_timeout',
    'resolve_function_reference',
    'safe_json_dumps',
    'split_list',
    'str_to_date',
    'truncate_long_string',
    'utcformat',
    'utcparse',
    'validate_absolute_path',
]

_T = TypeVar('_T')

NOT_JSON_SERIALIZABLE = '<not JSON serializable>'

# What a server without INFO is taken for: older than every feature we ask the version about.
_VERSION_UNKNOWN = (5, 0, 9)
# Where a client keeps the answer: RQ 3.0's attribute, which test-suites set or take off.
_VERSION_KEPT = '__rq_redis_server_version'


class Platform(Enum):
    """The operating systems told apart."""

    WINDOWS = 'windows'
    MAC = 'mac'
    LINUX = 'linux'
    OTHERS = 'others'


def get_platform() -> Platform:
    """The operating system we run on."""
    name = sys.platform.lower()
    if name.startswith('win'):
        return Platform.WINDOWS
    if name == 'darwin':
        return Platform.MAC
    return Platform.LINUX if name.startswith('linux') else Platform.OTHERS


# --- time ---------------------------------------------------------------------------------------------


def now() -> datetime:
    """The moment by this machine's clock, aware, UTC."""
    return datetime.now(UTC)


def current_timestamp() -> int:
    """Whole seconds since 1970 by this machine's clock."""
    return int(now().timestamp())


# --- texts and lists ----------------------------------------------------------------------------------


def as_text(v: bytes | str) -> str:
    """Bytes as text; text as it is; `ValueError` for anything else."""
    if isinstance(v, bytes):
        return v.decode('utf-8')
    if isinstance(v, str):
        return v
    raise ValueError(f'{v!r} ({type(v).__name__}) is neither bytes nor str; convert it first')


def decode_redis_hash(h: Mapping[Any, Any], *, decode_values: bool = False) -> dict[str, Any]:
    """A hash as Redis returns it with its field names, and on request its values, as text."""
    if decode_values:
        return {as_text(key): as_text(value) for key, value in h.items()}
    return {as_text(key): value for key, value in h.items()}


def safe_json_dumps(value: Any) -> str:
    """The value as JSON text, or a placeholder when JSON cannot express it."""
    try:
        return json.dumps(value)
    except (TypeError, ValueError, RecursionError):
        return NOT_JSON_SERIALIZABLE


def ceildiv(a: Any, b: Any) -> Any:
    """Division rounded up."""
    return -(-a // b)


def compact(lst: Iterable[_T | None]) -> list[_T]:
    """The items that are not None."""
    return [item for item in lst if item is not None]


def split_list(a_list: Sequence[_T], segment_size: int) -> Generator[Sequence[_T], None, None]:
    """The list in pieces of at most `segment_size`."""
    for start in range(0, len(a_list), segment_size):
        yield a_list[start : start + segment_size]


def is_nonstring_iterable(obj: Any) -> bool:
    """Whether one can iterate over `obj` and it is no text."""
    return isinstance(obj, Iterable) and not isinstance(obj, str | bytes)


def ensure_job_list(obj: Any) -> list[Any]:
    """A list of what is in `obj`, or of `obj` itself when it is a single thing."""
    return list(obj) if is_nonstring_iterable(obj) else [obj]


# --- classes by name ----------------------------------------------------------------------------------


def backend_class(holder: Any, default_name: str, override: Any = None) -> Any:
    """The holder's class of that name, or the override, which may be a dotted name."""
    if override is None:
        return getattr(holder, default_name)
    return import_attribute(override) if isinstance(override, str) else override


def import_job_class(name: str) -> type[Any]:
    """The job class of a dotted name; `ValueError` when it is none."""
    return _import_subclass(name, stairs.job_class())


def import_queue_class(name: str) -> type[Any]:
    """The queue class of a dotted name; `ValueError` when it is none."""
    return _import_subclass(name, stairs.queue_class())


def import_worker_class(name: str) -> type[Any]:
    """The worker class of a dotted name; `ValueError` when it is none."""
    return _import_subclass(name, stairs.base_worker_class())


def _import_subclass(name: str, base: type[Any]) -> type[Any]:
    found: Any = import_attribute(name)
    if not (isinstance(found, type) and issubclass(found, base)):
        raise ValueError(f'{name!r} is {found!r}, but a subclass of {base.__module__}.{base.__name__} is needed')
    return found


# --- queues and connections ---------------------------------------------------------------------------


def parse_names(queues_or_names: Iterable[Any]) -> list[str]:
    """The names of queues, given as queues or as names."""
    return [str(getattr(item, 'name', item)) for item in queues_or_names]


def get_connection_from_queues(queues_or_names: Iterable[Any]) -> Any:
    """The connection of the first queue that is no mere name, or None."""
    return next((item.connection for item in queues_or_names if not isinstance(item, str)), None)


def get_version(connection: Any) -> tuple[int, int, int]:
    """The server's version, asked once per client."""
    known = getattr(connection, _VERSION_KEPT, None)
    if known is None:
        known = _ask_version(connection)
        setattr(connection, _VERSION_KEPT, known)
    return cast('tuple[int, int, int]', known)


def _ask_version(connection: Any) -> tuple[int, int, int]:
    try:
        text = str(connection.info('server')['redis_version'])
    except Exception as error:
        # By name, because this floor knows no client library, and there is more than one.
        if 'ResponseError' not in {cls.__name__ for cls in type(error).__mro__}:
            raise
        return _VERSION_UNKNOWN
    numbers = [int(digits.group()) if (digits := re.match(r'\d+', part)) else 0 for part in text.split('.')]
    major, minor, patch = [*numbers, 0, 0, 0][:3]
    return major, minor, patch


def missing_keys(connection: Any, keys: Sequence[str]) -> list[str]:
    """Those of the keys that do not exist."""
    # Usually all are there: one command tells, and only a gap is worth looking for.
    if not keys or connection.exists(*keys) == len(keys):
        return []
    with connection.pipeline(transaction=False) as pipeline:
        for key in keys:
            pipeline.exists(key)
        return [key for key, found in zip(keys, pipeline.execute(), strict=True) if not found]


# --- config files -------------------------------------------------------------------------------------


def normalize_config_path(config_path: str) -> str:
    """The dotted module of a relative file path; a dotted module as it is."""
    path = config_path.replace('\\', '/').removesuffix('.py')
    return path.removeprefix('./').strip('/').replace('/', '.')


def validate_absolute_path(file_path: str) -> str:
    """The path of an existing file; an error naming it when it is missing or a directory."""
    path = Path(file_path)
    if not path.exists():
        raise FileNotFoundError(f'Configuration file not found at {file_path!r}; check the path')
    if path.is_dir():
        raise IsADirectoryError(f'Configuration path points to a directory: {file_path!r}; name a file in it')
    return file_path
