"""Which failures a command is about: the words that name groups and jobs, and the options that failures must match."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import click

from rq.cli.columns import cut, plain
from rq.cli.errors import wrong_option
from rq.cli.failure_words import short_ids
from rq.cli.when import read_moment
from rq.exceptions import NoSuchGroupError, NoSuchJobError
from rq.failure.capture import Kind
from rq.inspector import FailureGroup, Inspector, JobView, Match
from rq.rules.names import is_job_id
from rq.rules.timing import from_epoch
from rq.store import read

KINDS = tuple(kind.value for kind in Kind if kind is not Kind.INTERRUPTED)
GROUP_ID = re.compile(r'[0-9a-f]{1,16}')
SUGGESTIONS = 3
LOOKED_AT = 1000  # groups, for suggestions
FILTERS = ('queue', 'function', 'type_name', 'kind', 'text', 'since', 'before')


def match_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that failures must match to a command; `match_of` reads them."""
    before = click.option('--until', 'before', metavar='TIME', help='Failed before then.')
    return _match_options(before(command))


def match_options_but_until(command: Callable[..., Any]) -> Callable[..., Any]:
    """The same without --until, for a command that has another one."""
    return _match_options(command)


def _match_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option(
            '--since', metavar='TIME', help="Failed since then: '2h' ago, or '2031-05-27T21:45' (UTC unless it says)."
        ),
        click.option('--text', metavar='TEXT', help='Its message, function or description contains this.'),
        click.option('--kind', type=click.Choice(KINDS), help='What happened, such as raised or timed_out.'),
        click.option('--type', 'type_name', metavar='NAME', help='Of an exception of this type.'),
        click.option('--function', metavar='NAME', help='Of jobs that call this function.'),
        click.option('--queue', metavar='NAME', help='Of jobs of this queue.'),
    ):
        command = option(command)
    return command


def server_now(connection: Any) -> datetime:
    """What time it is for the server: it says when jobs failed."""
    return from_epoch(read.server_time(connection))


def match_of(options: dict[str, Any], now: datetime) -> Match:
    """What the options ask for."""
    since, until = _moment('--since', options['since'], now), _moment('--until', options.get('before'), now)
    if since is not None and until is not None and since >= until:
        raise click.UsageError('--since must be before --until')
    words = {name: options[name] or '' for name in ('queue', 'function', 'type_name', 'kind', 'text')}
    return Match(**words, since=since, until=until)


def _moment(option: str, text: str | None, now: datetime) -> datetime | None:
    if text is None:
        return None
    try:
        return read_moment(text, now)
    except ValueError as error:
        raise wrong_option(option, error) from error


def is_filtered(options: dict[str, Any]) -> bool:
    """Whether any of these options was given."""
    return any(options.get(name) for name in FILTERS)


# --- groups and jobs by name --------------------------------------------------------------------------------------


class Targets(NamedTuple):
    """What the words of a command name."""

    groups: list[FailureGroup]
    jobs: list[JobView]


def targets(inspector: Inspector, words: Sequence[str]) -> Targets:
    """The groups and jobs of these names, each once; an error that suggests others where there is none."""
    found = Targets([], [])
    for word in dict.fromkeys(words):
        one = target(inspector, word)
        if isinstance(one, FailureGroup):
            if one.id not in {group.id for group in found.groups}:
                found.groups.append(one)
        else:
            found.jobs.append(one)
    return found


def target(inspector: Inspector, word: str) -> FailureGroup | JobView:
    """The group (by id or the beginning of it) or the job of a name; `group:` and `job:` before it say which."""
    what, colon, name = word.partition(':')
    if not colon or what not in ('group', 'job'):
        what, name = '', word
    group = _group(inspector, name) if what != 'job' else None
    job = _job(inspector, name) if what != 'group' else None
    if group is not None and job is not None:
        raise click.ClickException(
            f'{plain(name)!r} is a failure group and a job: say group:{plain(name)} or job:{plain(name)}'
        )
    found = group or job
    if found is None:
        raise click.ClickException(_nothing(inspector, what, name))
    return found


def _group(inspector: Inspector, name: str) -> FailureGroup | None:
    if not GROUP_ID.fullmatch(name):
        return None
    try:
        return inspector.group(name)
    except NoSuchGroupError:
        return None


def _job(inspector: Inspector, name: str) -> JobView | None:
    if not is_job_id(name):
        return None
    try:
        return inspector.job(name)
    except NoSuchJobError:
        return None


def job_named(inspector: Inspector, name: str) -> JobView:
    """The job of an id; an error that suggests others where there is none."""
    job = _job(inspector, name.removeprefix('job:'))
    if job is None:
        raise click.ClickException(_nothing(inspector, 'job', name.removeprefix('job:')))
    return job


def no_job(connection: Any, name: str) -> str:
    """That there is no job of this id, and what was perhaps meant."""
    return _nothing(Inspector(connection), 'job', name)


def _nothing(inspector: Inspector, what: str, name: str) -> str:
    """That there is nothing of this name, and what was perhaps meant."""
    groups = inspector.groups(state='all', limit=LOOKED_AT)
    beginning = [group for group in groups if name and group.id.startswith(name)]
    shown = cut(plain(name), 60)
    if beginning and what == 'job':
        return f'no job is called {shown!r}; for the failure group: rq failures show {beginning[0].id}'
    if len(beginning) > 1:
        ids = short_ids(groups)
        named = ', '.join(ids[group.id] for group in beginning[:SUGGESTIONS])
        return f'{len(beginning)} failure groups begin with {shown!r}, such as {named}: say more of it'
    kinds = {'group': 'no failure group', 'job': 'no job'}.get(what, 'neither a failure group nor a job')
    samples = {job_id for group in groups for job_id in group.sample_ids} if what != 'group' else set()
    known = [group.id for group in groups if what != 'job']
    near = [
        one
        for one in difflib.get_close_matches(name, [*known, *sorted(samples - {name})], SUGGESTIONS)
        if one in known or _job(inspector, one) is not None
    ]
    hint = f'; did you mean {", ".join(map(plain, near))}?' if near else '; `rq failures` lists the groups'
    if name in samples:
        hint = ': the job was deleted, or has expired'
    elif what == 'job' and not near:
        hint = ': it was deleted, has expired, or the id is wrong'
    return f'{kinds} is called {shown!r}{hint}'
