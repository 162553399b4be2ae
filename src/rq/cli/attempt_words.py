"""The attempts of a job side by side: a table, the latest in full, and of the others what was different."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from signal import Signals

from rq.attempts import Attempt
from rq.cli.columns import cells, cut, pad, plain, wrapped
from rq.cli.screen import Line
from rq.cli.trace_words import chain_lines, exception_name, folded, headline, place, text_lines
from rq.cli.when import ago, took
from rq.rules.anatomy import ExceptionRecord

SAME = '"'
TEXT_LINES = 60
WHOLE_LINES = 2000
DIFFERENCES = 6
_RANDOM = re.compile('[0-9a-f]{32}')
_COLUMNS = ('#', 'when', 'took', 'kind', 'exception', 'where', 'worker')


def attempts_table(attempts: Sequence[Attempt], now: datetime, width: int) -> list[Line]:
    """A line for each attempt, the first one first; a cell that says the same as the one above is a ditto mark."""
    rows = [_row(attempt, now) for attempt in attempts]
    marked = [
        tuple(
            SAME if at > 2 and number and text and text == rows[number - 1][at] else text for at, text in enumerate(row)
        )
        for number, row in enumerate(rows)
    ]
    lines = _fitted([_COLUMNS, *marked], width)
    return [Line(lines[0], 'quiet'), *(Line(line) for line in lines[1:])]


def _fitted(rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """The last three columns share what the others leave."""
    widths = [max(cells(row[at]) for row in rows) for at in range(len(_COLUMNS))]
    room = width - sum(widths[:4]) - 2 * (len(widths) - 1)
    spare = room - sum(widths[4:])
    for at in (6, 5, 4):
        if spare < 0:
            smaller = max(widths[at] + spare, 10 if at == 6 else 12)
            spare += widths[at] - min(smaller, widths[at])
            widths[at] = min(smaller, widths[at])
    return [
        cut('  '.join(pad(text, widths[at], right=at == 0) for at, text in enumerate(row)).rstrip(), width)
        for row in rows
    ]


def _row(attempt: Attempt, now: datetime) -> tuple[str, ...]:
    return (
        str(attempt.number),
        ago(attempt.ended_at, now) if attempt.ended_at else '-',
        _took(attempt),
        plain(attempt.kind).replace('_', ' '),
        exception_name(attempt.type_name, '').rpartition('.')[2],
        _where(attempt),
        _worker(attempt.worker_name),
    )


def _worker(name: str) -> str:
    """Its name; of a random one the beginning."""
    return f'{name[:8]}...' if _RANDOM.fullmatch(name) else plain(name)


def _took(attempt: Attempt) -> str:
    if attempt.started_at is None or attempt.ended_at is None:
        return '-'
    return took((attempt.ended_at - attempt.started_at).total_seconds())


def _where(attempt: Attempt) -> str:
    """The innermost frame of one's own, else how the process ended."""
    frames = [frame for frame in attempt.frames if frame.is_own] or list(attempt.frames)
    if not frames:
        return how_it_ended(attempt)
    frame = frames[-1]
    return f'{plain(frame.file.rpartition("/")[2])}:{frame.line} {plain(frame.function)}'


def how_it_ended(attempt: Attempt) -> str:
    """Exit code or signal, and peak memory, as far as they are known."""
    parts = []
    if attempt.signal is not None:
        parts.append(signal_name(attempt.signal))
    elif attempt.exit_code is not None:
        parts.append(f'exit code {attempt.exit_code}')
    if attempt.peak_memory:
        parts.append(f'peak {attempt.peak_memory / 2**20:,.0f} MiB')
    return ', '.join(parts)


def signal_name(number: int) -> str:
    """A signal by number and name."""
    try:
        return f'signal {number} ({Signals(number).name})'
    except ValueError:
        return f'signal {number}'


# --- one in full --------------------------------------------------------------------------------------------------


