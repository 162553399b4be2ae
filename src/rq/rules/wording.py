"""An exception in words: its name, its message, its traceback. Bounded in size, and never raising itself.

A hostile exception may be long, deep, wide, cyclic, or raise when it is asked for anything.
"""

from __future__ import annotations

import base64
import json
import traceback
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from rq.defaults import MAX_TRACEBACK_BYTES
from rq.exceptions import ColdShutdown, NotImportableError

#: bytes of a text; the rest of an attempt (the exception as plain values, worker, times) gets the other quarter
TEXT_BYTES = MAX_TRACEBACK_BYTES * 3 // 4
MESSAGE_BYTES = 2048
_NAME_BYTES = 512
_FRAMES = 100  # of each traceback, the last ones
_TRACE: Any = BaseException.__dict__['__traceback__'].__get__
_NO_TEXT = '<text unavailable: its __str__ raised>'

_OURS = str(Path(__file__).parent.parent)
_DEMO = str(Path(_OURS, 'demo'))  # its jobs are user code, as far as tracebacks go


def cut(text: str, limit: int = TEXT_BYTES, missing: int = 0) -> str:
    """At most `limit` bytes of a text: its head and its tail, and between them how much is missing."""
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
    while inner is not None and _is_ours(inner.tb_frame.f_code.co_filename):
        inner = inner.tb_next
    return inner or trace


def _has_user_frames(error: BaseException | None) -> bool:
    """Whether the error or a cause of it has a frame that is neither ours nor of the import machinery."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))  # a cause may be its own cause
        files = (frame.filename for frame in traceback.extract_tb(error.__traceback__))
        if not all(map(leads_nowhere, files)):
            return True
        error = error.__cause__
    return False


def leads_nowhere(file: str) -> bool:
    """Whether a frame in this file tells a user nothing: one of ours, or of the import machinery."""
    return _is_ours(file) or file.startswith('<frozen') or 'importlib' in file


def _is_ours(file: str) -> bool:
    return file.startswith(_OURS) and not file.startswith(_DEMO)


def _pieces(error: BaseException) -> Iterator[str]:
    if issubclass(type(error), NotImportableError) and not _has_user_frames(error):
        yield from traceback.format_exception_only(error)  # the sentence says it; all frames are ours
        return
    # A limit on frames per traceback keeps recursion errors short; chains and groups are cut in the end.
    trace = own_frames(trace_of(error))
    yield from traceback.TracebackException(type(error), error, trace, limit=-_FRAMES, compact=True).format()


def traceback_text(error: BaseException, clean: Callable[[str], str] = str) -> str:
    """Its traceback, with its causes; `clean` takes out what is not to be stored."""
    try:
        return _gathered(_pieces(error), clean).replace('<exception str() failed>', _NO_TEXT)
    except ColdShutdown:
        raise
    except BaseException:  # an exception that lies about its causes, or groups too deep: then at least its place
        frames = _safe(lambda: ''.join(traceback.format_tb(own_frames(trace_of(error)), -_FRAMES)), '')
        head = f'Traceback (most recent call last):\n{frames}' if frames else ''
        words = f'{name_of(type(error))}: {message_of(error, clean)}'
        return bounded(f'{clean(head)}{words}\n(the rest of its traceback cannot be formatted)')


def trace_of(error: BaseException) -> TracebackType | None:
    """Its traceback as the interpreter keeps it; a class of somebody's may say something else."""
    trace: TracebackType | None = _TRACE(error)
    return trace


def name_of(cls: type[BaseException]) -> str:
    """The name of an exception class, whatever it says of itself."""
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
