"""After the function returned: dump the result, tell on_success, settle. Failing in the latter is a failure too."""

from __future__ import annotations

import logging
from typing import Any

from rq.defaults import MAX_PAYLOAD_BYTES, UNSERIALIZABLE_RETURN_VALUE_PAYLOAD
from rq.failure.capture import capture
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
        kind = type(value).__qualname__
        text = UNSERIALIZABLE_RETURN_VALUE_PAYLOAD
        logger.warning(
            'Job %s: its result of type %s cannot be stored (%s: %s); return what the serializer can dump, or None',
            job.id, kind, type(error).__name__, capture(error).message,
        )  # fmt: skip
    else:
        if len(data) <= MAX_PAYLOAD_BYTES:
            return data
        text = f'Result too large: {len(data):,} bytes'
        logger.warning(
            'Job %s: its result takes %d bytes, over the limit of %d, and is not stored; return a reference instead',
            job.id, len(data), MAX_PAYLOAD_BYTES,
        )  # fmt: skip
    return bytes(job.serializer.dumps(text))


def tell_success(job: JobLike, value: Any, hooks: Hooks) -> None:
    """`on_success`, before the success is stored; what it raises makes the job a failure."""
    job._status = job._stored_status = JobStatus.FINISHED  # what the job shows; save() is not to write it
    if getattr(job, '_success_callback_name', None):
        hooks.allow(job.success_callback_timeout, 'on_success callback')
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
    words |= {'fields': changed(job, **left), 'news': news_of(job, 'finished')}
    return Settlement('finish', lease, words, str(job.description or '')[:200])
