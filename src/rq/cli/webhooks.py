"""`rq webhooks`: what became of the calls of webhooks. It only reads."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from rq.cli.document import json_option, print_document
from rq.cli.errors import Command, talking_to
from rq.cli.options import CliConfig, pass_cli_config
from rq.cli.seen import printable
from rq.store import outbox
from rq.utils import utcformat
from rq.webhook import Delivery, deliveries

COLOURS = {'told': 'green', 'again': 'yellow', 'given up': 'red', 'dropped': 'red'}


@click.command('webhooks', cls=Command)
@click.option('--limit', '-n', type=click.IntRange(0), default=20, show_default=True, help='Show so many tries.')
@json_option
@pass_cli_config
def webhooks(cli_config: CliConfig, limit: int, as_json: bool, **options: Any) -> None:
    """Show the latest tries to make the calls of webhooks, newest first, and how many calls wait."""
    with talking_to(cli_config.connection):
        found = deliveries(cli_config.connection, limit)
        waiting = outbox.count(cli_config.connection)
    if as_json:
        tries = [{**asdict(each), 'at': utcformat(each.at)} for each in found]
        print_document({'waiting': waiting, 'tries': tries})
        return
    for each in found:
        click.echo(_line(each))
    click.echo(f'{waiting} webhooks wait')


def _line(each: Delivery) -> str:
    outcome = click.style(each.outcome, fg=COLOURS.get(each.outcome))
    if not each.url:
        return f'{utcformat(each.at)} {outcome}: {printable(each.error)}'
    answer = printable(each.error) if each.code is None else str(each.code)
    what = f'{each.method} {each.url} job {each.job_id} {each.job_status}'
    return f'{utcformat(each.at)} {printable(what)} try {each.number}: {answer}, {outcome}'
