"""`rq retry-plan`: when a job that keeps failing would run again, for options to try out or for a stored job."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, NamedTuple

import click
from click.core import ParameterSource

from rq.cli.chosen import no_job
from rq.cli.document import json_option, print_document
from rq.cli.errors import Command, talking_to, wrong_option
from rq.cli.options import CliConfig, WholeNumber, pass_cli_config
from rq.exceptions import NoSuchJobError, TimeoutFormatError
from rq.rules.backoff import Backoff
from rq.rules.names import shown
from rq.rules.policy import Policy
from rq.rules.retry import Retry
from rq.rules.retry_plan import LISTED, Step, plan
from rq.rules.timing import parse_timeout

_GROWTH = ('base', 'factor', 'cap', 'jitter')
_OWN = ('most', 'interval', 'exponential', *_GROWTH, 'deadline')


class Planned(NamedTuple):
    """What is previewed: some retries, of a job or of nobody's yet."""

    job_id: str | None
    retries_left: int
    intervals: list[int]
    policy: Policy | None
    room: float | None  # seconds until the deadline
    first: int  # number of the next attempt


@click.command('retry-plan', cls=Command)
@click.option('--max', 'most', type=WholeNumber(min=1), help='How often to try again.')
@click.option('--interval', help='Seconds before each retry, e.g. 60 or 10,30,60.')
@click.option('--exponential', is_flag=True, help='Let the waits grow.')
@click.option('--base', type=float, default=1, help='Seconds of the first wait; 1 if not given.')
@click.option('--factor', type=float, default=2, help='How much longer each next one is; 2 if not given.')
@click.option('--cap', type=float, default=600, help='Seconds of the longest wait; 600 if not given.')
@click.option('--jitter/--no-jitter', default=True, help='Whether each wait is cut at random; it is by default.')
@click.option('--deadline', help='How long after it was enqueued a job is tried, e.g. 90, 5m, 1h.')
@json_option
@click.argument('job', required=False)
@pass_cli_config
def retry_plan(cli_config: CliConfig, job: str | None, as_json: bool, **options: Any) -> None:
    """Show when a job that keeps failing runs again, and when it is given up: by these options, or the stored JOB."""
    given = click.get_current_context().get_parameter_source
    said = [name for name in _OWN if given(name) is ParameterSource.COMMANDLINE]
    if job is not None:
        if said:
            raise click.UsageError('give either JOB or options: of a job, its own retries are shown')
        planned = _of_job(cli_config, job)
    else:
        planned = _of_options(options, said)
    steps = plan(planned.retries_left, planned.intervals, planned.policy, planned.room, planned.first)
    if as_json:
        print_document(_document(planned, steps))
    else:
        click.echo('\n'.join(_lines(planned, steps)))


# --- what is previewed ----------------------------------------------------------------------------------------------


def _of_options(options: dict[str, Any], said: list[str]) -> Planned:
    if options['most'] is None:
        raise click.UsageError('say how often with --max, as in: rq retry-plan --max 8 --exponential; or name a JOB')
    alone = [name for name in said if name in _GROWTH]
    if alone and not options['exponential']:
        raise wrong_option(f'--{alone[0]}', 'it needs --exponential, for waits that grow')
    if options['exponential'] and options['interval'] is not None:
        raise wrong_option('--interval', 'with --exponential the waits come from --base, --factor and --cap')
    deadline = _seconds(options['deadline'])
    try:
        interval: Any = Backoff(*(options[name] for name in _GROWTH)) if options['exponential'] else _intervals(options)
        retry = Retry(options['most'], interval, deadline=deadline)
    except (ValueError, TypeError) as error:
        raise click.UsageError(str(error)) from error
    return Planned(None, retry.max, retry.intervals, retry.policy, deadline, 2)


def _intervals(options: dict[str, Any]) -> list[int]:
    text = options['interval']
    try:
        return [int(each) for each in text.split(',')] if text is not None else [0]
    except ValueError:
        raise wrong_option('--interval', f'{text!r} is no list of whole seconds: write 60, or 10,30,60') from None


def _seconds(text: str | None) -> int | None:
    try:
        return parse_timeout(text)
    except TimeoutFormatError as error:
        raise wrong_option('--deadline', error) from error


