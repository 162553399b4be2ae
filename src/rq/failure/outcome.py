"""What now? Ask `rules/retry`, build the one write that settles it. The FailedJobRegistry is fed from here only."""

from __future__ import annotations

import json
from typing import Any

from rq.defaults import DEFAULT_FAILURE_TTL, MAX_TRACEBACK_BYTES, UNSERIALIZABLE_RETURN_VALUE_PAYLOAD
from rq.failure import again
from rq.failure.capture import Failure, Kind
from rq.failure.grouping import Hook, grouped, of_returned
from rq.failure.notify import Settlement
from rq.rules.lease import Lease
from rq.rules.retry import GiveUp, HandBack, Retry, Stop, TryAgain
from rq.rules.wording import last_of
from rq.store.codec import encode_some, is_storable
from rq.types import JobLike
from rq.webhook import news_of

#: the process that ran the job is gone
_DEADLY = (Kind.KILLED, Kind.TIMED_OUT, Kind.ABANDONED, Kind.POISON)


def times(job: JobLike) -> tuple[float, float, float] | tuple[()]:
    """Begin and end (epoch seconds) and length of the attempt, if they are known."""
    if not job.started_at or not job.ended_at:
        return ()
    started = job.started_at.timestamp()
    ended = max(job.ended_at.timestamp(), started)  # a clock of this machine alone may have been set back
    return started, ended, round(ended - started, 6)


def changed(job: JobLike, **more: Any) -> dict[str, Any]:
    """The hash fields that user code changed, and more."""
    touched = job.touched_since(job._before)
    return {**encode_some(touched), **more} if touched else more


def put_right(job: JobLike) -> None:
    """User code may have put anything on the job; what cannot be stored goes back to what it was."""
    for name, value in job.touched_since(job._before).items():
        if not is_storable(name, value):
            setattr(job, name, job._before[name])


def _failure_ttl(job: JobLike) -> int:
    return DEFAULT_FAILURE_TTL if job.failure_ttl is None else job.failure_ttl


def attempt_of(
    job: JobLike, lease: Lease, failure: Failure, text: str, final: bool, in_result: bool = False
) -> dict[str, Any]:
    """What is remembered of an attempt with the job itself, without the text where the result has it."""
    words: dict[str, Any] = {
        'kind': failure.kind.value,
        'type': failure.type_name,
        'message': failure.message,
        'worker': lease.worker,
        'execution': lease.execution,
        'final': final,
        **dict(zip(('started', 'ended'), times(job), strict=False)),
    }
    names = ('signal', 'exit_code', 'peak_memory', 'host', 'pid', 'chain')
    more = {name: getattr(failure, name) for name in names}
    words |= {name: value for name, value in more.items() if value not in (None, '', [])}
    if text and not in_result:
        words['text'] = text
    if failure.output:  # its end counts, and it gets the room that the text leaves
        taken = len(json.dumps(words)) + (len(json.dumps(text)) if in_result else 0)
        words['output'] = last_of(failure.output, MAX_TRACEBACK_BYTES - taken)
    return words


def of_failure(
    job: JobLike, lease: Lease, failure: Failure, text: str, stored: bool = True, hook: Hook | None = None
) -> Settlement:
    """The write for a failure: another attempt, or the end. `hook`: see `grouping`."""
    put_right(job)
    decision = again.judge(job, failure)
    if isinstance(decision, TryAgain):
        again.bind(job)
        job.retries_left = left = decision.retries_left
        words: dict[str, Any] = {'interval': decision.interval, 'front': job.enqueue_at_front_on_retry}
        words |= {'times': times(job), 'fields': changed(job, retries_left=left)}
        words['attempt'] = attempt_of(job, lease, failure, text, False)
        words |= grouped(job, failure, words['attempt'], hook)
        return Settlement('retry', lease, words, f'{left} retries left')
    if isinstance(decision, HandBack):
        return Settlement('release', lease)
    words = {'failure_ttl': _failure_ttl(job), 'text': text}
    words['attempt'] = attempt_of(job, lease, failure, text, True, in_result=stored)
    if isinstance(decision, Stop):
        started = job.started_at.timestamp() if job.started_at else ''
        return Settlement('stop', lease, {**words, 'fields': changed(job), 'started': started})
    again.unbind(job)
    words |= grouped(job, failure, words['attempt'], hook)
    fields = changed(job) if job.retries_left is None else changed(job, retries_left=job.retries_left)
    news = news_of(job, 'failed', text, loads=failure.kind not in _DEADLY)
    words |= {'times': times(job), 'fields': fields, 'stored': stored, 'news': news}
    why = f' ({decision.why})' if decision.why else ''
    return Settlement('fail', lease, words, f'{failure.type_name}: {failure.message[:200]}{why}')


def of_retry_later(job: JobLike, lease: Lease, failure: Failure, retry: Retry) -> Settlement:
    """The write for a job that raised RetryLater, and may: as if it had returned that Retry, but it takes its own."""
    put_right(job)
    left = retry.max - 1
    if job.retries_left is None:
        job.number_of_retries = (job.number_of_retries or 0) + 1
        count = {'number_of_retries': job.number_of_retries}
    else:
        job.retries_left = left
        count = {'retries_left': left}
    again.bind(job)
    words = {
        'interval': retry.intervals[0],
        'front': job.enqueue_at_front_on_retry,
        'result_ttl': _failure_ttl(job),
        'value': _dump_retry(job, retry),
        'times': times(job),
        'fields': changed(job, **count),
    }
    return Settlement('retry_returned', lease, words, failure.message[:200])


def of_returned_retry(job: JobLike, lease: Lease, retry: Retry) -> Settlement:
    """The write for a job that returned a Retry: another attempt, or the end of its patience."""
    put_right(job)
    made = job.number_of_retries or 0
    value = _dump_retry(job, retry)
    decision = again.judge_returned(job, retry)
    if isinstance(decision, GiveUp):
        again.unbind(job)
        words = {'failure_ttl': _failure_ttl(job), 'text': '', 'times': times(job), 'fields': changed(job)}
        words |= {'news': news_of(job, 'failed'), **of_returned(job, retry.max)}
        return Settlement('fail', lease, {**words, 'returned': value}, decision.why)
    again.bind(job, retry.policy)
    job.number_of_retries = made + 1
    more: dict[str, Any] = {'number_of_retries': made + 1}
    if retry.enqueue_at_front or job.enqueue_at_front_on_retry:
        more['enqueue_at_front_on_retry'] = int(bool(retry.enqueue_at_front))
    words = {
        'interval': decision.interval,
        'front': bool(retry.enqueue_at_front or job.enqueue_at_front_on_retry),
        'result_ttl': _failure_ttl(job),
        'value': value,
        'times': times(job),
        'fields': changed(job, **more),
    }
    return Settlement('retry_returned', lease, words)


def _dump_retry(job: JobLike, retry: Retry) -> bytes:
    try:
        return bytes(job.serializer.dumps(retry))
    except Exception:
        return bytes(job.serializer.dumps(UNSERIALIZABLE_RETURN_VALUE_PAYLOAD))
