"""Asking before something is done to many: on a terminal only, and on stderr, so that stdout stays for programs."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click


def agreed(lines: Sequence[str]) -> bool:
    """Whether who sits at the terminal says yes to the last of these lines; where nobody sits, nobody is asked."""
    if not sys.stdin.isatty():
        return True
    for line in lines[:-1]:
        click.echo(line, err=True)
    if click.confirm(lines[-1], err=True):
        return True
    click.echo('Nothing was done', err=True)
    return False
