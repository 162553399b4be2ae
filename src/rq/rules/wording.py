"""An exception in words: its name, its message, its traceback. Bounded in size, and never raising itself.

A hostile exception may be long, deep, wide, cyclic, or raise when it is asked for anything. The traceback of a usual
one is put together from places that are known already; it is, to the byte, what Python's own formatting makes of it.
"""

from __future__ import annotations

import base64
import json
import traceback
import zlib
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any

from rq.defaults import MAX_TRACEBACK_BYTES
from rq.exceptions import ColdShutdown, NotImportableError
from rq.rules.places import Place, places_of
from rq.rules.scrub import Scrubber

#: bytes of a text; the rest of an attempt (the exception as plain values, worker, times) gets the other quarter
TEXT_BYTES = MAX_TRACEBACK_BYTES * 3 // 4
MESSAGE_BYTES = 2048
_NAME_BYTES = 512
_FRAMES = 100  # of each traceback, the last ones
_LINKS = 8  # exceptions of a chain whose text is put together here
_REPEATS = 3  # equal lines in a row; more of them Python counts instead of printing them
_FIRST_LINE = 'Traceback (most recent call last):\n'
_CAUSE = '\nThe above exception was the direct cause of the following exception:\n\n'
_CONTEXT = '\nDuring handling of the above exception, another exception occurred:\n\n'
#: what Python says more of than class and words: what was meant perhaps, where the syntax is wrong
_SAYING_MORE = (SyntaxError, NameError, AttributeError, ImportError)
_TRACE: Any = BaseException.__dict__['__traceback__'].__get__
_NO_TEXT = '<text unavailable: its __str__ raised>'

_OURS = str(Path(__file__).parent.parent)
_DEMO = str(Path(_OURS, 'demo'))  # its jobs are user code, as far as tracebacks go


def cut(text: str, limit: int = TEXT_BYTES, missing: int = 0) -> str:
    """At most `limit` bytes of a text: its head and its tail, and between them how much is missing."""
    if type(text) is str and len(text) <= limit and text.isascii():
        return text
    raw = text.encode('utf-8', errors='replace')
    if len(raw) <= limit:
        return raw.decode('utf-8')
    half = (limit - 64) // 2
    mark = f'\n... [{len(raw) - 2 * half + missing:,} bytes cut] ...\n'
    return raw[:half].decode('utf-8', 'ignore') + mark + raw[-half:].decode('utf-8', 'ignore')


def bounded(text: str, limit: int = TEXT_BYTES, missing: int = 0) -> str:
    """The same, and as it is stored, too: noise grows when it is packed, and control characters when it is noted."""
    size = limit
    found = cut(text, size, missing)
    while len(found) > limit // 12 and _stored_bytes(found) > limit:  # a character takes 12 bytes at most
        size = size * 4 // 5
        found = cut(text, size, missing)
    return found


def last_of(text: str, limit: int) -> str:
    """The end of a text, at most so many bytes of it, also as JSON."""
    size = limit
    while size > limit // 12:
        found = text.encode('utf-8', errors='replace')[-size:].decode('utf-8', 'ignore')
        if len(json.dumps(found)) <= limit:
            return found
        size = size * 4 // 5
    return ''


def _stored_bytes(text: str) -> int:
    packed = base64.b64encode(zlib.compress(text.encode('utf-8'), 1))  # at the lowest level: it is a bound
    return max(len(packed), len(json.dumps(text)))


def _gathered(pieces: Iterable[str], clean: Callable[[str], str]) -> str:
    """Pieces as one bounded text, of which never more than a few times the limit is in memory."""
    head, tail, missing = '', '', 0
    for piece in pieces:
        room = max(TEXT_BYTES - len(head), 0)
        head, tail = head + piece[:room], tail + piece[room:]
        if len(tail) > 2 * TEXT_BYTES:
            missing += len(tail[:-TEXT_BYTES].encode('utf-8', errors='replace'))
            tail = tail[-TEXT_BYTES:]
    return bounded(clean(head + tail), missing=missing)  # cleaned before it is cut: half a secret is not known as one


def _safe(describe_it: Any, otherwise: str) -> str:
    try:
        return str(describe_it())
    except ColdShutdown:
        raise
    except BaseException:
        return otherwise


def own_frames(trace: TracebackType | None) -> TracebackType | None:
    """Without our leading frames, which tell a user nothing; all of them when there is nothing else."""
    inner = trace
    while inner is not None:
        if not _is_ours(inner.tb_frame.f_code.co_filename):
            return inner
        inner = inner.tb_next
    return trace


