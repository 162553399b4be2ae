"""`rq cron`: a config file -> a cron scheduler, running. What it does stands in `rq.cron`."""

from __future__ import annotations

import sys
from typing import Any

import click

from rq.cli.errors import Command, talking_to
from rq.cli.logs import apply_dict_config
from rq.cli.options import CliConfig, pass_cli_config
from rq.cron import CronScheduler

_LEVELS = ['DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL']


@click.command('cron', cls=Command)
@click.option(
    '--logging-level',
    '-l',
    type=click.Choice(_LEVELS, case_sensitive=False),
    default='INFO',
    show_default=True,
    help='How much to say.',
)
@click.argument('config_path')
@pass_cli_config
def cron(cli_config: CliConfig, config_path: str, logging_level: str, **options: Any) -> None:
    """Enqueue the periodic jobs that CONFIG_PATH, a file or a dotted module, declares."""
    apply_dict_config(cli_config.settings)
    scheduler = CronScheduler(cli_config.connection, logging_level=logging_level.upper())
    try:
        scheduler.load_config_from_file(config_path)
        with talking_to(cli_config.connection):
            scheduler.start()
    except KeyboardInterrupt:
        sys.exit(0)  # outside of the scheduler's own handlers
