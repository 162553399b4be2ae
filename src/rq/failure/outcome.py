"""What now? Ask `rules/retry`, build the one write that settles it. The FailedJobRegistry is fed from here only."""

from __future__ import annotations

from typing import Any

from rq.defaults import DEFAULT_FAILURE_TTL, UNSERIALIZABLE_RETURN_VALUE_PAYLOAD
from rq.failure.capture import Failure, Kind
from rq.failure.notify import Settlement
from rq.rules.lease import Lease
from rq.rules.retry import GiveUp, HandBack, Retry, Stop, TryAgain, decide, interval_of_returned
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


def attempt_of(job: JobLike, lease: Lease, failure: Failure, text: str, final: bool) -> dict[str, Any]:
    """What is remembered of an attempt with the job itself; `text` is empty where the result has it."""
    words: dict[str, Any] = {
        'kind': failure.kind.value,
        'type': failure.type_name,
        'message': failure.message,
        'worker': lease.worker,
    }
    words |= {'execution': lease.execution, 'final': final, **({'text': text} if text else {})}
    words |= dict(zip(('started', 'ended'), times(job), strict=False))
    more = {'signal': failure.signal, 'exit_code': failure.exit_code}
    return {**words, **{name: value for name, value in more.items() if value is not None}}


def of_failure(job: JobLike, lease: Lease, failure: Failure, text: str, stored: bool = True) -> Settlement:
    """The write for a failure: another attempt, or the end."""
    put_right(job)
    kinds = {Kind.STOPPED: 'stopped', Kind.INTERRUPTED: 'interrupted'}
    decision = decide(kinds.get(failure.kind, 'failed'), job.retries_left, job.get_retry_interval(), failure.retryable)
    if isinstance(decision, TryAgain):
        job.retries_left = left = decision.retries_left
        words: dict[str, Any] = {
            'interval': max(decision.interval, failure.pause),
            'front': job.enqueue_at_front_on_retry,
        }
        words |= {'times': times(job), 'fields': changed(job, retries_left=left)}
        words['attempt'] = attempt_of(job, lease, failure, text, False)
        return Settlement('retry', lease, words, f'{left} retries left')
    if isinstance(decision, HandBack):
        return Settlement('release', lease)
    words = {'failure_ttl': _failure_ttl(job), 'text': text}
    words['attempt'] = attempt_of(job, lease, failure, '' if stored else text, True)
    if isinstance(decision, Stop):
        started = job.started_at.timestamp() if job.started_at else ''
        return Settlement('stop', lease, {**words, 'fields': changed(job), 'started': started})
    assert isinstance(decision, GiveUp)
    fields = changed(job) if job.retries_left is None else changed(job, retries_left=job.retries_left)
    news = news_of(job, 'failed', text, loads=failure.kind not in _DEADLY)
    words |= {'times': times(job), 'fields': fields, 'stored': stored, 'news': news}
    return Settlement('fail', lease, words, f'{failure.type_name}: {failure.message[:200]}')


def of_returned_retry(job: JobLike, lease: Lease, retry: Retry) -> Settlement:
    """The write for a job that returned a Retry: another attempt, or the end of its patience."""
    put_right(job)
    made = job.number_of_retries or 0
    value = _dump_retry(job, retry)
    if made >= retry.max:
        words = {'failure_ttl': _failure_ttl(job), 'text': '', 'times': times(job), 'fields': changed(job)}
        words['news'] = news_of(job, 'failed')
        about = f'it asked for more than {retry.max} retries'
        return Settlement('fail', lease, {**words, 'returned': value}, about)
    job.number_of_retries = made + 1
    more: dict[str, Any] = {'number_of_retries': made + 1}
    if retry.enqueue_at_front or job.enqueue_at_front_on_retry:
        more['enqueue_at_front_on_retry'] = int(bool(retry.enqueue_at_front))
    words = {
        'interval': interval_of_returned(retry.intervals, made),
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
