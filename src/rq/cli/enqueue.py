"""`rq enqueue`: one function call from the shell into a queue.

How the words of the call are read stands in `arguments`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import click
from click.core import ParameterSource

from rq.cli.arguments import parse_function_args, parse_schedule
from rq.cli.document import json_option, print_document
from rq.cli.errors import Command, talking_to, wrong_option
from rq.cli.options import CliConfig, WholeNumber, pass_cli_config
from rq.exceptions import InvalidJobOperation, StorageFullError, TimeoutFormatError
from rq.rules.arguments import checked_timeout, checked_ttl
from rq.rules.names import get_call_string, validate_job_id
from rq.rules.retry import Retry
from rq.rules.timing import parse_timeout
from rq.utils import utcformat


def _by(rule: Callable[[str], Any]) -> Callable[[click.Context, click.Parameter, Any], Any]:
    """A click callback that reads a value, or each of several, by a rule; its refusal is a usage error."""

    def read(ctx: click.Context, param: click.Parameter, value: Any) -> Any:
        try:
            return tuple(map(rule, value)) if param.multiple else None if value is None else rule(value)
        except (ValueError, TimeoutFormatError) as error:
            raise click.BadParameter(str(error), ctx, param) from error

    return read


def _timeout(value: str) -> Any:
    seconds = checked_timeout(value, None)
    if seconds is not None and seconds < -1:
        raise ValueError(f'{value!r} is less than no time: a timeout is above 0, or -1 for none')
    return seconds


def _job_id(value: str) -> str:
    validate_job_id(value)
    return value


def _function(value: str) -> str:
    if not all(value.split('.')):
        raise ValueError(f"{value!r} is no dotted name like 'package.module.function'")
    return value


@click.command('enqueue', cls=Command)
@click.option('--queue', '-q', default='default', help='The queue; "default" if none is named.')
@click.option(
    '--timeout',
    callback=_by(_timeout),
    help='Longest time the job may run, e.g. 90, 5m.',
)
@click.option('--result-ttl', callback=_by(parse_timeout), help='How long a success and its result are kept.')
@click.option('--ttl', callback=_by(checked_ttl), help='How long the job may wait in the queue.')
@click.option('--failure-ttl', callback=_by(parse_timeout), help='How long a failure is kept.')
@click.option('--description', help='A text to show in place of the call.')
@click.option('--depends-on', multiple=True, callback=_by(_job_id), help='Id of a job to wait for; repeatable.')
@click.option('--job-id', callback=_by(_job_id), help='The id; a random one if none is given.')
@click.option('--at-front', is_flag=True, help='Put the job before all others of its queue.')
@click.option('--retry-max', type=WholeNumber(min=0), default=0, help='How often to try again after a failure.')
@click.option(
    '--retry-interval',
    type=WholeNumber(min=0),
    multiple=True,
    default=[0],
    help='Seconds before a retry; repeat it for the second, third ...',
)
@click.option('--schedule-in', help='Delay until the job is enqueued, e.g. 10s, 5m, 2d.')
@click.option('--schedule-at', help='Local time at which the job is enqueued, e.g. 2031-05-27T21:45:00.')
@click.option('--quiet', is_flag=True, help='Print nothing but errors.')
@json_option
@click.argument('function', callback=_by(_function))
@click.argument('arguments', nargs=-1)
@pass_cli_config
def enqueue(cli_config: CliConfig, queue: str, function: str, quiet: bool, as_json: bool, **options: Any) -> None:
    """Enqueue a call of FUNCTION, a dotted name.

    ARGUMENTS are texts; KEY=TEXT gives a keyword argument. :VALUE and KEY:=VALUE are read as JSON, %VALUE and
    KEY%=VALUE as Python literals; a value @FILE is the content of that file.
    """  # fmt: skip
    args, kwargs = parse_function_args(options['arguments'])
    call = get_call_string(function, args, kwargs)
    words = _words(options) | {'args': args, 'kwargs': kwargs}
    words['description'] = words['description'] or call  # whole, as RQ 3.0 here
    moment = _moment(options['schedule_in'], options['schedule_at'])
    target = cli_config.queue(queue)
    with talking_to(cli_config.connection):
        try:
            if moment is None:
                job = target.enqueue(function, **words)
            else:
                job = target.enqueue_at(moment, function, **words)
        except (InvalidJobOperation, StorageFullError) as error:
            raise click.ClickException(str(error)) from error
        except (ValueError, TypeError, OverflowError) as error:
            raise click.ClickException(f'this call cannot be enqueued: {error}') from error  # 1, as in RQ 3.0
    if quiet:
        return
    if as_json:
        print_document(_document(job, call, moment))
    else:
        click.echo(f"Enqueued {click.style(call, fg='blue')} with job-id '{job.id}'.")


def _document(job: Any, call: str | None, moment: datetime | None) -> dict[str, Any]:
    due = None if moment is None else utcformat(moment.astimezone(UTC))
    status = job.get_status(refresh=False)
    return {'job_id': job.id, 'queue': job.origin, 'call': call, 'status': status and status.value, 'scheduled_at': due}


def _words(options: dict[str, Any]) -> dict[str, Any]:
    """The options as the words of `Queue.enqueue`."""
    tries = options['retry_max']
    _refuse_lone_interval()
    return {
        'job_timeout': options['timeout'],
        'result_ttl': options['result_ttl'],
        'ttl': options['ttl'],
        'failure_ttl': options['failure_ttl'],
        'description': options['description'],
        'depends_on': list(options['depends_on']) or None,
        'job_id': options['job_id'],
        'at_front': options['at_front'],
        'retry': Retry(tries, list(options['retry_interval'])) if tries else None,
    }


def _refuse_lone_interval() -> None:
    """An interval without a number of retries would be ignored silently."""
    source = click.get_current_context().get_parameter_source
    if source('retry_interval') is ParameterSource.COMMANDLINE and source('retry_max') is ParameterSource.DEFAULT:
        raise wrong_option('--retry-interval', 'it needs --retry-max, the number of retries')


def _moment(schedule_in: str | None, schedule_at: str | None) -> Any:
    try:
        if schedule_in is not None and schedule_at is None and (parse_timeout(schedule_in) or 0) < 0:
            raise ValueError(f'{schedule_in!r} lies in the past')
        return parse_schedule(schedule_in, schedule_at)
    except OverflowError as error:
        raise wrong_option('--schedule-in', f'{schedule_in!r} ends after the last date there is') from error
    except (ValueError, TimeoutFormatError) as error:
        raise wrong_option('--schedule-at' if schedule_in is None else '--schedule-in', error) from error
