"""An exception as plain values: type, message, frames, causes, notes, members. Bounded, and never raising itself.

Its words as one text are made in `wording`. Frames of ours that only led to the job are left out, as there.
"""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from rq.exceptions import ColdShutdown
from rq.rules.places import Place, place_of
from rq.rules.scrub import Scrubber
from rq.rules.wording import cleaned, cut, leads_nowhere, message_of, module_of, name_of, own_frames, steps_of, trace_of

#: what is kept: records of a chain, frames of a record (a few outermost ones, then the innermost), members of a group
CHAIN, OUTER, INNER, MEMBERS, NOTES = 8, 8, 32, 8, 8
DEPTH = 3  # of groups in groups
NAME, SOURCE, WORDS, FILE = 200, 200, 1024, 300  # bytes of a name, a source line, a message or note, a path
CHAIN_BYTES = 12 * 1024  # of all of it, about: a sixth of an attempt

LocalsOf = Callable[[FrameType], 'dict[str, str] | None']
_PATTERNS = Scrubber()


@dataclass(frozen=True)
class Frame:
    """One call in a traceback; `is_own` when it is the user's code, not a library's."""

    file: str
    line: int
    function: str
    module: str
    source: str
    is_own: bool
    locals: dict[str, str] | None = None


@dataclass(frozen=True)
class ExceptionRecord:
    """One exception; `link` says how it belongs to the one before it: cause or context, '' for the first."""

    type_name: str
    module: str
    message: str
    frames: tuple[Frame, ...] = ()
    link: str = ''
    notes: tuple[str, ...] = ()
    members: tuple[ExceptionRecord, ...] = ()
    omitted: int = 0  # frames, members or causes that were too many


# --- from a live exception ---------------------------------------------------------------------------------------


def describe(
    error: BaseException, locals_of: LocalsOf | None = None, scrubber: Scrubber = _PATTERNS, said: str | None = None
) -> list[ExceptionRecord]:
    """The error, then its causes or contexts, as long as the bounds allow. `said`: what `message_of` gives for it."""
    found: list[ExceptionRecord] = []
    room = CHAIN_BYTES
    try:
        for one, link in _linked(error):
            if len(found) == CHAIN or room <= 0:
                break
            words = said if one is error and said is not None else message_of(one, scrubber.text)
            record = _record(one, link, locals_of, scrubber, words)
            size = _size(record)
            if size > room:
                record = _slim(record)
                size = _size(record)
            room -= size
            found.append(record)
    except ColdShutdown:
        raise
    except BaseException:  # one that lies about itself: what was found until then stands
        pass
    return found or [ExceptionRecord(name_of(type(error)), '', message_of(error, scrubber.text))]


def mro_of(cls: type[BaseException]) -> list[str]:
    """Dotted names of a class and what it inherits from, but for `object`."""
    return [_dotted(one) for one in _MRO(cls)[:-1]][:30]


def _dotted(cls: type[BaseException]) -> str:
    name = name_of(cls)
    return name if '.' in name else f'builtins.{name}'


def _linked(error: BaseException) -> Iterator[tuple[BaseException, str]]:
    seen: set[int] = set()
    at: BaseException | None = error
    link = ''
    while at is not None and id(at) not in seen:
        seen.add(id(at))  # a cause may be its own cause
        yield at, link
        cause = at.__cause__
        hides = at.__suppress_context__
        at, link = (cause, 'cause') if cause is not None else (None if hides else at.__context__, 'context')


def _record(
    error: BaseException, link: str, locals_of: LocalsOf | None, scrubber: Scrubber, said: str, depth: int = 0
) -> ExceptionRecord:
    frames, omitted = _frames(own_frames(trace_of(error)), locals_of, scrubber)
    members: tuple[ExceptionRecord, ...] = ()
    if issubclass(type(error), BaseExceptionGroup) and depth < DEPTH:
        parts: Any = error
        members = tuple(
            _record(one, '', locals_of, scrubber, message_of(one, scrubber.text), depth + 1)
            for one in parts.exceptions[:MEMBERS]
        )
        omitted += len(parts.exceptions) - len(members)
    cls = type(error)
    return ExceptionRecord(
        name_of(cls), module_of(cls), _text(said, WORDS), frames, link,
        _notes(error, scrubber), members, omitted,
    )  # fmt: skip


def _notes(error: BaseException, scrubber: Scrubber) -> tuple[str, ...]:
    notes = getattr(error, '__notes__', None)
    if type(notes) is not list:
        return ()
    return tuple(cleaned(one, WORDS, scrubber.text) for one in notes[:NOTES] if type(one) is str)


def _frames(
    trace: TracebackType | None, locals_of: LocalsOf | None, scrubber: Scrubber
) -> tuple[tuple[Frame, ...], int]:
    steps = steps_of(trace)
    for step in steps:
        if not leads_nowhere(step.tb_frame.f_code.co_filename):
            break
    else:
        return (), 0  # ours and those of the import machinery: the message says what they could
    omitted = max(len(steps) - OUTER - INNER, 0)
    kept = steps[:OUTER] + steps[OUTER + omitted :] if omitted else steps
    return tuple(_frame(step, locals_of, scrubber) for step in kept), omitted


