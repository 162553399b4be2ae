"""`rq failures resolve|reopen|mute`: what people say of groups. No job is touched."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import click

from rq.cli import screen
from rq.cli.chosen import Targets, is_filtered, match_of, match_options, match_options_but_until, server_now, targets
from rq.cli.columns import cut, plain
from rq.cli.document import json_option, print_document
from rq.cli.errors import Command, talking_to, wrong_option
from rq.cli.failure_documents import moment
from rq.cli.failure_words import short_ids
from rq.cli.options import CliConfig, pass_cli_config
from rq.cli.questions import agreed
from rq.cli.screen import Line
from rq.cli.when import on_screen, read_moment
from rq.exceptions import NoSuchGroupError
from rq.failures import FailureGroups
from rq.inspector import FailureGroup, Inspector

NAMED = 5
MOST_GROUPS = 1000  # that the store keeps

_SHARED = (
    json_option,
    click.option('--dry-run', is_flag=True, help='Only say which groups are meant.'),
    click.option('--yes', '-y', is_flag=True, help='Do not ask.'),
    click.option('--all', 'every', is_flag=True, help='All groups, where nothing says which.'),
    click.argument('groups_and_jobs', nargs=-1),
)


def _marking(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in _SHARED:
        command = option(command)
    return command


@click.command('resolve', cls=Command)
@match_options
@_marking
@pass_cli_config
def resolve(cli_config: CliConfig, **options: Any) -> None:
    """Say that the cause of groups is mended: they leave the list, and if one fails again it is told as come back."""
    marks = FailureGroups(cli_config.connection)
    _mark(cli_config, options, 'resolve', 'resolved', marks.resolve)


@click.command('reopen', cls=Command)
@match_options
@_marking
@pass_cli_config
def reopen(cli_config: CliConfig, **options: Any) -> None:
    """Take back that groups are resolved or muted."""
    marks = FailureGroups(cli_config.connection)
    _mark(cli_config, options, 'reopen', 'open', marks.reopen)


@click.command('mute', cls=Command)
@click.option('--for', 'duration', metavar='TIME', help="For so long, such as '2d'; without an end if not given.")
@click.option('--until', 'end', metavar='TIME', help="Until then, such as '2031-05-27T21:45' (UTC unless it says).")
@match_options_but_until
@_marking
@pass_cli_config
def mute(cli_config: CliConfig, duration: str | None, end: str | None, **options: Any) -> None:
    """Keep groups that are known out of the list, for a time; they are counted as ever."""
    if duration is not None and end is not None:
        raise click.UsageError('--for and --until say the same: give one of them')
    with talking_to(cli_config.connection):
        now = server_now(cli_config.connection)
    until = None
    for option, text in (('--for', duration), ('--until', end)):
        if text is not None:
            until = _ahead(option, text, now)
    marks = FailureGroups(cli_config.connection)
    done = f'muted until {on_screen(until, now)}' if until else 'muted'
    _mark(cli_config, options, 'mute', done, lambda group_id: marks.mute(group_id, until), until)


def _ahead(option: str, text: str, now: datetime) -> datetime:
    try:
        moment = read_moment(text, now, ahead=True)
    except ValueError as error:
        raise wrong_option(option, error) from error
    if moment <= now:
        raise wrong_option(option, f'{text!r} is over already')
    return moment


def _mark(
    cli_config: CliConfig, options: dict[str, Any], verb: str, done: str, mark: Callable[[str], None],
    until: datetime | None = None,
) -> None:  # fmt: skip
    """Find the groups, ask, mark them, tell."""
    with talking_to(cli_config.connection):
        inspector = Inspector(cli_config.connection)
        groups = _meant(inspector, options, server_now(cli_config.connection))
        if options['dry_run'] or (groups and _must_ask(options) and not agreed(_question(verb, groups))):
            marked: list[FailureGroup] = []
        else:
            marked = [group for group in groups if _is_marked(mark, group)]
    if options['as_json']:
        named = [group.id for group in marked]
        document = {'action': verb, 'matched': len(groups), 'groups': named, 'dry_run': options['dry_run']}
        print_document({**document, **({'until': moment(until)} if verb == 'mute' else {})})
        return
    if not groups:
        click.echo('Nothing to do')
        return
    told = groups if options['dry_run'] else marked
    if not told:
        return  # who was asked said no
    screen.show(_lines(told, f'would be {done}' if options['dry_run'] else f'{_are(marked)} {done}'))


def _are(groups: list[FailureGroup]) -> str:
    return 'is' if len(groups) == 1 else 'are'


def _must_ask(options: dict[str, Any]) -> bool:
    """Who names groups has been asked; who says what they have in common may not know them all."""
    return not options['yes'] and not options['groups_and_jobs']


def _is_marked(mark: Callable[[str], None], group: FailureGroup) -> bool:
    try:
        mark(group.id)
    except NoSuchGroupError:
        return False
    return True


def _meant(inspector: Inspector, options: dict[str, Any], now: datetime) -> list[FailureGroup]:
    words, filtered = options['groups_and_jobs'], is_filtered(options)
    if not (words or filtered or options['every']):
        raise click.UsageError('say which: groups, jobs, options such as --queue, or --all for all groups')
    if words and options['every']:
        raise click.UsageError('--all is every group, so it does not go with names')
    match = match_of(options, now)
    if not words:
        return inspector.groups('all', match, limit=MOST_GROUPS)
    named = {group.id for group in _named(inspector, targets(inspector, words))}
    if filtered:
        return [group for group in inspector.groups('all', match, limit=MOST_GROUPS) if group.id in named]
    return [inspector.group(group_id) for group_id in sorted(named)]


def _named(inspector: Inspector, found: Targets) -> Iterator[FailureGroup]:
    """Groups, and those of jobs."""
    yield from found.groups
    for job in found.jobs:
        if not job.group:
            raise click.ClickException(f'job {plain(job.id)} is in no failure group')
        try:
            yield inspector.group(job.group)
        except NoSuchGroupError as error:
            raise click.ClickException(f'the failure group of job {plain(job.id)} is gone') from error


def _question(verb: str, groups: list[FailureGroup]) -> list[str]:
    lines = [f'{len(groups)} {"group" if len(groups) == 1 else "groups"}, such as']
    lines += [cut(f'  {plain(group.id)}  {plain(group.title)}', screen.width()) for group in groups[:NAMED]]
    return [*lines, f'{verb.capitalize()} {"it" if len(groups) == 1 else "them all"}?']


def _lines(groups: list[FailureGroup], done: str) -> Iterator[Line]:
    short = short_ids(groups)
    for group in groups[:NAMED]:
        yield Line(cut(f'{plain(short[group.id])}  {plain(group.title)}', screen.width()))
    if len(groups) > NAMED:
        yield Line(f'... and {len(groups) - NAMED} more')
    yield Line(f'{len(groups)} {"group" if len(groups) == 1 else "groups"} {done}')
