"""`rq worker`: words of the shell -> one worker, working. What a worker does stands in `rq.worker`."""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from rq.cli.errors import ELSEWHERE, Command, talking_to, wrong_option
from rq.cli.logs import configure_logging, level_of
from rq.cli.options import CliConfig, WholeNumber, imported, pass_cli_config
from rq.cli.probes import health_options, set_health
from rq.cli.worker_options import given_settings, worker_settings
from rq.defaults import (
    DEFAULT_JOB_MONITORING_INTERVAL,
    DEFAULT_LOGGING_DATE_FORMAT,
    DEFAULT_LOGGING_FORMAT,
    DEFAULT_MAINTENANCE_TASK_INTERVAL,
    DEFAULT_RESULT_TTL,
    DEFAULT_WORKER_TTL,
)
from rq.store.call import RedisError
from rq.suspension import is_suspended
from rq.utils import import_attribute
from rq.worker import DequeueStrategy
from rq.worker.claiming import GaveUp

logger = logging.getLogger('rq.worker')

SUSPENDED = 'RQ is currently suspended, to resume job execution run "rq resume"'
OLD_CLASSES = {'RoundRobinWorker': 'round_robin', 'RandomWorker': 'random'}

_ONE_OR_MORE = WholeNumber(min=1)


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
@click.option(
    '--final-failure-handler',
    multiple=True,
    help='Dotted name of a function to tell of jobs that are not tried again; repeatable.',
)
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
@worker_settings
@health_options
@click.argument('queues', nargs=-1)
@pass_cli_config
def worker(cli_config: CliConfig, queues: tuple[str, ...], **options: Any) -> None:
    """Run jobs of QUEUES, in this order of priority."""
    settings = cli_config.settings
    strategy = _strategy(options['dequeue_strategy'])
    level = level_of(options['logging_level'], '--logging_level')
    configure_logging(settings, options)
    handlers = exception_handlers(options['exception_handler'])
    final_handlers = exception_handlers(options['final_failure_handler'], '--final-failure-handler')
    targets = queues_of(cli_config, queues)
    _warn_of_old_class(cli_config.worker_class)
    if options['pid']:
        _write_pid(options['pid'])
    _end_if_suspended(cli_config.connection)
    with talking_to(cli_config.connection):
        made = _make(cli_config, targets, handlers, options, options['name'] or settings.get('NAME'))
        made.final_failure_handlers = [*made.final_failure_handlers, *final_handlers]
        for attribute, value in given_settings(options).items():
            setattr(made, attribute, value)
        set_health(made, options)
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
        except ValueError as error:  # the name is in use, or the health port or file
            logger.debug('Worker %s: %s', made.name, error, exc_info=True)
            raise click.ClickException(str(error)) from error
        except (OSError, RuntimeError) as error:
            if not _is_shortage(error):
                raise
            raise click.ClickException(
                f'this machine gives a new worker too little: {error}; raise its limits (ulimit -n, -u, the cgroup)'
            ) from error


def _is_shortage(error: OSError | RuntimeError) -> bool:
    """Whether descriptors, memory, processes or threads ran out; Python has no class for the last."""
    if isinstance(error, OSError):
        return error.errno in (errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM)
    return "can't start new thread" in str(error)


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


def queues_of(cli_config: CliConfig, names: Sequence[str]) -> list[Any]:
    """The queues that a worker serves: those named, else QUEUES of the settings module, else `default`."""
    listed = cli_config.settings.get('QUEUES') or ()
    return [
        cli_config.queue(name) for name in names or ([listed] if isinstance(listed, str) else listed) or ('default',)
    ]


def exception_handlers(names: Sequence[str], option: str = '--exception-handler') -> list[Any]:
    """The functions that an option names, in order."""
    return [_handler(name, option) for name in names]


def _handler(name: str, option: str) -> Any:
    found = imported(option, name, import_attribute)
    if not callable(found):
        raise wrong_option(option, f'{name!r} is {found!r}, which cannot be called')
    return found


def _write_pid(path: str) -> None:
    try:
        Path(path).expanduser().write_text(str(os.getpid()))
    except (OSError, RuntimeError) as error:
        raise wrong_option('--pid', f'{path!r} cannot be written: {error}') from error


def _warn_of_old_class(worker_class: type[Any]) -> None:
    """The classes that are only a fixed strategy; their subclasses may be more than that."""
    strategy = OLD_CLASSES.get(worker_class.__name__) if worker_class.__module__.startswith('rq.') else None
    if strategy:
        option = f'--dequeue-strategy {strategy}'
        click.secho(f'WARNING: {worker_class.__name__} is deprecated, `{option}` does the same', fg='yellow')


def _end_if_suspended(connection: Any) -> None:
    """A worker that would only wait says so; one that is suspended later waits."""
    try:
        suspended = is_suspended(connection)
    except (RedisError, OSError):
        return  # the worker waits for its server, and tells of it
    if suspended:
        click.secho(SUSPENDED, fg='red')
        raise SystemExit(1)
