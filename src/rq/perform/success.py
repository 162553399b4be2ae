"""After the function returned: dump the result, tell on_success, settle. Failing in the latter is a failure too."""

from __future__ import annotations

import logging
from typing import Any

from rq.defaults import MAX_PAYLOAD_BYTES, UNSERIALIZABLE_RETURN_VALUE_PAYLOAD
from rq.failure.capture import ON_SUCCESS, capture
from rq.failure.notify import Settlement
from rq.failure.outcome import changed, put_right, times
from rq.rules.lease import Lease
from rq.rules.repeat import next_repeat
from rq.rules.status import JobStatus
from rq.store.codec import encode_some
from rq.types import Hooks, JobLike
from rq.webhook import news_of

logger = logging.getLogger('rq.job')


def dump_result(job: JobLike, value: Any) -> bytes | None:
    """The serialized result. One that cannot be stored is replaced by a text, with a warning: the work is done."""
    if value is None:
        return None
    try:
        data = bytes(job.serializer.dumps(value))
    except Exception as error:
        text = UNSERIALIZABLE_RETURN_VALUE_PAYLOAD
        why = f'its result of type {type(value).__qualname__} cannot be stored ({type(error).__name__}: '
        why += f'{capture(error, job=job).message}); return what the serializer can dump, or None'
    else:
        if len(data) <= MAX_PAYLOAD_BYTES:
            return data
        text = too_large(len(data))
        why = f'its result takes {len(data):,} bytes, over the limit of {MAX_PAYLOAD_BYTES:,}, and is not stored; '
        why += 'return a reference instead'
    warn(job, why)
    return bytes(job.serializer.dumps(text))


def too_large(size: int) -> str:
    """What is stored in place of a result that takes too many bytes."""
    return f'Result too large: {size:,} bytes'


def warn(job: JobLike, why: str) -> None:
    """The job has finished, but not all is well: said in the log, on the job, and in the worker's count."""
    job._new_warning = why[:1000]
    logger.warning('Job %s: %s', job.id, why)


def tell_success(job: JobLike, value: Any, hooks: Hooks) -> None:
    """`on_success`, before the success is stored; what it raises makes the job a failure."""
    job._status = job._stored_status = JobStatus.FINISHED  # what the job shows; save() is not to write it
    if getattr(job, '_success_callback_name', None):
        hooks.allow(job.success_callback_timeout, ON_SUCCESS)
        job.execute_success_callback(hooks.death_penalty_class, value)


def of_success(job: JobLike, lease: Lease, value: bytes | None, default_ttl: int) -> Settlement:
    """The write for a success."""
    put_right(job)
    ttl = job.get_result_ttl(default_ttl)
    words: dict[str, Any] = {'result_ttl': ttl, 'value': value, 'times': times(job)}
    again, left = next_repeat(job.repeats_left, job.repeat_intervals), {}
    if again is not None:
        job.repeats_left, job.repeat_intervals = again.left, again.intervals
        words['repeat'] = again.interval
        left = encode_some({'repeats_left': again.left, 'repeat_intervals': again.intervals})
    if job._new_warning or job.warning:  # an older one is over
        left['warning'] = job._new_warning
    words |= {'fields': changed(job, **left), 'news': news_of(job, 'finished')}
    return Settlement('finish', lease, words, str(job.description or '')[:1000])