def attempt_lines(attempt: Attempt, now: datetime, width: int, whole: bool = False) -> Iterator[Line]:
    """All that is known of one attempt; with `whole` library frames and the whole text of the traceback."""
    head = f'Attempt {attempt.number}{", the last one" if attempt.is_final else ""}: {_ran(attempt, now)}'
    yield from (Line(line) for line in wrapped(head, width))
    ended = how_it_ended(attempt)
    if ended:
        yield Line(f'  {ended}', 'bad')
    if attempt.chain:
        yield from chain_lines(attempt.chain, width, whole, '  ')
    else:
        yield from headline(attempt.type_name, '', attempt.message, width, '  ')
    if (whole and attempt.exc_string) or has_more_text(attempt):
        yield Line('  the text that was kept', 'quiet')
        yield from text_lines(attempt.exc_string, WHOLE_LINES if whole else TEXT_LINES, '    ')
    if attempt.output:
        yield Line('  what it printed and logged', 'quiet')
        yield from text_lines(attempt.output, WHOLE_LINES if whole else TEXT_LINES, '    ')


def has_more_text(attempt: Attempt) -> bool:
    """Whether the text that was kept tells something that type, message and frames do not."""
    if not attempt.exc_string or any(record.frames or record.members for record in attempt.chain):
        return False
    return not attempt.exc_string.strip().endswith(attempt.message.strip()) or '\n' in attempt.exc_string.strip()


def _ran(attempt: Attempt, now: datetime) -> str:
    words = plain(attempt.kind).replace('_', ' ')
    if attempt.ended_at is not None:
        words += f' {ago(attempt.ended_at, now)}'
    if attempt.started_at is not None and attempt.ended_at is not None:
        words += f' after {_took(attempt)}'
    if attempt.worker_name:
        words += f', worker {plain(attempt.worker_name)}'
    if attempt.host:
        words += f' on {plain(attempt.host)}'
    return f'{words}, pid {attempt.pid}' if attempt.pid else words


# --- what changed -------------------------------------------------------------------------------------------------


def differences(attempt: Attempt, latest: Attempt) -> list[tuple[str, str]]:
    """What was different in an earlier attempt than in the latest one: names of its parts, and what they were."""
    found = [
        (name, was)
        for name, was, now in (
            ('kind', plain(attempt.kind).replace('_', ' '), plain(latest.kind).replace('_', ' ')),
            ('type', *(exception_name(one.type_name, one.module) for one in (attempt, latest))),
            ('message', plain(attempt.message), plain(latest.message)),
            ('ended', how_it_ended(attempt), how_it_ended(latest)),
            ('host', plain(attempt.host), plain(latest.host)),
            ('group', plain(attempt.group), plain(latest.group)),
        )
        if was != now and was
    ]
    mine, theirs = ([place(frame) for frame in one.frames] for one in (attempt, latest))
    if mine != theirs and mine:
        found.append(('frames', _other_frames(attempt, set(theirs))))
    mine, theirs = ([_link(record) for record in one.chain[1:]] for one in (attempt, latest))
    if mine != theirs:
        found.append(('causes', '; '.join(mine) or 'none'))
    return found


def _link(record: ExceptionRecord) -> str:
    return f'{exception_name(record.type_name, record.module)}: {plain(record.message)}'


def _other_frames(attempt: Attempt, known: set[str]) -> str:
    others = [frame for frame in attempt.frames if place(frame) not in known]
    own = [frame for frame in others if frame.is_own]
    shown = [place(frame) for frame in own[-DIFFERENCES:]]
    library = [frame for frame in others if not frame.is_own]
    return '; '.join([*shown, *([folded(library)] if library else [])]) or 'fewer'


def difference_lines(attempt: Attempt, latest: Attempt, width: int) -> list[Line]:
    """An earlier attempt, as far as it was different from the latest one."""
    found = differences(attempt, latest)
    if not found:
        return [Line(cut(f'Attempt {attempt.number}: the same as attempt {latest.number}', width), 'quiet')]
    lines = [Line(cut(f'Attempt {attempt.number}, unlike attempt {latest.number}:', width))]
    for name, was in found:
        first, *rest = wrapped(was, width, ' ' * 11) or ['']
        lines.append(Line(f'  {name:8} {first.strip()}'))
        lines += [Line(line) for line in rest]
    return lines
