"""The options of `rq worker` and `rq worker-pool` by which attributes of a worker are set."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from rq.cli.errors import wrong_option
from rq.cli.options import FiniteNumber, WholeNumber
from rq.rules.keeping import keep_words
from rq.rules.retry import Retry
from rq.worker.parts import MOST_BATCH_MS
from rq.worker.worker_classes import Worker

_ATTRIBUTES = (
    *('executor', 'concurrency', 'batch_ms', 'horse_max_jobs', 'horse_max_memory', 'horse_max_age'),
    *('shutdown_grace', 'max_failed_jobs', 'keep_on_failure'),
)


def _keep_words(context: click.Context, option: click.Parameter, value: str | None) -> str | None:
    try:
        return keep_words(value) or None
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option(
        '--executor',
        type=click.Choice(Worker.executors),
        help='What jobs run in; by default what the worker class has by itself: fork for Worker.',
    ),
    click.option(
        '--concurrency',
        type=WholeNumber(min=1),
        metavar='NUMBER',
        help='How many jobs run side by side, with fork, prefork, thread and async.',
    ),
    click.option(
        '--batch-ms',
        type=FiniteNumber(min=0, max=MOST_BATCH_MS),
        metavar='MILLISECONDS',
        help='Claim and settle together what short jobs do in so long, with prefork and inline; by default off.',
    ),
    click.option(
        '--horse-max-jobs',
        type=WholeNumber(min=0),
        metavar='NUMBER',
        help='Retire a horse of prefork after so many jobs, 0 is never; by default 1000.',
    ),
    click.option(
        '--horse-max-memory',
        type=FiniteNumber(min=1),
        metavar='MIB',
        help='Retire a horse of prefork when it has grown to so much resident memory; by default never.',
    ),
    click.option(
        '--horse-max-age',
        type=FiniteNumber(min=1),
        metavar='SECONDS',
        help='Retire a horse of prefork when it is so old; by default never.',
    ),
    click.option(
        '--shutdown-grace',
        type=click.FloatRange(min=0),
        metavar='SECONDS',
        help='How long a stop waits for the running job before it is handed back; by default until it has ended.',
    ),
    click.option(
        '--max-failed-jobs',
        type=WholeNumber(min=1),
        metavar='NUMBER',
        help='Keep so many failed jobs a queue, the latest ones; by default each for its failure TTL.',
    ),
    click.option(
        '--keep-on-failure',
        metavar='WORDS',
        callback=_keep_words,
        help="Keep of jobs that fail: 'locals' of the failing frames, 'output' of the job, or 'locals,output'.",
    ),
    click.option(
        '--retry-max',
        type=WholeNumber(min=1),
        metavar='NUMBER',
        help='How often to try jobs again that say nothing of retries; by default never.',
    ),
    click.option(
        '--retry-interval',
        type=WholeNumber(min=0),
        multiple=True,
        metavar='SECONDS',
        help='Seconds before such a retry; repeat it for the second, third ...',
    ),
)


def worker_settings(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options by which attributes of a worker are set; `given_settings` reads them."""
    for option in _OPTIONS:
        command = option(command)
    return command


def given_settings(options: dict[str, Any]) -> dict[str, Any]:
    """Attribute and value of each of these options that was given."""
    given = {name: options[name] for name in _ATTRIBUTES if options[name] is not None}
    if options['retry_interval'] and not options['retry_max']:
        raise wrong_option('--retry-interval', 'it needs --retry-max, the number of retries')
    if options['retry_max']:
        given['default_retry'] = Retry(options['retry_max'], list(options['retry_interval']) or 0)
    return given
