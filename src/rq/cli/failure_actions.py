"""`rq failures retry|delete|cancel`: what is done to failed jobs, all that match at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple

import click

from rq.bulk import Bulk, BulkResult
from rq.cli import canary, screen
from rq.cli.chosen import is_filtered, match_of, match_options, server_now, targets
from rq.cli.columns import cut, plain, table
from rq.cli.document import json_option, print_document
from rq.cli.errors import Command, talking_to
from rq.cli.failure_documents import failed_job_document
from rq.cli.options import CliConfig, FiniteNumber, WholeNumber, pass_cli_config
from rq.cli.progress import Progress
from rq.cli.questions import agreed
from rq.cli.screen import Line
from rq.cli.when import ago
from rq.exceptions import InvalidJobOperation, NoSuchJobError
from rq.inspector import FailedJob, Inspector, JobView, Match

SAMPLES = 3
PAGES_FOR_A_SAMPLE = 50
#: a stopped job stands with the failed ones
FAILED = ('failed', 'stopped')


class Verb(NamedTuple):
    """An action: its name, how it is asked for, and what is said of jobs that it was done to."""

    name: str
    question: str
    done: str
    ready: str


RETRY = Verb('retry', 'Queue', 'queued again', 'would be queued again')
DELETE = Verb('delete', 'Delete', 'deleted', 'would be deleted')
CANCEL = Verb('cancel', 'Cancel', 'canceled', 'would be canceled')


def acting(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add what the actions on jobs share to a command."""
    for option in (
        json_option,
        click.option('--rate', type=FiniteNumber(min=0, min_open=True), metavar='N', help='N jobs a second at most.'),
        click.option('--first', type=WholeNumber(min=1), metavar='N', help='Only N of them, those that failed last.'),
        click.option('--dry-run', is_flag=True, help='Only say what would be done.'),
        click.option('--yes', '-y', is_flag=True, help='Do not ask.'),
        click.option('--all', 'every', is_flag=True, help='All failed jobs, where nothing says which.'),
        match_options,
        click.argument('groups_and_jobs', nargs=-1),
    ):
        command = option(command)
    return command


@click.command('retry', cls=Command)
@acting
@click.option('--at-front', is_flag=True, help='Before all others of their queues.')
@click.option(
    '--wait', type=FiniteNumber(min=0), default=60.0, show_default=True, metavar='SECONDS',
    help='With --first: how long to wait for what becomes of them.',
)  # fmt: skip
@pass_cli_config
def retry(cli_config: CliConfig, **options: Any) -> None:
    """Queue failed jobs again: those of GROUPS_AND_JOBS, or all that match the options.

    With --first N only N of them, as a canary: it waits for what becomes of them, and says how to go on.
    """
    _act(cli_config, RETRY, options)


@click.command('delete', cls=Command)
@acting
@pass_cli_config
def delete(cli_config: CliConfig, **options: Any) -> None:
    """Delete failed jobs, with their records: those of GROUPS_AND_JOBS, or all that match the options."""
    _act(cli_config, DELETE, options)


@click.command('cancel', cls=Command)
@acting
@pass_cli_config
def cancel(cli_config: CliConfig, **options: Any) -> None:
    """Cancel failed jobs, which keeps their records: those of GROUPS_AND_JOBS, or all that match the options."""
    _act(cli_config, CANCEL, options)


class Task(NamedTuple):
    """What is to be done, and to which jobs: those of the matches, and those named one by one."""

    cli_config: CliConfig
    verb: Verb
    options: dict[str, Any]
    matches: list[Match]
    jobs: list[JobView]
    now: datetime

    @property
    def inspector(self) -> Inspector:
        """For looking."""
        return Inspector(self.cli_config.connection)


def _act(cli_config: CliConfig, verb: Verb, options: dict[str, Any]) -> None:
    """Find what is meant, ask, act, tell."""
    with talking_to(cli_config.connection):
        task = _task(cli_config, verb, options)
        if options['dry_run']:
            _tell(task, _rehearsed(task), [])
            return
        if not _is_wanted(task):
            return
        if verb is RETRY and options['first'] is not None:
            bulk = Bulk(cli_config.connection)
            canary.release(bulk, task.inspector, task.matches[0], options, task.now)
            return
        result = _run(task)
        refused = _each(task)
        _tell(task, result, refused)
    if refused:
        raise SystemExit(1)


def _task(cli_config: CliConfig, verb: Verb, options: dict[str, Any]) -> Task:
    words, filtered = options['groups_and_jobs'], is_filtered(options)
    if not (words or filtered or options['every']):
        raise click.UsageError('say which: groups, jobs, options such as --queue, or --all for every failed job')
    if words and options['every']:
        raise click.UsageError('--all is every failed job, so it does not go with names')
    now = server_now(cli_config.connection)
    match = match_of(options, now)
    if not words:
        return Task(cli_config, verb, options, [match], [], now)
    found = targets(Inspector(cli_config.connection), words)
    if found.jobs and (filtered or options['first'] is not None or options['rate'] is not None):
        raise click.UsageError(
            'a job that is named is meant as it is: --first, --rate and what to match are for groups'
        )
    if len(found.groups) > 1 and options['first'] is not None:
        raise click.UsageError('--first is of one group at a time')
    return Task(cli_config, verb, options, [replace(match, group=one.id) for one in found.groups], found.jobs, now)


# --- before -------------------------------------------------------------------------------------------------------


def _rehearsed(task: Task) -> BulkResult:
    results = [_call(task, match, dry_run=True) for match in task.matches]
    samples = [job for result in results for job in result.samples]
    fitting = sum(job.status in FAILED for job in task.jobs)
    return BulkResult(sum(one.matched for one in results) + fitting, 0, len(task.jobs) - fitting, samples)


