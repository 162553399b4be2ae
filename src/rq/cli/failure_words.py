"""Failure groups as lines: the list, one of them in full, and what may be done about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from shlex import quote

from rq.attempts import Attempt
from rq.cli.columns import cells, cut, joined, pad, plain, wrapped
from rq.cli.screen import Line
from rq.cli.sparkline import BARS, gathered, sparkline
from rq.cli.trace_words import chain_lines, headline
from rq.cli.when import ago, on_screen, span
from rq.inspector import FailureGroup

SHORTEST_ID = 6
TREND_COLUMNS = 14  # of twelve hours each
WIDE_TREND_COLUMNS = 42  # of four
SAMPLES = 5
NAMED = 3
#: what stands before a group, and how it looks
MARKS = {'open': ('●', 'title'), 'regressed': ('▲', 'bad'), 'muted': ('-', 'quiet'), 'resolved': ('✓', 'good')}
PLAIN_MARKS = {'open': '*', 'regressed': '!', 'muted': '-', 'resolved': '+'}


def short_ids(groups: Sequence[FailureGroup]) -> dict[str, str]:
    """For each id of these groups the beginning that tells it from the others."""
    ids = sorted({group.id for group in groups})
    short = {}
    for at, one in enumerate(ids):
        length = SHORTEST_ID
        for other in ids[max(at - 1, 0) : at + 2]:
            while other != one and length < len(one) and other.startswith(one[:length]):
                length += 1
        short[one] = one[:length]
    return short


def group_lines(groups: Sequence[FailureGroup], now: datetime, width: int, bars: str = BARS) -> list[Line]:
    """Two lines for each group: what and where; how often, since when and how it goes."""
    short = short_ids(groups)
    room = max((len(each) for each in short.values()), default=0)
    counts = max((len(_often(group)) for group in groups), default=0)
    lines = []
    for group in groups:
        mark, look = _mark(group, bars)
        head = f'{mark} {pad(plain(short[group.id]), room)}  '
        where = f'  ({_names(group.queues)})' if group.queues else ''
        title = cut(plain(group.title), max(width - cells(head) - cells(where), 20))
        lines.append(Line(cut(f'{head}{title}{where}', width), look))
        parts = (
            pad(_often(group), min(counts, 40)),
            sparkline(group.trend, TREND_COLUMNS, bars),
            f'last {ago(group.last_seen, now)}',
            _since(group, now),
        )
        detail = joined(parts, width - room - 4)
        lines.append(Line(f'{"":{room + 4}}{detail}'.rstrip(), 'quiet'))
        state = state_words(group, now)
        if state:
            lines.append(Line(cut(f'{"":{room + 4}}{state}', width), look))
    return lines


def _since(group: FailureGroup, now: datetime) -> str:
    """Nothing where it began a moment before it was last seen."""
    if (group.last_seen - group.first_seen).total_seconds() < 60:
        return ''
    return f'since {span((now - group.first_seen).total_seconds())}'


def _mark(group: FailureGroup, bars: str) -> tuple[str, str]:
    mark, look = MARKS.get(group.state, ('?', ''))
    return (mark if bars == BARS else PLAIN_MARKS.get(group.state, '?')), look


def _often(group: FailureGroup) -> str:
    return f'{_times(group.count)}, {group.failed_count:,} now'


def _times(count: int) -> str:
    return f'{count:,} {"failure" if count == 1 else "failures"}'


def _names(counted: Mapping[str, int], most: int = NAMED) -> str:
    names = sorted(counted, key=lambda name: (-counted[name], name))
    more = f' +{len(names) - most}' if len(names) > most else ''
    return ', '.join(cut(plain(name), 30) for name in names[:most]) + more


def state_words(group: FailureGroup, now: datetime) -> str:
    """What is to be said of a state beside its mark; nothing of an open group."""
    if group.state == 'muted':
        return f'muted until {on_screen(group.muted_until, now)}' if group.muted_until else 'muted'
    if group.state == 'resolved':
        return f'resolved {ago(group.resolved_at, now)}' if group.resolved_at else 'resolved'
    if group.state == 'regressed':
        return f'came back {ago(group.regressed_at, now)}, after it was resolved'
    return ''


# --- one of them --------------------------------------------------------------------------------------------------


def group_screen(
    group: FailureGroup, example: Attempt | None, now: datetime, width: int, bars: str = BARS, whole: bool = False
) -> Iterator[Line]:
    """A group in full; `example` is an attempt of one of its jobs, if any is still there."""
    mark, look = _mark(group, bars)
    yield Line(cut(f'{mark} {plain(group.id)}  {plain(group.title)}', width), look)
    state = state_words(group, now)
    yield Line(cut(f'  {plain(group.kind).replace("_", " ")}, {state or plain(group.state)}', width))
    yield Line('')
    yield from _numbers(group, now, width, bars)
    yield Line('')
    if example is not None and example.chain:
        yield Line(f'What happened (attempt {example.number} of a sample job)', 'quiet')
        yield from chain_lines(example.chain, width, whole, '  ')
    else:
        yield Line('What happened', 'quiet')
        words = group if example is None else example  # those of a group are without numbers, names and paths
        yield from headline(words.type_name, '', words.message, width, '  ')
        for frame in group.frames:
            yield Line(cut(f'    in {plain(frame)}', width))
    yield Line('')
    yield from _counted('Queues', group.queues, width)
    yield from _counted('Functions', group.functions, width)
    if group.sample_ids:
        named = ', '.join(plain(job_id) for job_id in group.sample_ids[:SAMPLES])
        yield from _labelled('Jobs', named + (', ...' if len(group.sample_ids) > SAMPLES else ''), width)
    yield Line('')
    yield Line('What to do', 'quiet')
    yield from _advice_lines(group, width)


def _numbers(group: FailureGroup, now: datetime, width: int, bars: str) -> Iterator[Line]:
    jobs = f'{group.failed_count:,} {"job is" if group.failed_count == 1 else "jobs are"} failed now'
    yield from _labelled('Failures', f'{group.count:,}; {jobs}', width)
    yield from _labelled('First', on_screen(group.first_seen, now), width)
    yield from _labelled('Last', on_screen(group.last_seen, now), width)
    sums = gathered(group.trend, WIDE_TREND_COLUMNS)
    if any(sums):
        columns = min(WIDE_TREND_COLUMNS, width - 11)
        line = sparkline(group.trend, columns, bars)
        most = max(gathered(group.trend, columns))
        yield Line(joined((f'{"7 days":9}  {line}', f'at most {most:,} in {round(168 / columns)} h'), width))


def _labelled(label: str, text: str, width: int) -> Iterator[Line]:
    for number, line in enumerate(wrapped(text, width, ' ' * 11)):
        yield Line(f'{label:9}  {line[11:]}' if number == 0 else line)


def _counted(label: str, counted: Mapping[str, int], width: int) -> Iterator[Line]:
    names = sorted(counted, key=lambda name: (-counted[name], name))
    text = ', '.join(f'{plain(name)} ({counted[name]:,})' for name in names)
    if text:
        yield from _labelled(label, text, width)


# --- what to do ---------------------------------------------------------------------------------------------------

_FIRST_ASK = {
    'killed': 'Signal 9 comes from the out-of-memory killer, from a person or an orchestrator: look at memory first.',
    'abandoned': 'Workers vanished: look for lost hosts, and for deploys that do not wait for running jobs.',
    'poison': 'It takes workers with it: run one such job alone, where you can watch it, before you retry.',
    'not_importable': 'Workers may be older than producers: deploy them, then retry.',
    'undecodable': 'Arguments cannot be loaded: compare serializer and classes of producers and workers.',
    'timed_out': 'Find out what takes so long, or give these jobs a longer timeout.',
}  # fmt: skip


def advice_for_job(job_id: str, status: str, kind: str, group: str) -> list[tuple[str, str]]:
    """The commands that put one job right, each with what it is for."""
    word = word_of(job_id)
    found: list[tuple[str, str]] = []
    if kind == 'raised':
        found.append((f'rq debug {word}', 'run it again here, under the debugger'))
    if status == 'failed':
        found.append((f'rq failures retry {word}', 'try it again'))
    if group:
        found.append(
            (f'rq failures show {group[:SHORTEST_ID]}', 'its failure group: how often, since when, where else')
        )
    return found


def advice(group: FailureGroup, short: str | None = None) -> list[tuple[str, str]]:
    """The commands that put a group right, each with what it is for."""
    gid = short or group.id[:SHORTEST_ID]
    found: list[tuple[str, str]] = []
    if group.sample_ids:
        job_id = word_of(group.sample_ids[0])
        found.append((f'rq failures show {job_id}', 'one of its jobs, attempt by attempt'))
        if group.kind == 'raised':
            found.append((f'rq debug {job_id}', 'run it again here, under the debugger'))
    if group.failed_count:
        found.append((f'rq failures retry {gid} --first 1', 'try one, and wait for what becomes of it'))
        if group.failed_count > 1:
            found.append((f'rq failures retry {gid}', f'try all {group.failed_count:,}'))
        found.append((f'rq failures delete {gid}', 'forget its jobs'))
    if group.state in ('open', 'regressed', 'muted'):
        found.append((f'rq failures resolve {gid}', 'it is mended: tell me if it comes back'))
    if group.state in ('open', 'regressed'):
        found.append((f'rq failures mute {gid} --for 2d', 'it is known: keep it out of the list'))
    if group.state in ('resolved', 'muted'):
        found.append((f'rq failures reopen {gid}', 'put it into the list again'))
    return found


def word_of(job_id: str) -> str:
    """A job's id as a word for the shell: whoever wrote it, it is copied from the screen."""
    return quote(plain(job_id))


def _advice_lines(group: FailureGroup, width: int) -> Iterator[Line]:
    ask = _FIRST_ASK.get(group.kind)
    if ask:
        yield from (Line(line, 'warning') for line in wrapped(ask, width, '  '))
    yield from command_lines(advice(group), width)


def command_lines(commands: Sequence[tuple[str, str]], width: int) -> Iterator[Line]:
    """Commands with what they are for behind them, or below them where the screen is narrow."""
    room = max((cells(command) for command, _ in commands), default=0)
    for command, why in commands:
        if room + cells(why) + 4 <= width:
            yield Line(f'  {pad(command, room)}  {why}')
        else:
            yield Line(f'  {command}')
            yield Line(cut(f'      {why}', width), 'quiet')
