"""`rq job`: all that is stored of a job on one screen, whatever became of it. It only reads, and decodes no payload."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime
from typing import Any

import click

from rq.cli import screen
from rq.cli.chosen import job_named, server_now
from rq.cli.document import json_option, print_document
from rq.cli.errors import Command, talking_to
from rq.cli.failure_documents import attempt_document, moment
from rq.cli.job_words import job_screen
from rq.cli.options import CliConfig, pass_cli_config
from rq.inspector import Inspector, JobView


@click.command('job', cls=Command)
@json_option
@click.argument('job_id', metavar='JOB')
@pass_cli_config
def job(cli_config: CliConfig, as_json: bool, job_id: str, **options: Any) -> None:
    """Show all that is stored of a job: where it stands, where it came from, its attempts and latest error."""
    with talking_to(cli_config.connection):
        now = server_now(cli_config.connection)
        inspector = Inspector(cli_config.connection)
        found = job_named(inspector, job_id)
        attempts = inspector.attempts(found.id)
    if as_json:
        print_document({'job': job_document(found), 'attempts': [attempt_document(one) for one in attempts]})
    else:
        screen.show(job_screen(found, attempts, now, screen.width()))


def job_document(found: JobView) -> dict[str, Any]:
    """What `--json` says of a job: the attributes of the view, null for what is not known."""
    return {each.name: _value(getattr(found, each.name)) for each in fields(found)}


def _value(value: Any) -> Any:
    if isinstance(value, datetime):
        return moment(value)
    return None if value == '' else value
