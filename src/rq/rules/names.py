"""Names: a function and its import path, call strings, job ids and composite keys.

Texts and objects only. What is done with a function once it is found stands elsewhere.
"""

from __future__ import annotations

import builtins
import importlib
import inspect
import re
import secrets
import sys
import warnings
from collections.abc import Callable, Container, Mapping, Sequence
from typing import Any, cast

from rq.defaults import MAX_NAME_LENGTH, MAX_TEXT_LENGTH
from rq.exceptions import ColdShutdown, NotImportableError
from rq.rules.scrub import HIDDEN, is_secret_name, scrub
from rq.timeouts import BaseTimeoutException

_LOOKED_AT = 2000  # characters of a value beyond those shown in which secrets are found
_JOB_ID = re.compile(r'[A-Za-z0-9_-]+')
_VARIANT = {digit: '89ab'[place % 4] for place, digit in enumerate('0123456789abcdef')}
_HARMLESS = 12  # characters of a number or word that are too few for any credential
_LARGE = 1_000_000_000  # numbers up to it have no more


def resolve_function_reference(func: Any) -> tuple[Any, str]:
    """The instance (or None) and the name under which a worker finds `func` again."""
    if isinstance(func, str):
        return None, func
    if inspect.ismethod(func):
        return func.__self__, func.__name__
    if inspect.isfunction(func) or inspect.isbuiltin(func):
        # Methods of built-in types name no module: `datetime.now` is found through its class.
        if getattr(func, '__module__', None) is None:
            return getattr(func, '__self__', None), func.__name__
        return None, f'{func.__module__}.{func.__qualname__}'
    if callable(func):
        return func, '__call__'
    raise TypeError(
        f'{func!r} ({type(func).__name__}) cannot be run as a job: give a function, a method, '
        'a callable object, or a dotted name'
    )


def import_attribute(name: str) -> Callable[..., Any]:
    """The object a dotted name leads to: module, class, function, method or builtin."""
    module_name, _, attribute = name.rpartition('.')
    module = sys.modules.get(module_name)
    if module is not None and attribute in vars(module) and not _is_half(module):
        return cast('Callable[..., Any]', vars(module)[attribute])  # the usual case
    parts = name.split('.')
    if not all(parts):
        raise NotImportableError(f"Cannot import {name!r}: a dotted name like 'package.module.function' is needed")
    if len(parts) == 1 and hasattr(builtins, name):
        return cast('Callable[..., Any]', getattr(builtins, name))
    # The last part is an attribute before it is a module: packages often re-export a function under the
    # name of the module that defines it.
    for length in range(len(parts) - 1, 0, -1):
        module = _import_module('.'.join(parts[:length]), name)
        if module is not None:
            return cast('Callable[..., Any]', _walk(module, parts, length, name))
    module = _import_module(name, name) if len(parts) == 1 else None
    if module is None:
        raise NotImportableError(
            f'Cannot import {name!r}: there is no module {parts[0]!r} in this process; '
            'install it, or put its folder on sys.path (PYTHONPATH, or --path of the worker)'
        )
    return cast('Callable[..., Any]', module)


def _is_half(module: Any) -> bool:
    """Whether another thread is importing it at this moment."""
    return bool(getattr(getattr(module, '__spec__', None), '_initializing', False))


def _import_module(module_name: str, wanted: str) -> Any | None:
    """The module, or None when there is none; an error inside of it is reported, never hidden."""
    try:
        return importlib.import_module(module_name)
    except BaseTimeoutException:
        raise  # a job may run out of time while it imports: that is no fault of the module
    except ModuleNotFoundError as error:
        missing = error.name or ''
        if module_name == missing or module_name.startswith(missing + '.'):
            return None
        raise _import_failed(wanted, module_name, error) from error
    except Exception as error:
        raise _import_failed(wanted, module_name, error) from error


def _import_failed(wanted: str, module_name: str, error: Exception) -> NotImportableError:
    return NotImportableError(
        f'Cannot import {wanted!r}: module {module_name!r} exists, but failed while it was imported: '
        f'{type(error).__name__}: {error}'
    )


def _walk(module: Any, parts: Sequence[str], start: int, wanted: str) -> Any:
    """Follow the attributes of `module` named by `parts[start:]`; the first may be a submodule."""
    found = module
    for position in range(start, len(parts)):
        try:
            found = getattr(found, parts[position])
        except AttributeError as error:
            submodule = None
            if position == start:
                submodule = _import_module('.'.join(parts[: position + 1]), wanted)
            if submodule is None:
                raise NotImportableError(
                    f'Cannot import {wanted!r}: {".".join(parts[:position])!r} has no attribute '
                    f'{parts[position]!r}; check the spelling, or deploy the code that defines it'
                ) from error
            found = submodule
    return found


def truncate_long_string(data: str, max_length: int | None = None) -> str:
    """`data`, cut to `max_length` characters and marked by three dots when it is longer."""
    if max_length is None or len(data) <= max_length:
        return data
    return data[:max_length] + '...'


