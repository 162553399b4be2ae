"""In which group a failure counts: its cause by the rules, unless the exception or the worker's hook says otherwise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rq.failure.capture import Failure
from rq.rules.anatomy import from_json
from rq.rules.fingerprint import Cause, fingerprint
from rq.rules.payload import UNEVALUATED
from rq.rules.peek import function_in
from rq.types import JobLike

#: asked last: the failure and what it would be grouped by; answers a text to group by instead, or None
Hook = Callable[[Any, Failure, Cause], str | None]


def cause_of(job: Any, failure: Failure, hook: Hook | None = None) -> Cause:
    """The cause of a failure; it never raises."""
    function = function_of(job)
    cause = _cause(failure, function, failure.fingerprint)
    said = hook(job, failure, cause) if hook is not None else None
    return _cause(failure, function, said) if said else cause


def _cause(failure: Failure, function: str, override: str) -> Cause:
    plain = failure.kind.value, failure.type_name, failure.message
    try:
        # of what it came from only the types count; in another process there is only what was noted
        chain = failure.records
        if not chain:
            chain = from_json(failure.chain[:1] + [{'type': one.get('type')} for one in failure.chain[1:]])
        return fingerprint(*plain, chain, function, failure.signal, failure.exit_code, override)
    except Exception:  # a note that somebody else wrote may hold anything
        return fingerprint(*plain, (), function)


def function_of(job: Any) -> str:
    """The function of a job by name, read without loading its arguments; '' where only they would tell."""
    if job._func_name is not UNEVALUATED:
        return str(job._func_name)
    return function_in(job._data) if isinstance(job._data, bytes) else ''


def grouped(job: JobLike, failure: Failure, attempt: dict[str, Any], hook: Hook | None = None) -> dict[str, Any]:
    """The words by which a script counts it; its attempt names the group, too."""
    cause = cause_of(job, failure, hook)
    attempt |= {'group': cause.id, 'function': cause.function}
    return {'cause': cause.words()}


def of_returned(job: JobLike, most: int) -> dict[str, Any]:
    """The same for a job that asked for more retries than it has."""
    return {
        'cause': fingerprint('raised', 'Retry', f'it asked for more than {most} retries', (), function_of(job)).words()
    }
