"""`--json`: what a command has to say, as one JSON document on stdout and nothing else there."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import click


def json_option(func: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--json` to a command; it arrives as `as_json`."""
    return click.option('--json', 'as_json', is_flag=True, help='Print one JSON document, for programs.')(func)


def print_document(document: dict[str, Any]) -> None:
    """Print a document on one line; ASCII only, so that no terminal's encoding matters."""
    click.echo(json.dumps(document))
