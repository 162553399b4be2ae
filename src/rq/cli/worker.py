"""`rq worker`: words of the shell -> one worker, working. What a worker does stands in `rq.worker`."""

from __future__ import annotations

import logging
import logging.config
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from rq.cli.errors import ELSEWHERE, Command, talking_to, wrong_option
from rq.cli.options import CliConfig, imported, pass_cli_config
from rq.defaults import (
    DEFAULT_JOB_MONITORING_INTERVAL,
    DEFAULT_LOGGING_DATE_FORMAT,
    DEFAULT_LOGGING_FORMAT,
    DEFAULT_MAINTENANCE_TASK_INTERVAL,
    DEFAULT_RESULT_TTL,
    DEFAULT_WORKER_TTL,
)
from rq.logutils import setup_loghandlers
from rq.utils import import_attribute
from rq.worker import DequeueStrategy
from rq.worker.claiming import GaveUp

logger = logging.getLogger('rq.worker')

_ONE_OR_MORE = click.IntRange(min=1)


@click.command('worker', cls=Command)
@click.option('--burst', '-b', is_flag=True, help='Quit when all work is done.')
@click.option('--logging_level', '--logging-level', help='DEBUG, INFO, WARNING, ERROR or CRITICAL.')
@click.option('--log-format', default=DEFAULT_LOGGING_FORMAT, help='Format of the log lines.')
@click.option('--date-format', default=DEFAULT_LOGGING_DATE_FORMAT, help='Format of their times.')
@click.option('--name', '-n', help='Name of the worker; a random one if none is given.')
@click.option('--results-ttl', type=int, default=DEFAULT_RESULT_TTL, help='Seconds a success and its result are kept.')
@click.option(
    '--worker-ttl',
    type=_ONE_OR_MORE,
    default=DEFAULT_WORKER_TTL,
    help='Seconds a silent worker counts as alive.',
)
@click.option(
    '--maintenance-interval',
    type=int,
    default=DEFAULT_MAINTENANCE_TASK_INTERVAL,
    help='Seconds between two rounds of chores.',
)
@click.option(
    '--job-monitoring-interval',
    type=_ONE_OR_MORE,
    default=DEFAULT_JOB_MONITORING_INTERVAL,
    help='Seconds between two looks at a running job.',
)
@click.option('--disable-job-desc-logging', is_flag=True, help='Log the ids of jobs without their descriptions.')
@click.option('--verbose', '-v', is_flag=True, help='Say more.')
@click.option('--quiet', '-q', is_flag=True, help='Say less.')
@click.option('--exception-handler', multiple=True, help='Dotted name of an exception handler; repeatable.')
@click.option('--pid', help='File to write the process id to.')
@click.option(
    '--disable-default-exception-handler',
    '-d',
    is_flag=True,
    help='Leave failed jobs to the exception handlers alone.',
)
@click.option('--max-jobs', type=_ONE_OR_MORE, help='Quit after so many jobs.')
@click.option('--max-idle-time', type=_ONE_OR_MORE, help='Quit after so many seconds without a job.')
@click.option('--with-scheduler', '-s', is_flag=True, help='Accepted for old scripts: every worker does it.')
@click.option(
    '--dequeue-strategy',
    '-ds',
    default='default',
    help='Order of several queues: default, round_robin or random.',
)
@click.argument('queues', nargs=-1)
@pass_cli_config
def worker(cli_config: CliConfig, queues: tuple[str, ...], **options: Any) -> None:
    """Run jobs of QUEUES, in this order of priority."""
    settings = cli_config.settings
    strategy = _strategy(options['dequeue_strategy'])
    level = _level(options['logging_level'])
    _configure_logging(settings, options)
    handlers = [_handler(name) for name in options['exception_handler']]
    targets = [cli_config.queue(name) for name in queues or _listed(settings.get('QUEUES')) or ('default',)]
    if options['pid']:
        _write_pid(options['pid'])
    with talking_to(cli_config.connection):
        made = _make(cli_config, targets, handlers, options, options['name'] or settings.get('NAME'))
        try:
            made.work(
                burst=options['burst'],
                logging_level=level,
                date_format=options['date_format'],
                log_format=options['log_format'],
                max_jobs=options['max_jobs'],
                max_idle_time=options['max_idle_time'],
                with_scheduler=options['with_scheduler'],
                dequeue_strategy=strategy,
            )
        except GaveUp as error:
            # It was stopped while it waited for its server, which is an orderly end; or it is a burst worker.
            if not made._stop_requested:
                raise click.ClickException(f'{str(error).rstrip(".")}; {ELSEWHERE}') from error
        except ValueError as error:  # the name is in use
            logger.debug('Worker %s: %s', made.name, error, exc_info=True)
            raise click.ClickException(str(error)) from error


