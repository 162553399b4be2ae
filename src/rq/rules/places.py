"""Where the steps of a traceback stand: their lines as Python prints them, and without what looks like a secret.

A program fails at the same few places again and again, so what is known of a place is kept, as long as its file is.
"""

from __future__ import annotations

import linecache
import traceback
from collections.abc import Sequence
from types import CodeType, TracebackType
from typing import Any

from rq.rules.scrub import scrub

_MOST, _LONGEST = 2048, 4096  # places that are known, characters of the text of one


class Place:
    """One place in a program: its text as it is, and `clean` as it may be stored, and its line of source."""

    __slots__ = ('_code', '_lines', 'clean', 'file', 'function', 'line', 'name', 'source', 'text')

    def __init__(self, step: TracebackType) -> None:
        self._code: CodeType = step.tb_frame.f_code  # kept, so that no other one gets its id
        self.file, self.line = self._code.co_filename, step.tb_lineno
        self.name, self.function = self._code.co_name, self._code.co_qualname
        self.text = ''.join(traceback.extract_tb(step, 1).format())
        self.source = linecache.getline(self.file, self.line, step.tb_frame.f_globals).strip()
        self.clean = scrub(self.text)
        self._lines: Any = linecache.cache.get(self.file)

    def stands(self, step: TracebackType) -> bool:
        """Whether it is still the place of this step: its file has not been read anew."""
        return self._code is step.tb_frame.f_code and self._lines is linecache.cache.get(self.file)

    @property
    def is_worth_keeping(self) -> bool:
        """Whether its file was read or can never be, and its text is not huge."""
        return (self._lines is not None or self.file.startswith('<')) and len(self.text) <= _LONGEST


_known: dict[tuple[int, int, int], Place] = {}


def place_of(step: TracebackType) -> Place:
    """The place of a step, by the lines of its file as they were read last."""
    key = id(step.tb_frame.f_code), step.tb_lasti, step.tb_lineno
    place = _known.get(key)
    if place is None or not place.stands(step):
        place = Place(step)
        if place.is_worth_keeping:
            if len(_known) >= _MOST:
                _known.clear()
            _known[key] = place
    return place


def places_of(steps: Sequence[TracebackType]) -> list[Place]:
    """The places of steps, after a look at which of their files have changed, as Python's own traceback takes it."""
    for file in {step.tb_frame.f_code.co_filename for step in steps}:
        linecache.checkcache(file)
    return [place_of(step) for step in steps]
