"""`rq requeue` and `rq empty`: what an operator does to jobs by hand."""

from __future__ import annotations

from typing import Any

import click

from rq.cli.errors import Command, talking_to
from rq.cli.info import known_queues
from rq.cli.options import CliConfig, pass_cli_config
from rq.exceptions import InvalidJobOperation, NoSuchJobError

REASONS_SHOWN = 10


@click.command('requeue', cls=Command)
@click.option('--all', '-a', 'every', is_flag=True, help='Requeue all failed jobs of the queue.')
@click.option('--queue', required=True, help='The queue whose failed jobs are meant.')
@click.argument('job_ids', nargs=-1)
@pass_cli_config
def requeue(cli_config: CliConfig, queue: str, every: bool, job_ids: tuple[str, ...], **options: Any) -> None:
    """Put failed jobs back into their queue, by id or all of them."""
    registry = cli_config.queue(queue).failed_job_registry
    with talking_to(cli_config.connection):
        ids = registry.get_job_ids() if every else list(job_ids)
        if not ids:
            click.echo('Nothing to do')
            return
        click.echo(f'Requeueing {len(ids)} jobs from failed queue')
        refused = []
        with click.progressbar(ids) as waiting:
            for job_id in waiting:
                try:
                    registry.requeue(job_id)
                except (NoSuchJobError, InvalidJobOperation, ValueError) as error:
                    refused.append(str(error))
    if refused:
        _report(refused)


def _report(refused: list[str]) -> None:
    """Say what could not be requeued and why, and end with code 1."""
    click.secho(f'Unable to requeue {len(refused)} jobs from failed job registry', fg='red', err=True)
    for why in refused[:REASONS_SHOWN]:
        click.echo(f'  {why}', err=True)
    if len(refused) > REASONS_SHOWN:
        click.echo(f'  ... and {len(refused) - REASONS_SHOWN} more', err=True)
    raise SystemExit(1)


@click.command('empty', cls=Command)
@click.option('--all', '-a', 'every', is_flag=True, help='Empty all queues.')
@click.argument('queues', nargs=-1)
@pass_cli_config
def empty(cli_config: CliConfig, every: bool, queues: tuple[str, ...], **options: Any) -> None:
    """Remove the waiting jobs of queues, and their records."""
    with talking_to(cli_config.connection):
        names = known_queues(cli_config.queue_class, cli_config.connection) if every else list(queues)
        targets = [cli_config.queue(name) for name in names]
        if not targets:
            click.echo('Nothing to do')
        for queue in targets:
            click.echo(f'{queue.empty()} jobs removed from {queue.name} queue')
