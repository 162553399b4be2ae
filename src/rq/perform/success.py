"""After the function returned: dump the result, tell on_success, settle. Failing in any of them is a failure too."""

from __future__ import annotations

from typing import Any

from rq.callbacks import execute_success_callback
from rq.defaults import MAX_PAYLOAD_BYTES
from rq.exceptions import ResultError
from rq.failure.notify import Settlement
from rq.failure.outcome import changed, put_right, times
from rq.rules.lease import Lease
from rq.rules.status import JobStatus
from rq.types import Hooks, JobLike


def dump_result(job: JobLike, value: Any) -> bytes | None:
    """The serialized result; `ResultError` for what cannot be stored. The work is done, so it is not done again."""
    if value is None:
        return None
    try:
        data = bytes(job.serializer.dumps(value))
    except Exception as error:
        kind = type(value).__qualname__
        raise ResultError(
            f'The job ran, but its result of type {kind} cannot be stored: {type(error).__name__}: {error}; '
            'return something the serializer can dump, or None'
        ) from error
    if len(data) > MAX_PAYLOAD_BYTES:
        raise ResultError(
            f'The job ran, but its result takes {len(data):,} bytes, over the limit of {MAX_PAYLOAD_BYTES:,}; '
            'store it elsewhere and return a reference'
        )
    return data


def tell_success(job: JobLike, value: Any, hooks: Hooks) -> None:
    """`on_success`, before the success is stored; what it raises makes the job a failure."""
    job._status = job._stored_status = JobStatus.FINISHED  # what the job shows; save() is not to write it
    if getattr(job, '_success_callback_name', None):
        hooks.allow(job.success_callback_timeout, 'on_success callback')
        execute_success_callback(job, hooks.death_penalty_class, value)


def of_success(job: JobLike, lease: Lease, value: bytes | None, default_ttl: int) -> Settlement:
    """The write for a success."""
    put_right(job)
    ttl = job.get_result_ttl(default_ttl)
    words = {'result_ttl': ttl, 'value': value, 'times': times(job), 'fields': changed(job)}
    return Settlement('finish', lease, words, str(job.description or '')[:200])