def _of_job(cli_config: CliConfig, job_id: str) -> Planned:
    with talking_to(cli_config.connection):
        try:
            job = cli_config.job_class.fetch(job_id, cli_config.connection, cli_config.serializer)
        except NoSuchJobError as error:
            raise click.ClickException(no_job(cli_config.connection, job_id)) from error
        except (ValueError, TypeError) as error:
            raise click.ClickException(f'job {shown(job_id)} cannot be read: {error}') from error
    policy, left = job.retry_policy, job.retries_left
    if left is None:
        raise click.ClickException(
            f'job {shown(job_id)} says nothing of retries: its first failure is final, unless its worker has a default'
        )
    enqueued = job.enqueued_at.timestamp() if job.enqueued_at else None
    end = policy.end(enqueued) if policy is not None else None
    room = None if end is None else end - datetime.now(UTC).timestamp()
    first = policy.attempt(left) + 1 if policy is not None else 2
    return Planned(job_id, max(left, 0), job.retry_intervals or [0], policy, room, first)


# --- how it is said -------------------------------------------------------------------------------------------------


def _document(planned: Planned, steps: list[Step]) -> dict[str, Any]:
    policy = planned.policy
    return {
        'job_id': planned.job_id,
        'retries_left': planned.retries_left,
        'on': list(policy.on) if policy else [],
        'never': list(policy.never) if policy else [],
        'function': policy.function if policy else '',
        'seconds_to_deadline': planned.room,
        'attempts': [
            {
                'number': step.attempt,
                'wait': [step.least, step.most],
                'after': [step.total_least, step.total_most],
                'is_made': {True: 'yes', False: 'no', None: 'perhaps'}[step.is_made],
            }
            for step in steps
        ],
    }


def _lines(planned: Planned, steps: list[Step]) -> list[str]:
    lines = _heading(planned)
    since = 'from now' if planned.job_id else 'after the first failure'
    rows = [('attempt', 'waits', since, '')]
    made = [step for step in steps if step.is_made is not False]
    for step in steps:
        note = {True: '', False: 'not made: after the deadline', None: 'perhaps: the deadline is near'}[step.is_made]
        total = between(step.total_least, step.total_most)
        rows.append((str(step.attempt), between(step.least, step.most), total, note))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    if steps:
        lines += [f'{a:>{widths[0]}}  {b:<{widths[1]}}  {c:<{widths[2]}}  {d}'.rstrip() for a, b, c, d in rows]
    more = planned.retries_left - len(steps)
    if more > 0 and len(steps) == LISTED:
        lines.append(f'... and {more:,} more')
    if made:
        last = made[-1]
        latest = last.total_most if planned.room is None else min(last.total_most, int(planned.room))
        when = (
            f', {between(last.total_least, latest)} {since}; the time that attempts take comes on top' if latest else ''
        )
        ends = f'Given up when attempt {last.attempt} fails{when}.'
        if more <= 0 or len(made) < len(steps):
            lines.append(ends)
    else:
        lines.append('The next failure is final.')
    return lines


def _heading(planned: Planned) -> list[str]:
    policy = planned.policy
    lines = []
    if planned.job_id is not None:
        lines.append(f'Job {shown(planned.job_id)}: {planned.retries_left:,} retries left')
    if policy is not None and policy.on:
        lines.append(f'Only after {", ".join(map(shown, policy.on))}')
    if policy is not None and policy.never:
        lines.append(f'Never after {", ".join(map(shown, policy.never))}')
    if policy is not None and policy.function:
        lines.append(f'How long it waits says {shown(policy.function)}; this is what counts when that fails:')
    return lines


def between(least: int, most: int) -> str:
    """One length of time, or two."""
    return length(most) if least == most else f'{length(least)} to {length(most)}'


def length(seconds: int) -> str:
    """A length of time, in the two largest units that it has."""
    words = []
    for size, unit in ((86_400, 'd'), (3_600, 'h'), (60, 'min'), (1, 's')):
        count, seconds = divmod(seconds, size)
        if count:
            words.append(f'{count:,} {unit}')
    return ' '.join(words[:2]) or 'at once'
