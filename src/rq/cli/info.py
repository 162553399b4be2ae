"""`rq info`: queues and workers at a glance. It only reads, and what it cannot read it shows as `?`."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import click

from rq.cli.errors import Command, talking_to
from rq.cli.options import CliConfig, pass_cli_config
from rq.store import keys, read
from rq.store.call import ResponseError

SCALES = (20, 50, 100, 200, 400, 600, 800, 1000)
BAR_COLUMNS = 20
MOST_ASIDE = 100
LONGEST_INTERVAL = 86400.0
COLOURS = {'busy': 'red', 'idle': 'green', 'suspended': 'yellow'}


@click.command('info', cls=Command)
@click.option(
    '--interval',
    '-i',
    type=click.FloatRange(min=0),
    help='Clear the screen and repeat every N seconds.',
)
@click.option('--raw', '-r', is_flag=True, help='Plain lines for programs: no bars, no totals.')
@click.option('--only-queues', '-Q', is_flag=True, help='Show queues only.')
@click.option('--only-workers', '-W', is_flag=True, help='Show workers only.')
@click.option('--by-queue', '-R', is_flag=True, help='Show the workers of each queue.')
@click.argument('queues', nargs=-1)
@pass_cli_config
def info(
    cli_config: CliConfig,
    interval: float | None,
    raw: bool,
    only_queues: bool,
    only_workers: bool,
    by_queue: bool,
    queues: tuple[str, ...],
    **options: Any,
) -> None:
    """Show the state of QUEUES, or of all queues, and of their workers; nothing is changed."""
    for name in queues:
        cli_config.queue(name)  # a wrong name is refused before anything is printed
    show = show_queues if only_queues else show_workers if only_workers else show_both
    classes = (cli_config.queue_class, cli_config.worker_class)
    with talking_to(cli_config.connection):
        try:
            refresh(interval, show, queues, raw, by_queue, *classes, cli_config.connection)
        except KeyboardInterrupt:
            raise SystemExit(0) from None


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


class Counts(NamedTuple):
    """How many jobs a queue and its registries hold; None for what cannot be read."""

    name: str
    waiting: int | None
    executing: int | None
    finished: int | None
    failed: int | None

    def __str__(self) -> str:
        waiting, executing, finished, failed = ('?' if n is None else n for n in self[1:])
        return f'{waiting}, {executing} executing, {finished} finished, {failed} failed'


def show_queues(
    queues: Iterable[Any], raw: bool, by_queue: bool, queue_class: Any, worker_class: Any, connection: Any
) -> None:
    """Print a line for each queue, and unless raw a total."""
    named = [queue_class(name, connection=connection) for name in _names(queues, queue_class, connection)]
    counted = [_count(queue) for queue in named]
    scale = get_scale(max((each.waiting or 0 for each in counted), default=0))
    columns = max(0, min(BAR_COLUMNS, shutil.get_terminal_size().columns - 20))
    for each in counted:
        if raw:
            click.echo(f'queue {_printable(each.name)} {each}')
            continue
        bar = '█' * int((each.waiting or 0) * columns / scale)
        click.echo(f'{pad(_printable(each.name), 12)} {click.style("|" + bar, fg="green")} {each}')
        _show_aside(connection, each.name)
    if not raw:
        click.echo(f'{len(counted)} queues, {sum(each.waiting or 0 for each in counted)} jobs total')


def _count(queue: Any) -> Counts:
    registries = (queue.started_job_registry, queue.finished_job_registry, queue.failed_job_registry)
    return Counts(queue.name, *(_count_of(each) for each in (queue, *registries)))


def _count_of(place: Any) -> int | None:
    try:
        return int(place.count)
    except ResponseError:  # a key of the wrong type
        return None


def _show_aside(connection: Any, queue: str) -> None:
    """What cannot be worked on stands in nobody's way, and so must be said here."""
    try:
        members = read.aside(connection, queue, MOST_ASIDE)
    except ResponseError:
        return
    if members:
        member, why = next(iter(members.items()))
        number = f'{len(members)}' if len(members) < MOST_ASIDE else f'{MOST_ASIDE} or more'
        example = f'{_printable(member)}: {_printable(why)}'
        click.secho(f'{"":12} {number} set aside, such as {example}', fg='yellow')


