"""`--health-port`, `--health-host` and `--health-file`: how a worker or a pool tells probes that it is well."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from rq.cli.errors import wrong_option


def health_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add them to a command; `set_health` reads them."""
    for option in (
        click.option('--health-file', metavar='FILE', help='File to keep fresh while all is well, for probes.'),
        click.option('--health-host', metavar='ADDRESS', help='Where --health-port is, by default 127.0.0.1.'),
        click.option(
            '--health-port',
            type=click.IntRange(0, 65535),
            metavar='PORT',
            help='Port to answer GET /livez and /readyz on; 0 for a free one, which is logged.',
        ),
    ):
        command = option(command)
    return command


def set_health(made: Any, options: dict[str, Any]) -> None:
    """What was asked for, as attributes of a worker or a pool; systemd is told if it wants to be."""
    if options['health_host'] is not None and options['health_port'] is None:
        raise wrong_option('--health-host', 'there is no --health-port that it could be the address of')
    made.health_port = made.health_port if options['health_port'] is None else options['health_port']
    made.health_host = options['health_host'] or made.health_host
    made.health_file = options['health_file'] or made.health_file
    made.notifies_systemd = True
