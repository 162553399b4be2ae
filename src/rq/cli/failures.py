"""`rq failures`: what failed, grouped by cause; and one group or job of it in full. It only reads."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import click

from rq.attempts import Attempt
from rq.cli import failure_actions, failure_marks, screen
from rq.cli.attempt_words import attempt_lines, attempts_table, difference_lines
from rq.cli.chosen import is_filtered, match_of, match_options, server_now, target
from rq.cli.columns import wrapped
from rq.cli.document import json_option, print_document
from rq.cli.errors import Command, Group, talking_to
from rq.cli.failure_documents import attempt_document, group_document, moment
from rq.cli.failure_words import SHORTEST_ID, advice, advice_for_job, command_lines, group_lines, group_screen
from rq.cli.job import job_document
from rq.cli.job_words import job_head
from rq.cli.options import CliConfig, WholeNumber, pass_cli_config
from rq.cli.screen import Line
from rq.exceptions import NoSuchJobError
from rq.inspector import FailureGroup, Inspector, JobView, Match

STATES = ('open', 'regressed', 'muted', 'resolved', 'all')
GROUPS_SHOWN = 25


class WithList(Group):
    """A group of commands that is a command, too: options before the name of another command belong to that one."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the options, and remember them as they were spelled."""
        ctx.meta[__name__] = list(args)
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The other command, and its words."""
        given: list[str] = ctx.meta[__name__]
        before = given[: len(given) - len(args)]
        name, command, rest = super().resolve_command(ctx, args)
        return name, command, [word for word in before if word != '--'] + rest


@click.group('failures', cls=WithList, invoke_without_command=True)
@click.option(
    '--state', type=click.Choice(STATES), help='Groups in this state; by default those that are open or came back.'
)
@match_options
@click.option('--all', 'every', is_flag=True, help='Muted and resolved ones as well.')
@click.option('--limit', '-n', type=WholeNumber(min=1), default=GROUPS_SHOWN, show_default=True, help='So many groups.')
@json_option
@pass_cli_config
@click.pass_context
def failures(
    ctx: click.Context,
    /,
    cli_config: CliConfig,
    state: str | None,
    every: bool,
    limit: int,
    as_json: bool,
    **options: Any,
) -> None:
    """Show what failed, grouped by cause, the latest first; the commands below tell more, and put it right."""
    if ctx.invoked_subcommand is not None:
        return
    if every and state not in (None, 'all'):
        raise click.UsageError('--all is every state, so it does not go with --state')
    with talking_to(cli_config.connection):
        now = server_now(cli_config.connection)
        inspector = Inspector(cli_config.connection)
        match = match_of(options, now)
        groups = inspector.groups('all' if every else state, match, limit=limit + 1)
        more = len(groups) > limit
        if as_json:
            found = [group_document(group) for group in groups[:limit]]
            print_document({'groups': found, 'is_complete': not more, 'updated': moment(now)})
            return
        screen.show(_list(inspector, groups[:limit], now, more, is_filtered(options)))


def _list(
    inspector: Inspector, groups: list[FailureGroup], now: datetime, more: bool, filtered: bool
) -> Iterator[Line]:
    if not groups:
        yield Line('No failures match; --all shows muted and resolved ones as well' if filtered else 'No failures')
        jobs = None if filtered else inspector.count(Match())
        if jobs:
            words = f'{jobs:,} failed {"job is" if jobs == 1 else "jobs are"} in none of the groups shown:'
            words += ' recorded by RQ 3.0, muted or resolved (--all)'
            yield from (Line(line, 'quiet') for line in wrapped(words, screen.width()))
        return
    yield from group_lines(groups, now, screen.width(), screen.bars())
    yield Line('')
    if more:
        yield Line(f'There are more than these {len(groups)}: --limit shows more', 'quiet')
    yield Line(f'rq failures show {groups[0].id[:SHORTEST_ID]} tells more of the first one', 'quiet')


# --- one in full --------------------------------------------------------------------------------------------------


@failures.command('show', cls=Command)
@click.option('--full', is_flag=True, help='Library frames as well, every attempt, and the whole text of tracebacks.')
@json_option
@click.argument('group_or_job')
@pass_cli_config
def show(cli_config: CliConfig, full: bool, as_json: bool, group_or_job: str, **options: Any) -> None:
    """Show a group of failures, or the failed attempts of a job, and what to do about it."""
    with talking_to(cli_config.connection):
        now = server_now(cli_config.connection)
        inspector = Inspector(cli_config.connection)
        found = target(inspector, group_or_job)
        if isinstance(found, FailureGroup):
            _show_group(inspector, found, now, full, as_json)
        else:
            _show_job(inspector, found, now, full, as_json)


def _show_group(inspector: Inspector, group: FailureGroup, now: datetime, full: bool, as_json: bool) -> None:
    example = _example(inspector, group)
    if as_json:
        commands = [{'command': command, 'why': why} for command, why in advice(group, group.id)]
        attempt = None if example is None else attempt_document(example)
        print_document({'group': group_document(group), 'example': attempt, 'what_to_do': commands})
        return
    screen.show(group_screen(group, example, now, screen.width(), screen.bars(), full))


def _example(inspector: Inspector, group: FailureGroup) -> Attempt | None:
    """The latest attempt of this group that one of its sample jobs remembers."""
    for job_id in group.sample_ids:
        try:
            attempts = inspector.attempts(job_id)
        except NoSuchJobError:
            continue
        for attempt in reversed(attempts):
            if attempt.group == group.id:
                return attempt
    return None


def _show_job(inspector: Inspector, job: JobView, now: datetime, full: bool, as_json: bool) -> None:
    attempts = inspector.attempts(job.id)
    if as_json:
        print_document({'job': job_document(job), 'attempts': [attempt_document(one) for one in attempts]})
        return
    screen.show(_job_lines(job, attempts, now, full))


def _job_lines(job: JobView, attempts: list[Attempt], now: datetime, full: bool) -> Iterator[Line]:
    width = screen.width()
    yield from job_head(job, now, width)
    yield Line('')
    if not attempts:
        yield Line('No failed attempt of it is remembered')
        return
    yield from attempts_table(attempts, now, width)
    *others, latest = attempts
    yield Line('')
    yield from attempt_lines(latest, now, width, full)
    for attempt in reversed(others):
        yield Line('')
        if full:
            yield from attempt_lines(attempt, now, width, full)
        else:
            yield from difference_lines(attempt, latest, width)
    commands = advice_for_job(job.id, job.status, latest.kind, latest.group)
    if commands:
        yield Line('')
        yield Line('What to do', 'quiet')
        yield from command_lines(commands, width)


for _command in (
    *(failure_actions.retry, failure_actions.delete, failure_actions.cancel),
    *(failure_marks.resolve, failure_marks.reopen, failure_marks.mute),
):
    failures.add_command(_command)
