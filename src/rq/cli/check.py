"""`rq info --check`: is all well, and if not, why. For probes and scripts; it only reads, and decodes no job.

What it holds the server against are the promises: beats every few seconds, leases taken over, due jobs queued.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import click

from rq.cli import seen
from rq.cli.document import print_document
from rq.cli.options import CliConfig
from rq.cli.seen import printable
from rq.connections import describe, rebuild
from rq.rules.timing import from_epoch, str_to_date, utcformat
from rq.store import keys, read
from rq.store.call import RedisError
from rq.suspension import is_suspended

ANSWER_SECONDS = 5.0  # within which the server must have told everything
BEAT_SECONDS = 15.0  # three beats of a worker of ours
LEASE_SECONDS = 45.0  # beyond its end; then nobody looks for leases any more
GRACE_SECONDS = 30.0  # that leases get after a start of the server, while which nobody could renew
DUE_SECONDS = 10.0
FOREIGN_SECONDS = 200.0  # RQ 3.0 replaces a dead scheduler by then: its lock lasts 61, the next try comes after 120
FOREIGN_LOCK = 53.0  # an RQ 3.0 scheduler that lives renews its lock to 61 each second; as in lua/promote_due
QUEUES_AT_ONCE = 200
MOST_LEASES = 10


def check_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--check` and what belongs to it to a command; `wanted` and `answer` read them."""
    for option in (
        click.option(
            '--health-file', metavar='FILE', help='With --check: look at this file of a worker, at no server.'
        ),
        click.option('--worker', 'worker_name', metavar='NAME', help='With --check: look at this worker only.'),
        click.option('--check', is_flag=True, help='Say whether all is well; the exit code is 1 if not.'),
    ):
        command = option(command)
    return command


def wanted(options: dict[str, Any], queues: Sequence[str], others: bool) -> bool:
    """Whether to check; words that do not go together are refused."""
    only = [name for name in ('--worker', '--health-file') if options[OPTIONS[name]] is not None]
    if not options['check']:
        if only:
            raise click.UsageError(f'{only[0]} belongs to --check')
        return False
    if others:
        raise click.UsageError('--check gives one answer, so of the other options only --json goes with it')
    if len(only) + bool(queues) > 1:
        raise click.UsageError('--check looks at queues, at one --worker or at one --health-file')
    return True


OPTIONS = {'--worker': 'worker_name', '--health-file': 'health_file'}


class Findings:
    """What was found wrong, what is merely worth a word, and what was counted."""

    def __init__(self) -> None:
        self.reasons: list[str] = []
        self.warnings: list[str] = []
        self.about: dict[str, Any] = {}
        self.sentence = ''

    def document(self) -> dict[str, Any]:
        """For `--json`."""
        return {'healthy': not self.reasons, 'reasons': self.reasons, 'warnings': self.warnings, **self.about}

    def lines(self) -> Iterator[str]:
        """For people."""
        if not self.reasons:
            yield f'OK: {self.sentence}'
        yield from (f'NOT OK: {reason}' for reason in self.reasons)


def answer(cli_config: CliConfig, queues: Sequence[str], as_json: bool, options: dict[str, Any]) -> None:
    """Look, print, and end with code 1 if all is not well."""
    findings = Findings()
    if options['health_file'] is not None:
        look_at_file(options['health_file'], findings)
    else:
        _ask_server(cli_config, queues, options['worker_name'], findings)
    if as_json:
        print_document(findings.document())
    else:
        for line in findings.lines():
            click.echo(line)
        for line in findings.warnings:
            click.echo(f'warning: {line}', err=True)
    if findings.reasons:
        raise SystemExit(1)


# --- a file -------------------------------------------------------------------------------------------------------