def known_queues(queue_class: Any, connection: Any) -> list[str]:
    """The names of all queues, sorted; keys that are none of a queue are passed over."""
    names = []
    for key in read.texts(list(connection.smembers(queue_class.redis_queues_keys))):
        try:
            names.append(queue_class.from_queue_key(key, connection=connection).name)
        except ValueError:
            continue
    return sorted(names)


def _names(queues: Iterable[Any], queue_class: Any, connection: Any) -> list[str]:
    """The names of the given queues (or names), or of all when none is given."""
    given = [queue if isinstance(queue, str) else queue.name for queue in queues]
    return given or known_queues(queue_class, connection)


# --- workers --------------------------------------------------------------------------------------------------


class Seen(NamedTuple):
    """A worker as its hash describes it."""

    name: str
    fields: dict[str, str]

    def __str__(self) -> str:
        host, ip, pid = (self.fields.get(field, '?') for field in ('hostname', 'ip_address', 'pid'))
        return f'{self.name} ({host} {ip} {pid})'

    @property
    def state(self) -> str:
        """Its state, coloured."""
        return state_symbol(self.fields.get('state', '?'))

    @property
    def work(self) -> str:
        """Its queues, and what became of its jobs."""
        queues = ', '.join(self.fields.get('queues', '').split(','))
        finished, failed = (self.fields.get(f'{kind}_job_count', 0) for kind in ('successful', 'failed'))
        return f'{queues}. jobs: {finished} finished, {failed} failed'


def show_workers(
    queues: Iterable[Any], raw: bool, by_queue: bool, queue_class: Any, worker_class: Any, connection: Any
) -> None:
    """Print a line for each worker, or the workers of each queue, and unless raw a total."""
    names = _names(queues, queue_class, connection)
    # A fresh database knows no queue yet, but perhaps workers that wait for the first.
    sets = [keys.workers(name) for name in names] or [worker_class.redis_workers_keys]
    of_set = _members(connection, sets)
    present = set().union(*of_set.values())
    seen = _read_workers(connection, worker_class.redis_worker_namespace_prefix, present)
    if by_queue:
        _show_by_queue(names, [sorted(seen[key] for key in of_set[one] if key in seen) for one in sets])
    else:
        for worker in sorted(seen.values()):
            head = f'worker {worker}' if raw else f'{worker}:'
            click.echo(f'{head} {worker.state} {worker.work}')
    if not raw:
        click.echo(f'{len(seen)} workers, {len(names)} queues')


def _show_by_queue(names: Sequence[str], workers: Sequence[Sequence[Seen]]) -> None:
    labels = [f'{_printable(name)}:' for name in names]
    width = max(map(len, labels), default=0)
    # Without any queue there is no line, so the lengths may differ.
    for label, present in zip(labels, workers, strict=False):
        shown = ', '.join(f'{worker.name} ({worker.state})' for worker in present)
        click.echo(f'{pad(label, width)} {shown or "–"}')


def _members(connection: Any, sets: Sequence[str]) -> dict[str, set[bytes]]:
    """The members of each set, in one round trip; of a key that is no set, none."""
    pipeline = connection.pipeline(transaction=False)
    for key in sets:
        pipeline.smembers(key)
    found = {}
    for key, reply in zip(sets, pipeline.execute(raise_on_error=False), strict=True):
        found[key] = set() if isinstance(reply, Exception) else set(reply)
    return found


def _read_workers(connection: Any, prefix: str, members: Iterable[bytes]) -> dict[bytes, Seen]:
    """Those of the worker keys that have a hash, in one round trip; the others have died without a word."""
    wanted = [member for member in members if read.texts([member])[0].startswith(prefix)]
    pipeline = connection.pipeline(transaction=False)
    for key in wanted:
        pipeline.hgetall(key)
    found = {}
    for key, fields in zip(wanted, pipeline.execute(raise_on_error=False), strict=True):
        if fields and not isinstance(fields, Exception):
            name = _printable(read.texts([key])[0].removeprefix(prefix))
            words = read.texts([word for pair in fields.items() for word in pair])
            found[key] = Seen(name, dict(zip(words[::2], map(_printable, words[1::2]), strict=True)))
    return found


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


def _printable(text: str) -> str:
    """The text with line ends and control characters escaped, so that a name stays within its line."""
    return text if text.isprintable() else ''.join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