def _frame(step: TracebackType, locals_of: LocalsOf | None, scrubber: Scrubber) -> Frame:
    place, frame = place_of(step), step.tb_frame
    module = frame.f_globals.get('__name__')
    found = _frame_at(place, module if type(module) is str else '')
    if scrubber.secrets and place.source:
        found = replace(found, source=_text(scrubber.source(_text(place.source, 8 * SOURCE)), SOURCE))
    if locals_of is not None and found.is_own:
        found = replace(found, locals=locals_of(frame))
    return found


@lru_cache(maxsize=2048)
def _frame_at(place: Place, module: str) -> Frame:
    return Frame(
        _tail(place.file, FILE),
        place.line,
        _text(place.function, NAME),
        _text(module, NAME),
        _text(_PATTERNS.source(_text(place.source, 8 * SOURCE)), SOURCE),
        is_own_file(place.file),
    )


@lru_cache(maxsize=4096)
def is_own_file(file: str) -> bool:
    """Whether a file is neither the interpreter's nor an installed package's; no path (`<string>`) is the user's."""
    if file.startswith(('<frozen', '<__array_function__')):
        return False
    return not file.startswith(_LIBRARIES) or file.startswith(_OWN)


def _library_paths() -> tuple[str, ...]:
    names = ('stdlib', 'platstdlib', 'purelib', 'platlib')
    paths = {path for name in names if (path := sysconfig.get_paths().get(name))}
    paths |= {path for path in sys.path if path.endswith(('site-packages', 'dist-packages'))}
    return tuple(sorted({f'{path}/' for path in paths} | {f'{_PACKAGE}/'}))


_MRO: Any = type.__dict__['__mro__'].__get__  # a metaclass may say something else
_PACKAGE = str(Path(__file__).parent.parent)
_LIBRARIES = _library_paths()
_OWN = f'{_PACKAGE}/demo/'  # its jobs stand for a user's


def _text(value: str, limit: int) -> str:
    return cut(value, limit) if len(value) * 4 > limit else value


def _tail(path: str, limit: int) -> str:
    return path if len(path) <= limit else f'…{path[-limit:]}'


def _size(record: ExceptionRecord) -> int:
    """About how many bytes it takes, without locals: who asks for them bounds them."""
    own = len(record.type_name) + len(record.message) + sum(map(len, record.notes))
    for frame in record.frames:
        own += len(frame.file) + len(frame.function) + len(frame.module) + len(frame.source) + 30
    return own + sum(map(_size, record.members))


def _slim(record: ExceptionRecord) -> ExceptionRecord:
    """The same with its first and last frames only, and of its members but their words."""
    left_out = max(len(record.frames) - 8, 0)
    kept = record.frames[:2] + record.frames[2:][-6:]
    return replace(
        record,
        frames=tuple(replace(frame, locals=None) for frame in kept),
        notes=record.notes[:2],
        members=tuple(replace(one, frames=(), notes=(), members=()) for one in record.members),
        omitted=record.omitted + left_out,
    )


# --- as it is stored ---------------------------------------------------------------------------------------------


def to_json(records: Iterable[ExceptionRecord]) -> list[dict[str, Any]]:
    """Plain values; what is empty is left out."""
    return [_to_dict(one) for one in records]


def _to_dict(one: ExceptionRecord) -> dict[str, Any]:
    known: dict[str, Any] = {
        'type': one.type_name, 'module': one.module, 'message': one.message, 'link': one.link,
        'notes': list(one.notes), 'omitted': one.omitted, 'members': to_json(one.members),
        'frames': [[each.file, each.line, each.function, each.module, each.source, int(each.is_own)]
                   + ([each.locals] if each.locals else []) for each in one.frames],
    }  # fmt: skip
    return {name: value for name, value in known.items() if value}


def from_json(stored: Any) -> list[ExceptionRecord]:
    """What `to_json` gave; parts that make no sense are left out, and no more are read than would be written."""
    return [_from_dict(one) for one in _list(stored)[:CHAIN] if isinstance(one, dict)]


def _from_dict(one: dict[str, Any], depth: int = 0) -> ExceptionRecord:
    members = _list(one.get('members'))[:MEMBERS] if depth < DEPTH else []
    frames = (_frame_of(each) for each in _list(one.get('frames'))[: OUTER + INNER])
    omitted = one.get('omitted')
    return ExceptionRecord(
        _str(one.get('type')),
        _str(one.get('module')),
        _str(one.get('message')),
        tuple(each for each in frames if each is not None),
        _str(one.get('link')),
        tuple(_str(note) for note in _list(one.get('notes'))[:NOTES]),
        tuple(_from_dict(each, depth + 1) for each in members if isinstance(each, dict)),
        omitted if type(omitted) is int else 0,
    )


def _frame_of(stored: Any) -> Frame | None:
    match stored:
        case [str(file), int(line), str(function), str(module), str(source), int(own), *more]:
            names = more[0] if more and isinstance(more[0], dict) else None
            known = {str(name): _str(value) for name, value in names.items()} if names else None
            return Frame(file, line, function, module, source, bool(own), known)
    return None


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else []


def _str(value: Any) -> str:
    return value if isinstance(value, str) else ''