def look_at_file(path: str, findings: Findings) -> None:
    """What a worker on this host says; a frozen one cannot take its file away, so its age counts."""
    try:
        content = json.loads(Path(path).read_text())
        name, at, until = str(content['worker']), float(content['at']), float(content['healthy_until'])
    except FileNotFoundError:
        findings.reasons.append(f'there is no {path}: its worker is not healthy, not up yet, or has left')
        return
    except (OSError, ValueError, TypeError, KeyError) as error:
        findings.reasons.append(f'{path} cannot be read as the health file of a worker ({error})')
        return
    age = time.time() - at
    if time.time() >= until or age < -BEAT_SECONDS:  # that far in the future it is of another clock
        findings.reasons.append(f'worker {printable(name)!r} has not renewed for {age:.0f} s')
    findings.about = {'worker': name, 'pid': content.get('pid'), 'ready': content.get('ready')}
    findings.sentence = f'worker {printable(name)!r} renewed {max(age, 0):.0f} s ago'


# --- a server -----------------------------------------------------------------------------------------------------


def _ask_server(cli_config: CliConfig, queues: Sequence[str], worker: str | None, findings: Findings) -> None:
    began = time.monotonic()
    connection = cli_config.connection
    if hasattr(connection, 'connection_pool') or hasattr(connection, 'nodes_manager'):
        connection = rebuild(connection, socket_timeout=ANSWER_SECONDS)  # a client of somebody else's making stays
    try:
        seconds, micros = connection.time()
        now = int(seconds) + int(micros) / 1e6
        findings.about = {'updated': utcformat(from_epoch(now))}
        if worker is None:
            _look_at_queues(cli_config, connection, queues, now, findings)
        else:
            _look_at_worker(cli_config, connection, worker, now, findings)
    except (RedisError, OSError) as error:
        findings.reasons.append(f'no server answers at {describe(cli_config.connection)} ({str(error).rstrip(".")})')
        return
    took = time.monotonic() - began
    if took >= ANSWER_SECONDS:
        findings.reasons.append(f'the server took {took:.1f} s to answer')


def _look_at_worker(cli_config: CliConfig, connection: Any, name: str, now: float, findings: Findings) -> None:
    prefix = cli_config.worker_class.redis_worker_namespace_prefix
    fields = connection.hgetall(f'{prefix}{name}')
    words = read.texts([word for pair in fields.items() for word in pair])
    worker = seen.Seen(printable(name), dict(zip(words[::2], words[1::2], strict=True)))
    ill = _ill(worker, now)
    if ill:
        findings.reasons.append(f'worker {worker.name!r} {ill}')
    findings.about |= {'worker': name, 'state': worker.state}
    findings.sentence = f'worker {worker.name!r} is {worker.state}'


def _ill(worker: seen.Seen, now: float) -> str:
    """Why a worker does not count as one that lives; empty when it does."""
    if not worker.fields.get('birth'):
        return 'is not in the books'
    if 'death' in worker.fields:
        return 'has left'
    if 'instance' not in worker.fields:
        return ''  # RQ 3.0 beats rarely: while its record exists it is within its TTL
    age = None
    with suppress(ValueError):
        age = now - str_to_date(worker.fields.get('last_heartbeat', '')).timestamp()
    if age is None:
        return 'has no readable beat'
    return f'was last heard of {age:.0f} s ago' if age > BEAT_SECONDS else ''


class Facts(NamedTuple):
    """What is known of one queue: its length, overdue leases and due jobs with their times, its lock, what is aside."""

    name: str
    waiting: Any
    leases: Any
    due: Any
    lock: Any
    aside: Any


def _look_at_queues(
    cli_config: CliConfig, connection: Any, queues: Sequence[str], now: float, findings: Findings
) -> None:
    names = list(dict.fromkeys(queues)) or seen.known_queues(cli_config.queue_class, connection)
    facts = list(_facts(connection, names, now))
    served = [one for one in facts if queues or one.waiting]
    fleet = seen.fleet([one.name for one in served], cli_config.worker_class, connection)
    for number, one in enumerate(served):
        findings.reasons += _served(one, fleet.of(number), now)
    uptime = _uptime(connection) if any(one.leases for one in facts) else None
    for one in facts:
        findings.reasons += [f'queue {printable(one.name)!r}: {why}' for why in _late(connection, one, now, uptime)]
        if one.aside and not isinstance(one.aside, Exception):
            findings.warnings.append(f'queue {printable(one.name)!r}: {one.aside} set aside, see `rq info`')
    if is_suspended(connection):
        findings.warnings.append('workers are suspended, `rq resume` lets them go on')
    living = sum(not _ill(worker, now) for worker in fleet.workers.values())
    findings.about |= {'queues': len(names), 'workers': living}
    findings.sentence = f'{len(names)} queues, {living} workers, nothing is overdue'