def _make(
    cli_config: CliConfig,
    queues: Sequence[Any],
    handlers: list[Any],
    options: dict[str, Any],
    name: str | None,
) -> Any:
    """The worker that the options describe."""
    try:
        return cli_config.worker_class(
            queues,
            name=name,
            connection=cli_config.connection,
            default_result_ttl=options['results_ttl'],
            worker_ttl=options['worker_ttl'],
            maintenance_interval=options['maintenance_interval'],
            job_monitoring_interval=options['job_monitoring_interval'],
            job_class=cli_config.job_class,
            queue_class=cli_config.queue_class,
            serializer=cli_config.serializer,
            exception_handlers=handlers or None,
            disable_default_exception_handler=options['disable_default_exception_handler'],
            log_job_description=not options['disable_job_desc_logging'],
        )
    except (ValueError, TypeError) as error:  # classes that do not fit each other
        raise click.ClickException(f'the worker cannot be made: {error}') from error


def _strategy(word: str) -> DequeueStrategy:
    try:
        return DequeueStrategy(word)
    except ValueError:
        allowed = ', '.join(each.value for each in DequeueStrategy)
        # RQ ends with 1 here, and scripts may know it.
        raise click.ClickException(f'{word!r} is no dequeue strategy: choose one of {allowed}') from None


def _level(word: str | None) -> str | None:
    """A logging level as logging knows it, in any case."""
    if word is None or word.upper() in logging.getLevelNamesMapping():
        return word and word.upper()
    why = f'{word!r} is no level: choose DEBUG, INFO, WARNING, ERROR or CRITICAL'
    raise wrong_option('--logging_level', why)


def _listed(queues: str | Sequence[str] | None) -> Sequence[str]:
    """The QUEUES of a settings module; one name may stand alone."""
    return [queues] if isinstance(queues, str) else queues or ()


def _configure_logging(settings: dict[str, Any], options: dict[str, Any]) -> None:
    """First the module's DICT_CONFIG, then what the options say."""
    if settings.get('DICT_CONFIG'):
        try:
            logging.config.dictConfig(settings['DICT_CONFIG'])
        except (ValueError, TypeError, AttributeError, ImportError) as error:
            raise wrong_option('--config', f'DICT_CONFIG of the settings module is wrong: {error}') from error
    try:
        logging.Formatter(options['log_format'], options['date_format'])
    except ValueError as error:
        raise wrong_option('--log-format', error) from error
    try:
        setup_loghandlers_from_args(*(options[word] for word in ('verbose', 'quiet', 'date_format', 'log_format')))
    except RuntimeError as error:
        raise click.UsageError(str(error)) from error


def setup_loghandlers_from_args(verbose: bool, quiet: bool, date_format: str, log_format: str) -> None:
    """Set up the worker's log: DEBUG, WARNING, or its level as it is; `RuntimeError` for both flags."""
    if verbose and quiet:
        raise RuntimeError('--verbose and --quiet exclude each other')
    level = 'DEBUG' if verbose else 'WARNING' if quiet else None
    setup_loghandlers(level, date_format=date_format, log_format=log_format, name='rq.worker')


def _handler(name: str) -> Any:
    found = imported('--exception-handler', name, import_attribute)
    if not callable(found):
        raise wrong_option('--exception-handler', f'{name!r} is {found!r}, which cannot be called')
    return found


def _write_pid(path: str) -> None:
    try:
        Path(path).expanduser().write_text(str(os.getpid()))
    except (OSError, RuntimeError) as error:
        raise wrong_option('--pid', f'{path!r} cannot be written: {error}') from error
