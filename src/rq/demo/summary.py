"""What became of the jobs, as numbers and texts. Pure: it is given outcomes and reads nothing itself."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from textwrap import shorten
from typing import NamedTuple

NO_PLACE = '–'
MESSAGE_COLUMNS = 104
_FRAME = re.compile(r'^ *File "(?P<file>[^"\n]*)", line (?P<line>\d+), in (?P<function>.+)$')
_TYPE = re.compile(r'^(?P<type>[A-Za-z_][\w.]*)(?::|$)')


class Failed(NamedTuple):
    """One failed job: its id, what it was about, and the recorded text."""

    job_id: str
    about: str
    text: str


class Reason(NamedTuple):
    """Why a job failed: the type of the exception, where it was raised, and what it said."""

    type: str
    place: str
    message: str


class Outcome(NamedTuple):
    """All that the summary is made of; `values` are the results of the jobs that finished."""

    workers: int
    seconds: float
    values: Mapping[str, object]
    failed: Sequence[Failed]
    missing: int
    accidents: Mapping[str, str]


def reason_of(text: str, ours: str) -> Reason:
    """Type, place and message in a recorded failure; frames below `ours`, the demo's own left out, are no place."""
    lines = text.splitlines()
    frames = [(number, match) for number, line in enumerate(lines) if (match := _FRAME.match(line))]
    if not frames:
        return _without_frames(lines[0] if lines else '')
    # Behind the last frame come only indented lines, then the exception, whose text may have many lines.
    for line in lines[frames[-1][0] + 1 :]:
        match = _TYPE.match(line)
        if match:
            kind = match['type'].rpartition('.')[2]
            return Reason(kind, _place([each for _, each in frames], ours), line[match.end() :].strip())
    return Reason('?', _place([each for _, each in frames], ours), '')


def _without_frames(text: str) -> Reason:
    """A failure that was no exception in the job: its type stands before the words, or among them."""
    match = _TYPE.match(text)
    if match:
        return Reason(match['type'].rpartition('.')[2], NO_PLACE, text[match.end() :].strip())
    kind = 'AbandonedJobError' if 'AbandonedJobError' in text else '?'
    return Reason('HorseKilledError' if text.startswith('Work-horse terminated') else kind, NO_PLACE, text)


def _place(frames: Sequence[re.Match[str]], ours: str) -> str:
    """The innermost frame of the user's code or of what it called."""
    for frame in reversed(frames):
        file = Path(frame['file'])
        if not file.is_relative_to(ours) or file.is_relative_to(Path(ours, 'demo')):
            return f'{"/".join(file.parts[-2:])}:{frame["line"]} in {frame["function"]}'
    return NO_PLACE


def by_reason(failed: Iterable[Failed], ours: str) -> list[tuple[int, Reason, str]]:
    """How often each type and place occurs, the most frequent first, with one example each."""
    counted: Counter[tuple[str, str]] = Counter()
    first: dict[tuple[str, str], tuple[Reason, str]] = {}
    for each in failed:
        reason = reason_of(each.text, ours)
        counted[reason[:2]] += 1
        first.setdefault(reason[:2], (reason, each.about))
    return [(number, *first[key]) for key, number in counted.most_common()]


def totals(values: Iterable[object]) -> dict[str, int]:
    """The sums over the results of the parsed files, and how many files those were."""
    files = [value for value in values if isinstance(value, Mapping)]
    sums = {word: sum(int(file[word]) for file in files) for word in ('functions', 'classes', 'lines')}
    return {'files': len(files), **sums}


def render(outcome: Outcome, ours: str, traceback_of: str, commands: Sequence[tuple[str, str]]) -> list[str]:
    """The lines of the summary."""
    finished, failed = len(outcome.values), len(outcome.failed)
    head = f'{finished + failed:,} jobs by {outcome.workers} workers in {outcome.seconds:.1f} s: '
    lines = [f'{head}{finished:,} finished, {failed:,} failed']
    if outcome.missing:
        lines.append(f'{outcome.missing:,} jobs came to no end; see .rq/demo-worker-*.log')
    sums = totals(outcome.values.values())
    lines.append(
        f'Files parsed: {sums["files"]:,}, with {sums["functions"]:,} functions and {sums["classes"]:,} classes '
        f'in {sums["lines"]:,} lines'
    )
    lines += _failures(outcome.failed, ours)
    lines += _accidents(outcome, ours)
    lines += _traceback(outcome.failed, traceback_of)
    lines += ['', 'To look further, and to put a failed job right:']
    width = max((len(command) for command, _ in commands), default=0)
    return lines + [f'  {command:{width}}  # {why}' for command, why in commands]


def _failures(failed: Sequence[Failed], ours: str) -> list[str]:
    rows = by_reason(failed, ours)
    if not rows:
        return []
    kinds, places = (max(len(row[1][column]) for row in rows) for column in (0, 1))
    return ['', 'Failures by type and place:'] + [
        f'  {number:>4}  {reason.type:{kinds}}  {reason.place:{places}}  such as {about}'
        for number, reason, about in rows
    ]


def _accidents(outcome: Outcome, ours: str) -> list[str]:
    lines = ['', 'The four accidents:']
    width = max(map(len, outcome.accidents), default=0)
    texts = {each.job_id: each.text for each in outcome.failed}
    for job_id, what in outcome.accidents.items():
        if job_id in texts:
            reason = reason_of(texts[job_id], ours)
            end = shorten(f'failed: {reason.type}: {reason.message}', MESSAGE_COLUMNS, placeholder=' ...')
        else:
            end = f'finished: {outcome.values[job_id]}' if job_id in outcome.values else 'came to no end'
        lines += [f'  {job_id:{width}}  {what}', f'  {"":{width}}  {end}']
    return lines


def _traceback(failed: Sequence[Failed], job_id: str) -> list[str]:
    chosen = next((each for each in failed if each.job_id == job_id), None) or next(iter(failed), None)
    if chosen is None:
        return []
    lines = [f'  {line}' for line in chosen.text.rstrip().splitlines()]
    return ['', f'Why {chosen.job_id} failed, in full:', *lines]
