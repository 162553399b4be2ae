"""Exceptions and their frames as lines: one's own code open with its source, library code folded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from rq.cli.columns import cut, plain, plain_lines, tail, wrapped
from rq.cli.screen import Line
from rq.rules.anatomy import ExceptionRecord, Frame

LINKS = {'cause': 'caused by', 'context': 'while handling'}
PACKAGES_NAMED = 4
LOCALS_SHOWN = 30
VALUE_COLUMNS = 200
_BARE_MODULES = ('', 'builtins', '__main__')


def exception_name(type_name: str, module: str) -> str:
    """The name of an exception's type, with its module unless everybody knows it."""
    name = plain(type_name) or 'unknown'
    if module in _BARE_MODULES or '.' in type_name:
        return name
    return f'{plain(module)}.{name}'


def headline(type_name: str, module: str, message: str, width: int, indent: str = '') -> list[Line]:
    """Type and message of an exception; a message of several lines keeps them."""
    name = exception_name(type_name, module)
    first, *rest = plain_lines(message, 20) or ['']
    lines = wrapped(f'{name}: {first}' if first else name, width, indent)
    for line in rest:
        lines += wrapped(line, width, f'{indent}  ')
    return [Line(line, 'title') for line in lines]


def chain_lines(chain: Sequence[ExceptionRecord], width: int, whole: bool = False, indent: str = '') -> list[Line]:
    """An exception with its causes; with `whole`, library frames are open as well."""
    lines: list[Line] = []
    for record in chain:
        if record.link:
            lines.append(Line(f'{indent}{LINKS.get(record.link, "after")}', 'quiet'))
        lines += _record_lines(record, width, whole, indent)
    return lines


def _record_lines(record: ExceptionRecord, width: int, whole: bool, indent: str) -> Iterator[Line]:
    yield from headline(record.type_name, record.module, record.message, width, indent)
    for note in record.notes:
        for line in plain_lines(note, 20):
            yield from (Line(each) for each in wrapped(line, width, f'{indent}  | '))
    yield from frame_lines(record.frames, width, whole, f'{indent}  ')
    for number, member in enumerate(record.members, 1):
        yield Line(f'{indent}  {number} of {len(record.members)} in the group', 'quiet')
        yield from _record_lines(member, width, whole, f'{indent}    ')
    if record.omitted:
        yield Line(f'{indent}  ... {record.omitted} more were not kept', 'quiet')


def frame_lines(frames: Sequence[Frame], width: int, whole: bool = False, indent: str = '  ') -> Iterator[Line]:
    """Frames, the outermost first. Where none is one's own, the last one is open."""
    last = frames[-1] if frames and not any(frame.is_own for frame in frames) else None
    for is_open, group in groupby(frames, lambda frame: whole or frame.is_own or frame is last):
        if is_open:
            for frame, same in groupby(group):
                yield from _open(frame, width, indent)
                repeated = len(list(same)) - 1
                if repeated:
                    yield Line(f'{indent}... the same {repeated} more {"time" if repeated == 1 else "times"}', 'quiet')
        else:
            yield Line(cut(indent + folded(group), width), 'quiet')


def folded(frames: Iterable[Frame]) -> str:
    """What is said of frames that are not shown."""
    frames = list(frames)
    packages = list(dict.fromkeys(_package(frame) for frame in frames))
    named = ', '.join(packages[:PACKAGES_NAMED]) + (', ...' if len(packages) > PACKAGES_NAMED else '')
    return f'... {len(frames)} {"frame" if len(frames) == 1 else "frames"} in {named}'


def _package(frame: Frame) -> str:
    return plain(frame.module.partition('.')[0] or frame.file.rpartition('/')[2]) or '?'


def place(frame: Frame) -> str:
    """File and line, and the function."""
    return f'{plain(frame.file)}:{frame.line} in {plain(frame.function)}'


def _open(frame: Frame, width: int, indent: str) -> Iterator[Line]:
    yield Line(indent + tail(place(frame), width - len(indent)))
    if frame.source:
        yield from (Line(line, 'title') for line in wrapped(plain(frame.source.strip()), width, f'{indent}    '))
    yield from _locals(frame.locals or {}, width, f'{indent}      ')


def _locals(values: dict[str, str], width: int, indent: str) -> Iterator[Line]:
    for name, value in list(values.items())[:LOCALS_SHOWN]:
        text = f'{plain(name)} = {plain(value)}'
        yield from (Line(line, 'quiet') for line in wrapped(cut(text, VALUE_COLUMNS), width, indent))
    if len(values) > LOCALS_SHOWN:
        yield Line(f'{indent}... {len(values) - LOCALS_SHOWN} more', 'quiet')


def text_lines(text: str, most: int, indent: str = '  ') -> list[Line]:
    """A text as it was kept, such as a traceback or what the job printed; long lines are left to the terminal."""
    return [Line(f'{indent}{line}') for line in plain_lines(text, most)]