def _facts(connection: Any, names: Sequence[str], now: float) -> Iterator[Facts]:
    for first in range(0, len(names), QUEUES_AT_ONCE):
        some = names[first : first + QUEUES_AT_ONCE]
        pipeline = connection.pipeline(transaction=False)
        for name in some:
            pipeline.llen(keys.queue(name))
            # not from 0: that is a farewell, which tells no time
            ends = (1, int((now - LEASE_SECONDS) * 1000))
            pipeline.zrangebyscore(keys.leases(name), *ends, start=0, num=MOST_LEASES, withscores=True)
            pipeline.zrangebyscore(keys.place('scheduled', name), 0, now - DUE_SECONDS, start=0, num=1, withscores=True)
            pipeline.get(keys.scheduler_lock(name))
            pipeline.hlen(keys.aside(name))
        replies = pipeline.execute(raise_on_error=False)
        for number, name in enumerate(some):
            yield Facts(name, *replies[number * 5 : number * 5 + 5])


def _served(facts: Facts, workers: Sequence[seen.Seen], now: float) -> list[str]:
    """Whether somebody will take its jobs."""
    name = printable(facts.name)
    if isinstance(facts.waiting, Exception):
        return [f'queue {name!r}: it cannot be read ({facts.waiting})']
    waiting = f'{facts.waiting} jobs wait' if facts.waiting else 'no job waits'
    ill = {worker.name: _ill(worker, now) for worker in workers}
    if not ill:
        return [f'queue {name!r}: no worker serves it, {waiting}']
    leaving = {worker.name for worker in workers if 'shutdown_requested_date' in worker.fields}
    if any(not why and worker not in leaving for worker, why in ill.items()):
        return []
    some = ', '.join(f'{worker!r} {why or "is leaving"}' for worker, why in list(ill.items())[:3])
    return [f'queue {name!r}: none of its {len(ill)} workers will take a job, {waiting} ({some})']


def _late(connection: Any, facts: Facts, now: float, uptime: float | None) -> Iterator[str]:
    """Leases that nobody has taken over, jobs that nobody has queued."""
    if isinstance(facts.leases, Exception) or isinstance(facts.due, Exception):
        yield f'its registries cannot be read ({facts.leases if isinstance(facts.leases, Exception) else facts.due})'
        return
    for member, end in facts.leases:
        late = now - end / 1000 if uptime is None else min(now - end / 1000, uptime - GRACE_SECONDS)
        # without its entry there it is a leaf that the next look sweeps up
        if late >= LEASE_SECONDS and connection.zscore(keys.wip(facts.name), member) is not None:
            job = read.texts([member])[0].rpartition(':')[0]
            yield f'the lease of job {printable(job)!r} ran out {late:.0f} s ago, and nobody has taken it over'
            break
    for job, due in facts.due:
        if now - due > FOREIGN_SECONDS or not _is_foreign(connection, facts):
            yield f'job {printable(read.texts([job])[0])!r} is {now - due:.0f} s overdue, and nobody has queued it'


def _is_foreign(connection: Any, facts: Facts) -> bool:
    """Whether an RQ 3.0 scheduler that lives serves the queue: then it is the one to queue what is due.

    A lock that is not renewed is a dead one's. One that never expires is nobody's, and keeps everybody out.
    """
    lock = facts.lock
    if (
        not lock
        or isinstance(lock, Exception)
        or connection.pttl(keys.scheduler_lock(facts.name)) < FOREIGN_LOCK * 1000
    ):
        return False
    return not connection.exists(keys.scheduler_mark(read.texts([lock])[0]))


def _uptime(connection: Any) -> float | None:
    """Of the server; None where it does not say."""
    try:
        return float(connection.info('server')['uptime_in_seconds'])
    except (RedisError, KeyError, TypeError):
        return None
