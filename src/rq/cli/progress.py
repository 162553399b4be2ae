"""How far a long action has come: a bar on a terminal, elsewhere a plain line now and then; always on stderr."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any

import click

EVERY_SECONDS = 5.0


class Progress:
    """Called with how many are done, and of how many (None where that is not known)."""

    def __init__(self, label: str, silent: bool = False) -> None:
        self.done = 0
        self._label = label
        self._silent = silent
        self._bar: Any = None
        self._told = time.monotonic()

    def __enter__(self) -> Progress:
        return self

    def __call__(self, done: int, matched: int | None) -> None:
        """Tell it."""
        new, self.done = done - self.done, done
        if self._silent:
            return
        if matched and sys.stderr.isatty():
            self._draw(new, matched)
        elif time.monotonic() - self._told >= EVERY_SECONDS:
            self._told = time.monotonic()
            click.echo(f'{self._label}: {done:,}{f" of {matched:,}" if matched else ""}', err=True)

    def _draw(self, new: int, matched: int) -> None:
        if self._bar is None:
            self._bar = click.progressbar(length=max(matched, 1), label=self._label, file=sys.stderr, show_pos=True)
            self._bar.__enter__()
            new = self.done
        self._bar.length = max(matched, self.done)
        self._bar.update(new)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.__exit__(kind, error, trace)
