"""`rq requeue` and `rq empty`: what an operator does to jobs by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from rq.cli import copying
from rq.cli.copying import arguments_of
from rq.cli.document import json_option, print_document
from rq.cli.errors import Command, talking_to
from rq.cli.options import CliConfig, pass_cli_config
from rq.cli.seen import known_queues, printable
from rq.exceptions import InvalidJobOperation, InvalidJobOperationError, NoSuchJobError
from rq.legacy.failed_queue import FailedQueue
from rq.store import aside
from rq.store.call import run

REASONS_SHOWN = 10


@click.command('requeue', cls=Command)
@click.option('--all', '-a', is_flag=True, help='Requeue all failed jobs.')
@click.option('--queue', help='The queue whose failed jobs are meant; all queues if none is named.')
@click.option('--aside', is_flag=True, help='Jobs that were set aside instead: the ids given, or all of them.')
@click.option('--copy', 'as_copy', is_flag=True, help='Queue copies with ids of their own; the jobs stay as they are.')
@click.option('--args', 'new_args', metavar='JSON', help='With --copy: a list of other positional arguments.')
@click.option('--kwargs', 'new_kwargs', metavar='JSON', help='With --copy: an object with other keyword arguments.')
@json_option
@click.argument('job_ids', nargs=-1)
@pass_cli_config
def requeue(cli_config: CliConfig, queue: str | None, as_json: bool, job_ids: tuple[str, ...], **options: Any) -> None:
    """Put failed jobs back into their queue, by id or all of them; with --aside jobs whose records were put right."""
    arguments = arguments_of(options['new_args'], options['new_kwargs'])
    if options['as_copy'] or arguments != (None, None):
        _requeue_copies(cli_config, queue, job_ids, arguments, as_json, options)
        return
    if options['aside']:
        with talking_to(cli_config.connection):
            _return_aside(cli_config, queue, job_ids, as_json)
        return
    # The failed queue of 0.x is a view of the failed jobs of all queues.
    failed: Any = _failed_queue(cli_config) if queue is None else cli_config.queue(queue).failed_job_registry
    with talking_to(cli_config.connection):
        ids = failed.get_job_ids() if options['all'] else list(job_ids)
        if ids and not as_json:
            click.echo(f'Requeueing {len(ids)} jobs from failed queue')
        done, refused = _requeue_each(failed, ids, silent=as_json or not ids)
    if as_json:
        reasons = [{'job_id': job_id, 'reason': why} for job_id, why in refused]
        print_document({'queue': queue, 'requeued': done, 'refused': reasons})
    elif not ids:
        click.echo('Nothing to do')
    if refused:
        _report([why for _, why in refused])


def _requeue_copies(
    cli_config: CliConfig, queue: str | None, job_ids: Sequence[str], arguments: Any, as_json: bool, options: Any
) -> None:
    if not options['as_copy']:
        raise click.UsageError('--args and --kwargs need --copy: the arguments of a stored job are not changed')
    if options['all'] or options['aside'] or queue is not None or not job_ids:
        raise click.UsageError('--copy takes the ids of jobs, and neither --all, --aside nor --queue')
    with talking_to(cli_config.connection):
        refused = copying.requeue_copies(cli_config, job_ids, arguments, as_json)
    if refused:
        _report([f'{printable(job_id)}: {printable(why)}' for job_id, why in refused], 'copies')


def _return_aside(cli_config: CliConfig, queue: str | None, wanted: Sequence[str], as_json: bool) -> None:
    """Queue what was set aside and can be worked on by now; what cannot stays there."""
    names = known_queues(cli_config.queue_class, cli_config.connection) if queue is None else [queue]
    done: list[str] = []
    refused: list[tuple[str, str]] = []
    absent = dict.fromkeys(wanted)
    for name in names:
        members = aside.of_queue(cli_config.connection, name)
        for member in [one for one in members if not wanted or one in absent]:
            absent.pop(member, None)
            answer, why = run(cli_config.connection, aside.return_aside(name, member))
            if answer == 'ok':
                done.append(member)
            elif answer != 'elsewhere':
                refused.append((member, why or 'its record is gone'))
    refused += [(member, 'it is not set aside') for member in absent]
    if as_json:
        reasons = [{'job_id': member, 'reason': why} for member, why in refused]
        print_document({'queue': queue, 'requeued': done, 'refused': reasons})
    elif not refused:
        click.echo(f'{len(done)} jobs that were set aside are queued' if done else 'Nothing to do')
    if refused:
        _report([f'{printable(member)}: {printable(why)}' for member, why in refused], 'what was set aside')


def _failed_queue(cli_config: CliConfig) -> FailedQueue:
    return FailedQueue(cli_config.connection, cli_config.job_class, serializer=cli_config.serializer)


def _requeue_each(failed: Any, ids: Sequence[str], silent: bool) -> tuple[list[str], list[tuple[str, str]]]:
    """Requeue what can be; answers the ids that were, and those that were not with the reasons."""
    done, refused = [], []
    with click.progressbar(ids, hidden=silent) as waiting:
        for job_id in waiting:
            try:
                answer = failed.requeue(job_id)
                if answer is None and isinstance(failed, FailedQueue):
                    raise NoSuchJobError(f'No such job: {job_id}')
            except (NoSuchJobError, InvalidJobOperation, InvalidJobOperationError, ValueError) as error:
                # The failed queue's own words of old do not name the job; those of the registry below it do.
                named = error.__cause__ if isinstance(error, InvalidJobOperationError) else None
                refused.append((job_id, str(named or error)))
            else:
                done.append(job_id)
    return done, refused


def _report(refused: list[str], place: str = 'failed job registry') -> None:
    """Say what could not be requeued and why, and end with code 1."""
    click.secho(f'Unable to requeue {len(refused)} jobs from {place}', fg='red', err=True)
    for why in refused[:REASONS_SHOWN]:
        click.echo(f'  {why}', err=True)
    if len(refused) > REASONS_SHOWN:
        click.echo(f'  ... and {len(refused) - REASONS_SHOWN} more', err=True)
    raise SystemExit(1)


@click.command('empty', cls=Command)
@click.option('--all', '-a', is_flag=True, help='Empty all queues.')
@json_option
@click.argument('queues', nargs=-1)
@pass_cli_config
def empty(cli_config: CliConfig, as_json: bool, queues: tuple[str, ...], **options: Any) -> None:
    """Remove the waiting jobs of queues, and their records."""
    emptied = []
    with talking_to(cli_config.connection):
        every = options['all']
        names = known_queues(cli_config.queue_class, cli_config.connection) if every else list(queues)
        for queue in [cli_config.queue(name) for name in names]:
            emptied.append({'name': queue.name, 'removed': queue.empty()})
            if not as_json:
                click.echo(f'{emptied[-1]["removed"]} jobs removed from {queue.name} queue')
    if as_json:
        print_document({'queues': emptied})
    elif not emptied:
        click.echo('Nothing to do')