def get_call_string(
    func_name: str | None,
    args: Any,
    kwargs: Mapping[Any, Any],
    max_length: int | None = None,
    hidden: Container[int] = (),
) -> str | None:
    """The call as one would write it, each value cut to `max_length`; None without a function name.

    Secrets are not shown: values of keywords that mean one, positional arguments at the places in `hidden`.
    """
    if func_name is None:
        return None
    shown = [HIDDEN if place in hidden else _without_secrets(value, max_length) for place, value in enumerate(args)]
    if kwargs:
        shown += sorted(
            f'{key}={HIDDEN if is_secret_name(key) else _without_secrets(value, max_length)}'
            for key, value in kwargs.items()
        )
    return truncate_long_string(f'{func_name}({", ".join(shown)})', MAX_TEXT_LENGTH - len('...'))


def _without_secrets(value: Any, max_length: int | None) -> str:
    """Scrubbed before it is cut: half a secret is not known as one."""
    if (max_length is None or max_length >= _HARMLESS) and _is_harmless(value):
        return repr(value)
    text = _shown(value)
    if max_length is None:
        return scrub(text)
    found = scrub(text[: max_length + _LOOKED_AT])
    return truncate_long_string(found if len(text) <= max_length + _LOOKED_AT else f'{found}...', max_length)


def _is_harmless(value: Any) -> bool:
    """Numbers and words too short for a credential, of types whose `repr` is known."""
    kind = type(value)
    if kind is int:
        return bool(-_LARGE < value < _LARGE)
    if kind is str:
        return len(value) <= _HARMLESS - 2 and value.isascii() and value.isalnum()
    return (
        value is None or kind is bool or (kind is float and -_LARGE < value < _LARGE and len(repr(value)) <= _HARMLESS)
    )


def _shown(value: Any) -> str:
    """`repr`, which must not keep a job from being enqueued or logged."""
    try:
        text = repr(value)
        return text if text.isascii() else text.encode('utf-8', errors='backslashreplace').decode('utf-8')
    except (BaseTimeoutException, ColdShutdown):
        raise
    except (Exception, SystemExit):
        return f'<{type(value).__name__} without repr>'


def shown(name: str) -> str:
    """A name for logs and screens: what cannot be printed is escaped, so that it can forge no line."""
    return name if name.isprintable() else name.encode('unicode_escape').decode()


def fresh_id() -> str:
    """A new job id: a random UUID (RFC 9562, version 4) in lower case."""
    # None is made ahead of time: who is copied with its memory, by a fork or a snapshot, would give the same ones.
    return _uuid(secrets.token_bytes(16).hex())


def fresh_ids(number: int) -> list[str]:
    """So many new job ids."""
    digits = secrets.token_bytes(16 * number).hex()
    return [_uuid(digits[at : at + 32]) for at in range(0, 32 * number, 32)]


def _uuid(digits: str) -> str:
    # a fixed digit for the version, two fixed bits for the variant
    return f'{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{_VARIANT[digits[16]]}{digits[17:20]}-{digits[20:]}'


def is_job_id(value: object) -> bool:
    """Whether `value` may be the id of a job."""
    return isinstance(value, str) and _JOB_ID.fullmatch(value) is not None


def validate_job_id(job_id: str) -> None:
    """Refuse what cannot be the id of a job: `TypeError` for a non-string, `ValueError` for a bad one."""
    if not isinstance(job_id, str):
        raise TypeError(f'a job id must be a str, not {job_id!r} ({type(job_id).__name__}); use str(...)')
    check_length('a job id', job_id)
    if _JOB_ID.fullmatch(job_id) is None:
        raise ValueError(
            f'{truncate_long_string(job_id, 100)!r} cannot be a job id: one or more letters, digits, '
            'underscores and dashes are allowed; replace the others'
        )


def check_length(what: str, name: str) -> None:
    """Refuse a name that is no name any more: it becomes part of keys, and goes over the wire with every command."""
    if len(name) > MAX_NAME_LENGTH:
        raise ValueError(
            f'{what} of {len(name):,} characters ({truncate_long_string(name, 40)!r}) is too long: at most '
            f'{MAX_NAME_LENGTH:,} are allowed; use a shorter one, a digest for example'
        )


def parse_job_id(job_or_execution_id: str) -> str:
    """The job id in a job id or composite key."""
    return job_or_execution_id.partition(':')[0]


def parse_composite_key(composite_key: str) -> tuple[str, str]:
    """Job id and execution id of a composite key; a plain job id of older versions has none ('')."""
    job_id, colon, execution_id = composite_key.partition(':')
    if not colon:
        warnings.warn(
            f'{composite_key!r} is a plain job id where <job id>:<execution id> is expected; '
            'versions that write it are no longer supported, upgrade the worker that runs this job',
            DeprecationWarning,
            stacklevel=2,
        )
    return job_id, execution_id
