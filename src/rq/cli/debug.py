"""`rq debug`: run a failed job again, here, and look around where it fails. Nothing of the original is touched."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import click

from rq import stairs
from rq.cli.chosen import no_job
from rq.cli.errors import Command, talking_to
from rq.cli.options import CliConfig, pass_cli_config
from rq.cli.seen import printable
from rq.detached import detached
from rq.exceptions import DeserializationError, NotImportableError
from rq.rules.wording import message_of, name_of, traceback_text
from rq.store import read
from rq.timeouts import JobTimeoutException, UnixSignalDeathPenalty

WARNING = (
    'Its payload is unpickled in this process, which can run code of whoever enqueued it, and its function is called '
    'here: what that does elsewhere (mail, databases, other jobs) it does again. The job in Redis stays as it is.'
)
SHOWN = 500  # characters of a value
TOLD = ('description', 'status', 'origin', 'enqueued_from')


@click.command('debug', cls=Command)
@click.option('--break', 'at_start', is_flag=True, help='Stop at the first line of the function.')
@click.option('--no-debugger', is_flag=True, help='Print the traceback and end.')
@click.option('--timeout', type=click.IntRange(min=1), metavar='SECONDS', help='By default it may run for ever.')
@click.option('--yes', '-y', is_flag=True, help='Do not ask.')
@click.argument('job_id', metavar='JOB')
@pass_cli_config
def debug(
    cli_config: CliConfig,
    at_start: bool,
    no_debugger: bool,
    timeout: int | None,
    yes: bool,
    job_id: str,
    **options: Any,
) -> None:
    """Run a failed JOB again here, under pdb where it fails, with a copy of its payload; its state is not touched.

    No status, result, attempt or note of the job is changed, and no callback is called.
    """
    if at_start and no_debugger:
        raise click.UsageError('--break and --no-debugger contradict each other')
    with talking_to(cli_config.connection):
        _introduce(cli_config, job_id)
    if not yes:
        _ask()
    debugger = None if no_debugger else stairs.debugger().Debugger()
    with talking_to(cli_config.connection), _copy_of(cli_config, job_id) as job:
        error = _run(job, debugger if at_start else None, timeout)
        if error is not None:
            _show(error, debugger)
    if error is not None:
        raise SystemExit(1)


def _copy_of(cli_config: CliConfig, job_id: str) -> AbstractContextManager[Any]:
    return detached(cli_config.job_class, cli_config.connection, cli_config.serializer, job_id)


def _introduce(cli_config: CliConfig, job_id: str) -> None:
    """Say which job it is; nothing is decoded yet."""
    raw = read.job(cli_config.connection, job_id)
    if b'data' not in raw:
        raise click.ClickException(no_job(cli_config.connection, job_id))
    told = {name: printable(raw.get(name.encode(), b'').decode('utf-8', 'replace')) for name in TOLD}
    click.echo(f'{printable(job_id)}: {told["description"][:SHOWN]}')
    where = f', enqueued from {told["enqueued_from"]}' if told['enqueued_from'] else ''
    click.echo(f'{told["status"] or "no status"}, of queue {told["origin"]}{where}')


def _ask() -> None:
    click.echo(WARNING)
    if not sys.stdin.isatty():
        raise click.UsageError('there is no terminal to ask on; say --yes if that is meant')
    click.confirm('Go on?', abort=True)


def _run(job: Any, debugger: Any, timeout: int | None) -> BaseException | None:
    """What the job raises; None when it succeeds, or the user has had enough."""
    limit: Any = nullcontext()
    if timeout is not None:
        limit = UnixSignalDeathPenalty(timeout, JobTimeoutException, job_id=job.id)
    if job._broken:
        name, why = next(iter(job._broken.items()))
        raise click.ClickException(f'the field {name} of this job cannot be read: {printable(why)}')
    try:
        with limit:
            function = job.func  # imported first: the names of its parameters tell which arguments are secret
            click.echo(f'Calling {printable(job.get_call_string() or "")} as job {job.id}')
            value = job.perform() if debugger is None else debugger.run_stopped(function, job.perform)
    except BaseException as error:
        if debugger is not None and isinstance(error, debugger.Quit):
            return None
        return error
    words = repr(value)
    click.echo(f'It did not fail this time. It returned {printable(words[:SHOWN])}')
    return None


def _show(error: BaseException, debugger: Any) -> None:
    """The traceback; and the place, when the user's own code is to be seen there."""
    click.echo(traceback_text(error).rstrip())
    if isinstance(error, DeserializationError | NotImportableError):
        click.echo('The function was not called: install the code here that the job was enqueued with.')
    if debugger is None:
        return
    message = message_of(error)[:SHOWN]
    click.echo(f'\nIt failed with {name_of(type(error))}{": " if message else ""}{message}')
    click.echo('The debugger stands at your innermost frame: l lists it, p EXPRESSION prints, u and d move, q leaves.')
    if not debugger.look_at(error):
        click.echo('None of its frames is of your code, so there is nothing to be looked at.')
