"""`rq failures retry --first N`: a few jobs are tried again, and what becomes of them says how to go on."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import click

from rq.bulk import Bulk, CanaryResult
from rq.cli import screen
from rq.cli.columns import cut, plain
from rq.cli.document import print_document
from rq.cli.failure_words import word_of
from rq.cli.progress import Progress
from rq.cli.screen import Line
from rq.cli.trace_words import exception_name
from rq.exceptions import NoSuchJobError
from rq.inspector import Inspector, Match

LOOKS = {'finished': 'good', 'failed': 'bad', 'stopped': 'bad', 'canceled': 'warning', 'gone': 'warning'}
SPELLED = {
    'queue': '--queue', 'function': '--function', 'type_name': '--type', 'kind': '--kind', 'text': '--text',
    'since': '--since', 'before': '--until',
}  # fmt: skip


def release(bulk: Bulk, inspector: Inspector, match: Match, options: dict[str, Any], now: datetime) -> None:
    """Queue some again, wait, tell what became of them; exit code 1 unless all of them finished."""
    first, silent = options['first'], options['as_json']
    if not silent:
        jobs = 'the job that failed last is' if first == 1 else f'up to {first:,} jobs that failed last are'
        click.echo(f'{jobs.capitalize()} tried again; waiting for the outcome, {options["wait"]:g} s at most', err=True)
    with Progress('outcomes', silent or first == 1) as progress:
        result = bulk.canary(match, first, options['wait'], progress, at_front=options['at_front'])
    left = inspector.count(match)
    if silent:
        print_document(
            {
                'action': 'retry',
                'first': first,
                'outcomes': result.outcomes,
                'is_good': result.is_good,
                'left': left,
                'go_on': going_on(options) if result.is_good else None,
            }
        )
    else:
        screen.show(_lines(inspector, result, left, options))
    if not result.is_good:
        raise SystemExit(1)


def going_on(options: dict[str, Any]) -> str:
    """The same command for all of them."""
    words = ['rq', 'failures', 'retry', *map(plain, options['groups_and_jobs'])]
    for name, spelled in SPELLED.items():
        if options.get(name):
            words += [spelled, plain(options[name])]
    return shlex.join([*words, *(['--all'] if options['every'] else [])])


def _lines(inspector: Inspector, result: CanaryResult, left: int | None, options: dict[str, Any]) -> Iterator[Line]:
    if not result.outcomes:
        yield Line('Nothing was tried: what matched is failed no more')
        return
    for job_id, outcome in result.outcomes.items():
        why = f': {_reason(inspector, job_id)}' if outcome == 'failed' else ''
        yield Line(cut(f'  {plain(job_id)}  {plain(outcome)}{why}', screen.width()), LOOKS.get(outcome, ''))
    ends = list(result.outcomes.values())
    if result.is_good:
        yield Line('All went well' if len(ends) > 1 else 'It went well', 'good')
        if left != 0:
            number = 'the others' if left is None else f'the other {left:,}' if left > 1 else 'the other one'
            yield Line(f'Go on with {number}: {going_on(options)}')
        return
    failed = [job_id for job_id, outcome in result.outcomes.items() if outcome == 'failed']
    if failed:
        yield Line(f'{len(failed)} of {len(ends)} failed again, so the cause is not mended; no other job was touched')
        yield Line(f'rq failures show {word_of(failed[0])} tells more')
    elif not result.is_over:
        yield Line(f'No outcome within {options["wait"]:g} s: is a worker there? `rq info` tells; --wait waits longer')
    else:
        yield Line('Not all of them finished; no other job was touched')


def _reason(inspector: Inspector, job_id: str) -> str:
    try:
        attempts = inspector.attempts(job_id)
    except NoSuchJobError:
        return ''
    if not attempts:
        return ''
    latest = attempts[-1]
    return f'{exception_name(latest.type_name, latest.module)}: {plain(latest.message)}'
