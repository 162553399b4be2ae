"""Lines as they go to the terminal: their look is added here, so that who words them need not know of colours."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable
from typing import Any, NamedTuple

import click

from rq.cli.columns import NARROWEST
from rq.cli.sparkline import bars_for

WIDEST = 120

_LOOKS: dict[str, dict[str, Any]] = {
    'title': {'bold': True},
    'quiet': {'dim': True},
    'bad': {'fg': 'red'},
    'warning': {'fg': 'yellow'},
    'good': {'fg': 'green'},
}


class Line(NamedTuple):
    """One line of printable text, and how it looks: title, quiet, bad, warning, good or plain."""

    text: str
    look: str = ''


def width() -> int:
    """How many columns there are; 80 where nobody says."""
    return max(NARROWEST, min(shutil.get_terminal_size().columns or 80, WIDEST))


def bars() -> str:
    """The bars that this terminal can show."""
    return bars_for(getattr(sys.stdout, 'encoding', None))


def show(lines: Iterable[Line], err: bool = False) -> None:
    """Print lines; in colour on a terminal, unless NO_COLOR is set."""
    plain = bool(os.environ.get('NO_COLOR'))
    for line in lines:
        click.echo(click.style(line.text, **_LOOKS.get(line.look, {})) if line.look else line.text,
                   color=False if plain else None, err=err)  # fmt: skip
