"""`rq suspend` and `rq resume`: whether the workers of a database may take jobs. What it means: `rq.suspension`."""

from __future__ import annotations

from typing import Any

import click

from rq import suspension
from rq.cli.document import json_option, print_document
from rq.cli.errors import Command, talking_to
from rq.cli.options import CliConfig, pass_cli_config

# RQ breaks its sentence like this, and scripts may compare the output.
FOR_A_WHILE = """Suspending workers for {} seconds. No new jobs will be started during that time, but then will
        automatically resume"""
UNTIL_RESUMED = 'Suspending workers.  No new jobs will be started.  But current jobs will be completed'
TOO_SHORT = 'Duration must be an integer greater than 1'


@click.command('suspend', cls=Command)
@click.option('--duration', type=int, help='Seconds after which work goes on by itself.')
@json_option
@pass_cli_config
def suspend(cli_config: CliConfig, duration: int | None, as_json: bool, **options: Any) -> None:
    """Let no worker take a new job, until `rq resume` or for some seconds; running jobs are completed."""
    if duration is not None and duration < 1:
        click.echo(TOO_SHORT, err=as_json)
        raise SystemExit(1)
    with talking_to(cli_config.connection):
        suspension.suspend(cli_config.connection, duration)
    if as_json:
        print_document({'suspended': True, 'seconds': duration})
    else:
        click.echo(UNTIL_RESUMED if duration is None else FOR_A_WHILE.format(duration))


@click.command('resume', cls=Command)
@json_option
@pass_cli_config
def resume(cli_config: CliConfig, as_json: bool, **options: Any) -> None:
    """Let workers take jobs again."""
    with talking_to(cli_config.connection):
        suspension.resume(cli_config.connection)
    if as_json:
        print_document({'suspended': False})
    else:
        click.echo('Resuming workers.')