def _has_user_frames(error: BaseException | None) -> bool:
    """Whether the error or a cause of it has a frame that is neither ours nor of the import machinery."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))  # a cause may be its own cause
        if not all(leads_nowhere(step.tb_frame.f_code.co_filename) for step in steps_of(error.__traceback__)):
            return True
        error = error.__cause__
    return False


@lru_cache(maxsize=1024)
def leads_nowhere(file: str) -> bool:
    """Whether a frame in this file tells a user nothing: one of ours, or of the import machinery."""
    return _is_ours(file) or file.startswith('<frozen') or 'importlib' in file


@lru_cache(maxsize=1024)
def _is_ours(file: str) -> bool:
    return file.startswith(_OURS) and not file.startswith(_DEMO)


def _pieces(error: BaseException) -> Iterator[str]:
    if issubclass(type(error), NotImportableError) and not _has_user_frames(error):
        yield from traceback.format_exception_only(error)  # the sentence says it; all frames are ours
        return
    # A limit on frames per traceback keeps recursion errors short; chains and groups are cut in the end.
    trace = own_frames(trace_of(error))
    yield from traceback.TracebackException(type(error), error, trace, limit=-_FRAMES, compact=True).format()


def _usual(error: BaseException) -> list[tuple[str, str]] | None:
    """The pieces of the text of a chain of exceptions, each also without secrets; None for one that is not so usual."""
    links: list[list[tuple[str, str]]] = []
    seen: set[int] = set()
    one: BaseException | None = error
    behind = ''
    while one is not None:
        if len(links) == _LINKS or id(one) in seen:
            return None
        seen.add(id(one))
        trace = own_frames(trace_of(one)) if one is error else one.__traceback__
        places = places_of(steps_of(trace)[-_FRAMES:])
        last = _last_lines(one, trace) if places and not _repeats(places) else None
        if last is None:
            return None
        link = [(_FIRST_LINE, _FIRST_LINE), *((place.text, place.clean) for place in places), (last, '')]
        links.append([*link, (behind, behind)] if behind else link)
        cause = one.__cause__
        behind = _CONTEXT if cause is None else _CAUSE
        one = cause if cause is not None or one.__suppress_context__ else one.__context__
    return [piece for link in reversed(links) for piece in link]


def _repeats(places: list[Place]) -> bool:
    """Whether the same line comes so often in a row that Python would count it."""
    row, before = 0, None
    for place in places:
        known = place.file, place.line, place.name
        row = row + 1 if known == before else 1
        if row > _REPEATS:
            return True
        before = known
    return False


def _last_lines(error: BaseException, trace: TracebackType | None) -> str | None:
    """What stands under the frames; None when it cannot say it, or is many."""
    cls = type(error)
    if issubclass(cls, BaseExceptionGroup | NotImportableError):
        return None
    if type(cls) is not type or issubclass(cls, _SAYING_MORE) or getattr(error, '__notes__', None) is not None:
        return ''.join(traceback.TracebackException(cls, error, trace, limit=0, compact=True).format_exception_only())
    module, name, said = cls.__module__, cls.__qualname__, str(error)
    if module not in ('__main__', 'builtins'):
        name = f'{module if isinstance(module, str) else "<unknown>"}.{name}'
    return f'{name}: {said}\n' if said else f'{name}\n'


def _put_together(error: BaseException, scrubber: Scrubber | None) -> str:
    """The text of a usual exception that is not long; '' for others."""
    try:
        pieces = _usual(error)
    except ColdShutdown:
        raise
    except BaseException:  # what is said of such a one, is said below
        return ''
    if pieces is None or sum(len(text) for text, _ in pieces) > TEXT_BYTES // 2:
        return ''
    if scrubber is None or scrubber.secrets:
        text = ''.join(text for text, _ in pieces)
        return bounded(text if scrubber is None else scrubber.text(text))
    return bounded(''.join(clean or scrubber.text(text) for text, clean in pieces))


def traceback_text(error: BaseException, scrubber: Scrubber | None = None) -> str:
    """Its traceback, with its causes; the scrubber takes out what is not to be stored."""
    clean = str if scrubber is None else scrubber.text
    try:
        text = _put_together(error, scrubber) or _gathered(_pieces(error), clean)
        return text.replace('<exception str() failed>', _NO_TEXT)
    except ColdShutdown:
        raise
    except BaseException:  # an exception that lies about its causes, or groups too deep: then at least its place
        frames = _safe(lambda: ''.join(traceback.format_tb(own_frames(trace_of(error)), -_FRAMES)), '')
        head = f'{_FIRST_LINE}{frames}' if frames else ''
        words = f'{name_of(type(error))}: {message_of(error, clean)}'
        return bounded(f'{clean(head)}{words}\n(the rest of its traceback cannot be formatted)')


def trace_of(error: BaseException) -> TracebackType | None:
    """Its traceback as the interpreter keeps it; a class of somebody's may say something else."""
    trace: TracebackType | None = _TRACE(error)
    return trace


def steps_of(trace: TracebackType | None) -> list[TracebackType]:
    """The steps of a traceback, the outermost first."""
    steps = []
    while trace is not None:
        steps.append(trace)
        trace = trace.tb_next
    return steps


def name_of(cls: type[BaseException]) -> str:
    """The name of an exception class, whatever it says of itself."""
    if type(cls) is type and type(cls.__module__) is str:
        name = cls.__qualname__ if cls.__module__ in ('builtins', 'None') else f'{cls.__module__}.{cls.__qualname__}'
        if len(name) <= _NAME_BYTES and name.isascii():
            return name
    qualified = _safe(lambda: cls.__qualname__, 'an exception without a name')
    module = _safe(lambda: cls.__module__, 'None')
    return cut(qualified if module in ('builtins', 'None') else f'{module}.{qualified}', _NAME_BYTES)


def module_of(cls: type[BaseException]) -> str:
    """The module an exception class says it is of."""
    return cut(_safe(lambda: cls.__module__, ''), _NAME_BYTES)


def message_of(error: BaseException, clean: Callable[[str], str] = str) -> str:
    """What it says, or that it does not."""
    return cleaned(_safe(lambda: error, _NO_TEXT), MESSAGE_BYTES, clean)


def cleaned(text: str, limit: int, clean: Callable[[str], str]) -> str:
    """A bounded text without what `clean` takes out, which is done before it is cut, but not on megabytes."""
    return bounded(clean(cut(text, 8 * limit)), limit)
