"""`rq info`: queues and workers at a glance. It only reads, and what it cannot read it shows as `?`."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

import click

from rq.cli import check, seen
from rq.cli.document import json_option, print_document
from rq.cli.errors import Command, talking_to
from rq.cli.options import CliConfig, pass_cli_config
from rq.cli.seen import printable
from rq.store import keys
from rq.store.aside import Missing
from rq.suspension import is_suspended
from rq.utils import now, utcformat

SCALES = (20, 50, 100, 200, 400, 600, 800, 1000)
BAR_COLUMNS = 20
LONGEST_INTERVAL = 86400.0
#: what `--json` tells of a worker, and the fields of its hash
WORKER_TEXTS = {
    'hostname': 'hostname',
    'ip_address': 'ip_address',
    'version': 'version',
    'current_job': 'current_job',
    'birth': 'birth',
    'last_heartbeat': 'last_heartbeat',
}
WORKER_NUMBERS = {'pid': 'pid', 'finished': 'successful_job_count', 'failed': 'failed_job_count'}
COLOURS = {'busy': 'red', 'idle': 'green', 'suspended': 'yellow'}


@click.command('info', cls=Command)
@click.option(
    '--interval',
    '-i',
    type=float,
    callback=lambda ctx, param, value: _checked_interval(value),
    help='Clear the screen and repeat every N seconds.',
)
@click.option('--raw', '-r', is_flag=True, help='Plain lines for programs: no bars, no totals.')
@click.option('--only-queues', '-Q', is_flag=True, help='Show queues only.')
@click.option('--only-workers', '-W', is_flag=True, help='Show workers only.')
@click.option('--by-queue', '-R', is_flag=True, help='Show the workers of each queue.')
@check.check_options
@json_option
@click.argument('queues', nargs=-1)
@pass_cli_config
def info(
    cli_config: CliConfig,
    interval: float | None,
    raw: bool,
    only_queues: bool,
    only_workers: bool,
    by_queue: bool,
    as_json: bool,
    queues: tuple[str, ...],
    **options: Any,
) -> None:
    """Show the state of QUEUES, or of all queues, and of their workers; nothing is changed."""
    for name in queues:
        cli_config.queue(name)  # a wrong name is refused before anything is printed
    if check.wanted(options, queues, bool(interval or raw or only_queues or only_workers or by_queue)):
        check.answer(cli_config, queues, as_json, options)
        return
    if as_json and interval:
        raise click.UsageError('--json prints one document, so it goes with no --interval')
    show = show_queues if only_queues else show_workers if only_workers else show_both
    classes = (cli_config.queue_class, cli_config.worker_class)
    with talking_to(cli_config.connection):
        _say_unknown(queues, cli_config)
        if as_json:
            parts = (not only_workers or only_queues, not only_queues, by_queue)
            print_document(_document(queues, *parts, *classes, cli_config.connection))
            return
        try:
            refresh(interval, show, queues, raw, by_queue, *classes, cli_config.connection)
        except KeyboardInterrupt:
            raise SystemExit(0) from None


def _checked_interval(value: float | None) -> float | None:
    if value is not None and value < 0:
        raise click.BadParameter('it must be 0 or more seconds')
    return value


def _say_unknown(queues: Sequence[str], cli_config: CliConfig) -> None:
    """A misspelled name looks like an empty queue: say on stderr that nobody has put or awaits a job there."""
    if not queues:
        return
    connection = cli_config.connection
    known = set(seen.known_queues(cli_config.queue_class, connection))
    for name in dict.fromkeys(queues):
        # One key a question: in a cluster they may live on several nodes.
        if name not in known and not connection.exists(keys.workers(name)) and not connection.exists(keys.queue(name)):
            click.echo(f'No queue {printable(name)!r} is known here.', err=True)


def refresh(interval: float | None, func: Callable[..., None], *args: Any) -> None:
    """Call a printing function once, or every `interval` seconds on a cleared screen."""
    while True:
        if interval:
            click.clear()
        func(*args)
        if not interval or not interval > 0:  # the second half is for nan, which is true and no time at all
            return
        time.sleep(min(interval, LONGEST_INTERVAL))


def show_both(
    queues: Iterable[Any], raw: bool, by_queue: bool, queue_class: Any, worker_class: Any, connection: Any
) -> None:
    """Print queues, then workers."""
    queues = list(queues)
    show_queues(queues, raw, by_queue, queue_class, worker_class, connection)
    if not raw:
        click.echo()
    show_workers(queues, raw, by_queue, queue_class, worker_class, connection)
    if not raw:
        click.echo(f'\nUpdated: {datetime.now()}')


# --- queues ---------------------------------------------------------------------------------------------------


def show_queues(
    queues: Iterable[Any], raw: bool, by_queue: bool, queue_class: Any, worker_class: Any, connection: Any
) -> None:
    """Print a line for each queue, and unless raw a total."""
    named = [queue_class(name, connection=connection) for name in seen.queue_names(queues, queue_class, connection)]
    counted = [seen.count(queue) for queue in named]
    scale = get_scale(max((each.waiting or 0 for each in counted), default=0))
    columns = max(0, min(BAR_COLUMNS, shutil.get_terminal_size().columns - 20))
    for each in counted:
        if raw:
            click.echo(f'queue {printable(each.name)} {each}')
            continue
        bar = '█' * int((each.waiting or 0) * columns / scale)
        click.echo(f'{pad(printable(each.name), 12)} {click.style("|" + bar, fg="green")} {each}')
        _show_aside(seen.aside(connection, each.name))
        _show_missing(seen.missing(connection, each.name))
    if not raw:
        click.echo(f'{len(counted)} queues, {sum(each.waiting or 0 for each in counted)} jobs total')


def _show_aside(members: dict[str, str]) -> None:
    """What cannot be worked on stands in nobody's way, and so must be said here."""
    if members:
        member, why = next(iter(members.items()))
        number = f'{len(members)}' if len(members) < seen.MOST_ASIDE else f'{seen.MOST_ASIDE} or more'
        example = f'{printable(member)}: {printable(why)}'
        click.secho(f'{"":12} {number} set aside, such as {example}', fg='yellow')