def _is_wanted(task: Task) -> bool:
    """Whether there is anything to do, and who sits at the terminal agrees to it."""
    if not task.matches:
        return task.verb is RETRY or task.options['yes'] or agreed(_about_jobs(task))
    counts = [task.inspector.count(match) for match in task.matches]
    sample = _sample(task)
    if not sample and not task.jobs:
        _tell(task, BulkResult(0, 0, 0), [])
        return False
    if task.options['yes']:
        return True
    known = sum(count for count in counts if count is not None) + len(task.jobs)
    number = f'{known:,}' if None not in counts else 'an unknown number of'
    first = task.options['first']
    number = f'{first} of {number}' if first else number
    lines = [f'{number} failed jobs, such as', *_sample_lines(sample, task.now, screen.width())]
    return agreed([*lines, f'{task.verb.question} them?'])


def _about_jobs(task: Task) -> list[str]:
    ids = ', '.join(plain(job.id) for job in task.jobs[:SAMPLES])
    more = f' and {len(task.jobs) - SAMPLES} more' if len(task.jobs) > SAMPLES else ''
    return [f'{task.verb.question} {ids}{more}?']


def _sample(task: Task) -> list[FailedJob]:
    """Some of the jobs that match; a page may be empty where few of very many do."""
    for match in task.matches:
        cursor = ''
        for _ in range(PAGES_FOR_A_SAMPLE):
            page = task.inspector.failed_jobs(match, cursor, limit=SAMPLES)
            if page.items:
                return page.items
            cursor = page.cursor
            if not cursor:
                break
    return []


def _sample_lines(sample: Sequence[FailedJob], now: datetime, width: int) -> list[str]:
    rows = [
        (
            cut(plain(job.id), 36),
            cut(plain(job.queue), 16),
            ago(job.failed_at, now),
            cut(f'{plain(job.type_name)}: {plain(job.message)}' if job.type_name else plain(job.description), 200),
        )
        for job in sample[:SAMPLES]
    ]
    return [f'  {line}' for line in table(rows, width - 2, 3)]


# --- the action ---------------------------------------------------------------------------------------------------


def _run(task: Task) -> BulkResult:
    matched = changed = passed_over = 0
    for match in task.matches:
        with Progress(task.verb.name, task.options['as_json']) as progress:
            try:
                result = _call(task, match, progress)
            except KeyboardInterrupt:
                raise click.ClickException(
                    f'stopped after {progress.done:,} jobs had been looked at; the others are as they were'
                ) from None
        matched, changed = matched + result.matched, changed + result.changed
        passed_over += result.passed_over
    return BulkResult(matched, changed, passed_over)


def _call(task: Task, match: Match, progress: Progress | None = None, dry_run: bool = False) -> BulkResult:
    bulk = Bulk(task.cli_config.connection)
    first, rate = task.options['first'], task.options['rate']
    if task.verb is RETRY:
        return bulk.requeue(match, first, rate, dry_run, progress, at_front=task.options['at_front'])
    return (bulk.delete if task.verb is DELETE else bulk.cancel)(match, first, rate, dry_run, progress)


def _each(task: Task) -> list[tuple[str, str]]:
    """Do it to the jobs that are named; the ids of those that refuse, and why."""
    refused = []
    for job in task.jobs:
        if job.status not in FAILED:
            refused.append((job.id, f'it is {job.status or "without a status"}, not failed'))
            continue
        try:
            found = task.cli_config.job_class.fetch(
                job.id, connection=task.cli_config.connection, serializer=task.cli_config.serializer
            )
            if task.verb is RETRY:
                found.requeue(at_front=task.options['at_front'])
            elif task.verb is DELETE:
                found.delete()
            else:
                found.cancel()
        except (NoSuchJobError, InvalidJobOperation, ValueError) as error:
            refused.append((job.id, str(error)))
    return refused


# --- after --------------------------------------------------------------------------------------------------------


def _tell(task: Task, result: BulkResult, refused: list[tuple[str, str]]) -> None:
    dry_run = task.options['dry_run']
    done = 0 if dry_run else len(task.jobs) - len(refused)
    matched = result.matched + (0 if dry_run else len(task.jobs))
    if task.options['as_json']:
        print_document(
            {
                'action': task.verb.name,
                'dry_run': dry_run,
                'matched': matched,
                'changed': result.changed + done,
                'passed_over': result.passed_over + len(refused),
                'samples': [failed_job_document(job) for job in result.samples],
                'refused': [{'job_id': job_id, 'reason': why} for job_id, why in refused],
            }
        )
        return
    screen.show(_lines(task, matched, result, done))
    for job_id, why in refused:
        screen.show([Line(f'{plain(job_id)}: {plain(why)}', 'bad')], err=True)


def _lines(task: Task, matched: int, result: BulkResult, done: int) -> Iterator[Line]:
    if not matched:
        yield Line('Nothing to do')
        return
    if task.options['dry_run']:
        first = task.options['first']
        number = f'{min(first, matched):,} of {matched:,}' if first else f'{matched:,}'
        yield Line(f'{number} {_jobs(matched)} {task.verb.ready}{", such as" if result.samples else ""}')
        yield from (Line(line) for line in _sample_lines(result.samples, task.now, screen.width()))
        return
    changed = result.changed + done
    yield Line(f'{changed:,} {_jobs(changed)} {task.verb.done}')
    if result.passed_over:
        yield Line(f'{result.passed_over:,} passed over, because they were failed no more')


def _jobs(number: int) -> str:
    return 'job' if number == 1 else 'jobs'
