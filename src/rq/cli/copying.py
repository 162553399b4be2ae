"""`rq requeue --copy`: failed jobs stay as they are, and copies of them are queued, with other arguments perhaps."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import click

from rq.cli.document import print_document
from rq.cli.errors import wrong_option
from rq.cli.options import CliConfig
from rq.cli.seen import printable
from rq.exceptions import DeserializationError, NoSuchJobError


def arguments_of(args: str | None, kwargs: str | None) -> tuple[list[Any] | None, dict[str, Any] | None]:
    """What `--args` and `--kwargs` say; None for what was not given."""
    return _read('--args', args, list, 'a list, such as [1, "a"]'), _read('--kwargs', kwargs, dict, 'an object')


def _read(option: str, text: str | None, kind: type, example: str) -> Any:
    if text is None:
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise wrong_option(option, f'{text!r} is no JSON: {error}') from None
    if not isinstance(value, kind):
        raise wrong_option(option, f'{text!r} is not {example}')
    return value


def requeue_copies(
    cli_config: CliConfig, job_ids: Sequence[str], arguments: tuple[Any, Any], as_json: bool
) -> list[tuple[str, str]]:
    """Queue a copy of each; answers those that could not be copied, with the reasons."""
    done, refused = [], []
    for job_id in job_ids:
        try:
            job = cli_config.job_class.fetch(job_id, cli_config.connection, cli_config.serializer)
            copy = cli_config.queue(job.origin).enqueue_copy(job, *arguments)
        except (NoSuchJobError, DeserializationError, ValueError, TypeError) as error:
            refused.append((job_id, str(error)))
        else:
            done.append({'job_id': copy.id, 'copy_of': job.id})
            if not as_json:
                click.echo(f'{printable(job.id)} is queued again as {copy.id}, in {printable(job.origin)}')
    if as_json:
        reasons = [{'job_id': job_id, 'reason': why} for job_id, why in refused]
        print_document({'copied': done, 'refused': reasons})
    return refused