def _show_missing(found: Missing | None) -> None:
    """Records that vanish are jobs that will not run."""
    if found:
        ids = 'id had no record' if found.number == 1 else 'ids had no record'
        latest = f'{printable(found.latest)} at {printable(found.at)}'
        click.secho(f'{"":12} {found.number} {ids} (expired, evicted or deleted), the latest {latest}', fg='yellow')


# --- workers --------------------------------------------------------------------------------------------------


def show_workers(
    queues: Iterable[Any], raw: bool, by_queue: bool, queue_class: Any, worker_class: Any, connection: Any
) -> None:
    """Print a line for each worker, or the workers of each queue, and unless raw a total."""
    names = seen.queue_names(queues, queue_class, connection)
    fleet = seen.fleet(names, worker_class, connection)
    if by_queue:
        _show_by_queue(names, fleet)
    else:
        for worker in sorted(fleet.workers.values()):
            head = f'worker {worker}' if raw else f'{worker}:'
            click.echo(f'{head} {state_symbol(worker.state)} {worker.work}')
    if not raw:
        click.echo(f'{len(fleet.workers)} workers, {len(names)} queues')


def _show_by_queue(names: Sequence[str], fleet: seen.Fleet) -> None:
    labels = [f'{printable(name)}:' for name in names]
    width = max(map(len, labels), default=0)
    for number, label in enumerate(labels):
        shown = ', '.join(f'{worker.name} ({state_symbol(worker.state)})' for worker in fleet.of(number))
        click.echo(f'{pad(label, width)} {shown or "–"}')


# --- for programs ---------------------------------------------------------------------------------------------


def _document(
    queues: Sequence[str], with_queues: bool, with_workers: bool, by_queue: bool,
    queue_class: Any, worker_class: Any, connection: Any,
) -> dict[str, Any]:  # fmt: skip
    """What `--json` prints; names stay as they are, JSON can carry them."""
    names = seen.queue_names(queues, queue_class, connection)
    document: dict[str, Any] = {}
    if with_queues:
        document['queues'] = [_queue_document(queue_class(name, connection=connection)) for name in names]
    if with_workers:
        fleet = seen.fleet(names, worker_class, connection)
        document['workers'] = [_worker_document(worker) for worker in sorted(fleet.workers.values())]
        if by_queue:
            document['by_queue'] = {name: [each.name for each in fleet.of(n)] for n, name in enumerate(names)}
    suspended = bool(is_suspended(connection))
    return {**document, 'suspended': suspended, 'updated': utcformat(now())}


def _queue_document(queue: Any) -> dict[str, Any]:
    counts = seen.count(queue)
    return {
        'name': queue.name,
        'queued': counts.waiting,
        'executing': counts.executing,
        'finished': counts.finished,
        'failed': counts.failed,
        **seen.count_others(queue),
        'aside': seen.aside(queue.connection, queue.name),
        'missing': _missing_document(queue),
    }


def _missing_document(queue: Any) -> dict[str, Any] | None:
    found = seen.missing(queue.connection, queue.name)
    return None if found is None else {'count': found.number, 'latest': found.latest, 'at': found.at}


def _worker_document(worker: seen.Seen) -> dict[str, Any]:
    texts = {word: worker.fields.get(field) or None for word, field in WORKER_TEXTS.items()}
    numbers = {word: _number(worker.fields.get(field)) for word, field in WORKER_NUMBERS.items()}
    return {'name': worker.name, 'state': worker.state, 'queues': worker.queues, **texts, **numbers}


def _number(text: str | None) -> int | None:
    try:
        return int(text or 0)
    except ValueError:
        return None


# --- words ----------------------------------------------------------------------------------------------------


def get_scale(x: float) -> float:
    """What a full bar stands for when the longest queue holds x."""
    return next((scale for scale in SCALES if scale >= x), x)


def pad(s: str, pad_to_length: int) -> str:
    """The text, followed by blanks up to a width."""
    return s.ljust(pad_to_length)


def state_symbol(state: str) -> str:
    """The state of a worker in its colour."""
    return click.style(state, fg=COLOURS[state]) if state in COLOURS else state
