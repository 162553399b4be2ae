"""All that is stored of a job, as lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from rq.attempts import Attempt
from rq.cli.attempt_words import attempts_table, has_more_text, how_it_ended
from rq.cli.columns import cut, plain, wrapped
from rq.cli.screen import Line
from rq.cli.trace_words import chain_lines, headline, text_lines
from rq.cli.when import on_screen, span, took
from rq.inspector import JobView

LABEL = 15
TEXT_LINES = 30
IDS_NAMED = 20
LOOKS = {'failed': 'bad', 'stopped': 'bad', 'finished': 'good', 'canceled': 'warning', 'started': 'title'}


def job_head(job: JobView, now: datetime, width: int) -> Iterator[Line]:
    """What it is, how it stands, and where it came from."""
    status = plain(job.status or 'no status')
    yield Line(cut(f'Job {plain(job.id)}  {status}', width), LOOKS.get(job.status, 'title'))
    for line in wrapped(cut(plain(job.description), 400), width, '  '):
        yield Line(line)
    for label, text in (('Queue', job.queue), ('Enqueued from', job.enqueued_from), ('Failure group', job.group)):
        yield from _row(label, text, width)


def job_screen(job: JobView, attempts: Sequence[Attempt], now: datetime, width: int) -> Iterator[Line]:
    """The whole job on one screen; of its failures the table, and the latest one."""
    yield from job_head(job, now, width)
    for label, text in _rows(job, now):
        yield from _row(label, text, width)
    for name, why in job.broken.items():
        yield Line(cut(f'cannot be read: {plain(name)}: {plain(why)}', width), 'bad')
    if attempts:
        yield Line('')
        yield from attempts_table(attempts, now, width)
        yield Line('')
        yield from _latest(attempts[-1], width)
    elif job.exc_string:
        yield Line('')
        yield from text_lines(job.exc_string, TEXT_LINES, '')


def _latest(attempt: Attempt, width: int) -> Iterator[Line]:
    ended = how_it_ended(attempt)
    if ended:
        yield Line(ended, 'bad')
    if attempt.chain:
        yield from chain_lines(attempt.chain, width)
        return
    yield from headline(attempt.type_name, '', attempt.message, width)
    if has_more_text(attempt):
        yield from text_lines(attempt.exc_string, TEXT_LINES)


def _row(label: str, text: str, width: int) -> Iterator[Line]:
    """A label and what stands behind it, in as many lines as it takes; nothing where nothing is known."""
    for number, line in enumerate(wrapped(cut(plain(text), 2000), width, ' ' * LABEL)):
        yield Line(f'{label:{LABEL}}{line[LABEL:]}' if number == 0 else line)


def _rows(job: JobView, now: datetime) -> Iterator[tuple[str, str]]:
    if not job.description.startswith(job.function):
        yield 'Function', job.function
    for label, moment in (
        ('Created', job.created_at),
        ('Enqueued', job.enqueued_at),
        ('Started', job.started_at),
        ('Ended', job.ended_at),
    ):
        yield label, on_screen(moment, now) if moment else ''
    if job.started_at and job.ended_at and job.ended_at >= job.started_at:
        yield 'Ran for', took((job.ended_at - job.started_at).total_seconds())
    yield 'Worker', job.worker_name
    if job.status == 'started' and job.last_heartbeat:
        yield 'Last heartbeat', on_screen(job.last_heartbeat, now)
    yield 'Retries', _retries(job)
    yield 'Repeats', '' if job.repeats_left is None else f'{job.repeats_left} left'
    yield 'Times', _times(job)
    yield 'Kept until', on_screen(job.expires_at, now) if job.expires_at else ''
    yield 'Waits for', _named(job.dependency_ids) + (', even failed ones' if job.allow_dependency_failures else '')
    yield (
        'Waited for by',
        f'{job.dependent_count:,} {"job" if job.dependent_count == 1 else "jobs"}' * bool(job.dependent_count),
    )
    yield (
        'Rate limit',
        job.rate_limit + (f', {job.rate_limit_concurrency} at once' if job.rate_limit_concurrency else ''),
    )
    yield 'Job group', job.job_group
    yield 'Copy of', job.copy_of
    yield 'Callbacks', ', '.join(f'{when}: {name}' for when, name in job.callbacks.items())
    yield 'Sizes', f'payload {job.payload_size:,} bytes, result {job.result_size:,}, notes {job.meta_size:,}'
    yield 'Warning', job.warning


def _named(ids: Sequence[str]) -> str:
    return ', '.join(ids[:IDS_NAMED]) + (f' and {len(ids) - IDS_NAMED:,} more' if len(ids) > IDS_NAMED else '')


def _retries(job: JobView) -> str:
    parts = []
    if job.attempt_count:
        parts.append(f'{job.attempt_count} failed {"attempt" if job.attempt_count == 1 else "attempts"}')
    if job.retries_left is not None:
        parts.append(f'{job.retries_left} left')
    if job.retry_intervals and job.retries_left:
        parts.append(f'after {", ".join(f"{one:g}" for one in job.retry_intervals[:10])} s')
    if job.number_of_retries:
        parts.append(f'returned Retry {job.number_of_retries} times')
    return ', '.join(parts)


def _times(job: JobView) -> str:
    """How long it may take, wait and be kept."""
    named = (
        ('timeout', job.timeout), ('may wait', job.ttl), ('result kept', job.result_ttl),
        ('failure kept', job.failure_ttl),
    )  # fmt: skip
    return ', '.join(f'{name} {_length(seconds)}' for name, seconds in named if seconds is not None)


def _length(seconds: float) -> str:
    return 'for ever' if seconds < 0 else span(seconds)
