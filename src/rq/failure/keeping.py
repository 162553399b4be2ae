"""Locals of the frames a job failed in, for those who asked for them: bounded, without secrets, and never raising."""

from __future__ import annotations

import reprlib
import time
from collections.abc import Iterator
from types import FrameType
from typing import Any

from rq.exceptions import ColdShutdown
from rq.rules.anatomy import is_own_file
from rq.rules.scrub import HIDDEN, Scrubber, is_secret_name
from rq.rules.wording import cut, steps_of, trace_of

FRAMES, NAMES = 10, 50  # at most, the innermost frames
VALUE_BYTES, ALL_BYTES = 200, 16 * 1024
_SECONDS = 2.0  # what all reprs together may take before no other is asked for
_BEFORE_SCRUBBING = 4096  # characters of a repr that are looked at

Locals = dict[str, str]


class _Short(reprlib.Repr):
    """Builtin containers are looked into only so far; a value that cannot say what it is, is named by its class."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 3
        self.maxdict = self.maxlist = self.maxtuple = self.maxset = self.maxfrozenset = self.maxdeque = 30
        self.maxarray = 30
        self.maxstring = self.maxlong = self.maxother = _BEFORE_SCRUBBING

    def repr1(self, x: Any, level: int) -> str:
        """As the base, but for what raises, or lies about its class."""
        try:
            text = super().repr1(x, level) if _is_plain(type(x)) else repr(x)
            return str.__str__(text)[:_BEFORE_SCRUBBING]
        except ColdShutdown:
            raise
        except BaseException:
            return f'<{_NAME(type(x))} whose __repr__ raised>'


def _is_plain(cls: type) -> bool:
    return cls in (dict, list, tuple, set, frozenset, str, int)


_NAME: Any = type.__dict__['__name__'].__get__  # a metaclass may say something else, or raise
_SHORT = _Short()


def locals_of(error: BaseException, scrubber: Scrubber) -> dict[int, Locals]:
    """Of the innermost own frames of an exception and its causes: id of the frame -> its locals as texts."""
    found: dict[int, Locals] = {}
    try:
        _gather(error, scrubber, found)
    except ColdShutdown:
        raise
    except BaseException:  # an exception that lies about its causes: what was found until then stands
        pass
    return found


def _gather(error: BaseException, scrubber: Scrubber, found: dict[int, Locals]) -> None:
    room, until = ALL_BYTES, time.monotonic() + _SECONDS
    for frame in _innermost(error):
        if len(found) == FRAMES or room <= 0 or time.monotonic() > until:
            break
        if id(frame) not in found and is_own_file(frame.f_code.co_filename):
            words = _of_frame(frame, scrubber, room, until)
            room -= sum(len(name.encode('utf-8', 'replace')) + len(text.encode()) + 8 for name, text in words.items())
            found[id(frame)] = words


def _innermost(error: BaseException | None) -> Iterator[FrameType]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen and len(seen) < FRAMES:
        seen.add(id(error))
        for step in steps_of(trace_of(error))[: -100 * FRAMES - 1 : -1]:
            yield step.tb_frame
        cause = error.__cause__
        error = error.__context__ if cause is None else cause


def _of_frame(frame: FrameType, scrubber: Scrubber, room: int, until: float) -> Locals:
    known: Any = frame.f_locals
    if type(known) is not dict:
        return {}
    words: Locals = {}
    for name in [name for name in list(known)[: 4 * NAMES] if type(name) is str and not name.startswith('__')][:NAMES]:
        if time.monotonic() > until:
            break
        text = HIDDEN if is_secret_name(name) else _shown(known.get(name), scrubber)
        room -= len(name.encode('utf-8', 'replace')) + len(text.encode()) + 8
        if room < 0:
            break
        words[name[:100]] = text
    return words


def _shown(value: Any, scrubber: Scrubber) -> str:
    return cut(scrubber.text(cut(_SHORT.repr(value), 2 * _BEFORE_SCRUBBING)), VALUE_BYTES)
