"""`rq worker-pool`: several workers under one command. How they are kept alive stands in `rq.worker_pool`."""

from __future__ import annotations

from typing import Any

import click

from rq.cli.errors import Command, wrong_option
from rq.cli.logs import configure_logging, level_of
from rq.cli.options import CliConfig, WholeNumber, pass_cli_config
from rq.cli.probes import health_options, set_health
from rq.cli.worker import exception_handlers, queues_of
from rq.cli.worker_options import given_settings, worker_settings
from rq.defaults import DEFAULT_LOGGING_DATE_FORMAT, DEFAULT_LOGGING_FORMAT
from rq.logutils import setup_loghandlers
from rq.serializers import resolve_serializer
from rq.worker_pool import WorkerPool


@click.command('worker-pool', cls=Command)
@click.option('--burst', '-b', is_flag=True, help='Quit when all work is done.')
@click.option('--logging-level', '-l', default='INFO', help='DEBUG, INFO, WARNING, ERROR or CRITICAL.')
@click.option('--exception-handler', multiple=True, help='Dotted name of an exception handler; repeatable.')
@click.option(
    '--final-failure-handler',
    multiple=True,
    help='Dotted name of a function to tell of jobs that are not tried again; repeatable.',
)
@click.option('--verbose', '-v', is_flag=True, help='Say more.')
@click.option('--quiet', '-q', is_flag=True, help='Say less.')
@click.option('--log-format', default=DEFAULT_LOGGING_FORMAT, help='Format of the log lines.')
@click.option('--date-format', default=DEFAULT_LOGGING_DATE_FORMAT, help='Format of their times.')
@click.option('--num-workers', '-n', type=WholeNumber(min=1), default=1, help='How many workers to keep.')
@worker_settings
@health_options
@click.argument('queues', nargs=-1)
@pass_cli_config
def worker_pool(cli_config: CliConfig, queues: tuple[str, ...], **options: Any) -> None:
    """Keep several workers for QUEUES; one that dies is replaced, unless with --burst."""
    level = level_of(options['logging_level'], '--logging-level')
    configure_logging(cli_config.settings, options)
    if options['verbose'] or options['quiet']:
        level = 'DEBUG' if options['verbose'] else 'WARNING'
    for name in ('rq.worker_pool', 'rq.job'):  # the workers are forked, so they log as we do
        setup_loghandlers(None, options['date_format'], options['log_format'], name)
    pool = WorkerPool(
        [queue.name for queue in queues_of(cli_config, queues)],
        connection=cli_config.connection,
        num_workers=options['num_workers'],
        worker_class=cli_config.worker_class,
        serializer=resolve_serializer(cli_config.serializer),
        job_class=cli_config.job_class,
        queue_class=cli_config.queue_class,
        exception_handlers=exception_handlers(options['exception_handler']),
        final_failure_handlers=exception_handlers(options['final_failure_handler'], '--final-failure-handler'),
    )
    pool.worker_settings |= given_settings(options)
    allowed = getattr(cli_config.worker_class, 'executors', ())
    if options['executor'] is not None and options['executor'] not in allowed:
        raise wrong_option('--executor', f'{cli_config.worker_class.__name__} can have: {", ".join(allowed)}')
    set_health(pool, options)
    try:
        pool.start(burst=options['burst'], logging_level=level or 'INFO')
    except ValueError as error:  # the health port or file
        raise click.ClickException(str(error)) from error
