"""What a large fleet, large lists and many due jobs cost the server.

`python bench/scale.py [fleet] [rows] [due] [--workers 200] [--rows 1000000] [--due 100000]`. Everything is counted at
the server: its CPU seconds, its calls, and by its slow log how long it was held by each of them. No rates: the machine
may be busy with other things.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import scale_jobs as jobs
from click.testing import CliRunner
from search import Server

from rq import Queue, SimpleWorker
from rq.cli import main as cli
from rq.defaults import DEFAULT_FAILURE_TTL
from rq.inspector import Inspector, Match
from rq.job import Job
from rq.store import aside, keys
from rq.store.call import run

HERE = Path(__file__).parent
RESULTS = HERE / 'results' / 'scale-2026-11-22.json'
QUEUES = ('mail', 'orders', 'reports')
SAMPLE, SETTLING, PER_SECOND = 10.0, 8.0, 100
ROUNDS = 5
FILL_STEP = 5000
UNCOUNTED = (b'SLOWLOG', b'INFO')
#: copies of a hash, written by the server itself; the ids are of the length of uuids
FILL = """
local fields = redis.call('HGETALL', KEYS[1])
local stream = redis.call('XRANGE', KEYS[2], '-', '+')[1]
for number = tonumber(ARGV[1]), tonumber(ARGV[2]) - 1 do
  local id = string.format('%08x-0000-4000-8000-%s', number, ARGV[3])
  redis.call('HSET', 'rq:job:' .. id, unpack(fields))
  if stream then
    local at = tonumber(ARGV[4]) - number % 500000
    redis.call('XADD', 'rq:results:' .. id, '*', unpack(stream[2]))
    redis.call('EXPIRE', 'rq:results:' .. id, ARGV[5])
    redis.call('EXPIRE', 'rq:job:' .. id, ARGV[5])
    redis.call('ZADD', KEYS[3], at + ARGV[5], id)
    redis.call('ZADD', KEYS[4], at * 1000, id)
  elseif KEYS[4] then
    redis.call('ZADD', KEYS[4], ARGV[4], id)
  else
    redis.call('RPUSH', KEYS[3], id)
  end
end
"""


class Books:
    """What the server has done between two looks."""

    def __init__(self, redis: Any) -> None:
        cpu, calls = redis.info('cpu'), redis.info('commandstats')
        self.at = time.monotonic()
        self.cpu: float = cpu['used_cpu_user'] + cpu['used_cpu_sys']
        self.scripts = sum(calls.get(f'cmdstat_{name}', {'calls': 0})['calls'] for name in ('eval', 'evalsha'))
        self.waits: int = calls.get('cmdstat_blpop', {'calls': 0})['calls']

    def since(self, before: Books) -> dict[str, float]:
        """CPU milliseconds, scripts and waits a second."""
        seconds = self.at - before.at
        return {
            'cpu_ms': round((self.cpu - before.cpu) / seconds * 1000, 1),
            'scripts': round((self.scripts - before.scripts) / seconds, 1),
            'waits': round((self.waits - before.waits) / seconds, 1),
        }


# --- a fleet ------------------------------------------------------------------------------------------------------


def start(server: Server, workers: int, *queues: str) -> subprocess.Popen[bytes]:
    """So many workers, each a process; returns once all of them are in the books and have come to rest."""
    command = [sys.executable, '-m', 'rq.cli', 'worker-pool', '-n', str(workers), '--worker-class', 'rq.SimpleWorker']
    command += ['-q', '--url', f'unix://{server.socket}', *queues]
    environment = {**os.environ, 'PYTHONPATH': os.pathsep.join([str(HERE), os.environ.get('PYTHONPATH', '')])}
    pool = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 30 + workers
    while server.redis.scard(keys.WORKERS) < workers:  # type: ignore[operator]
        assert pool.poll() is None and time.monotonic() < until, 'the workers did not come'
        time.sleep(0.1)
    time.sleep(SETTLING)
    return pool


def stop(pool: subprocess.Popen[bytes]) -> None:
    """Ask the pool to end its workers."""
    pool.send_signal(signal.SIGTERM)
    try:
        pool.wait(120)
    except subprocess.TimeoutExpired:
        pool.kill()


def fleet(workers: int) -> dict[str, Any]:
    """What these workers cost the server when there is nothing to do, and per job at a hundred jobs a second."""
    with tempfile.TemporaryDirectory(prefix='rq-bench-') as directory:
        server = Server(directory)
        try:
            pool = start(server, workers, *QUEUES)
            try:
                before = Books(server.redis)
                time.sleep(SAMPLE)
                idle = Books(server.redis).since(before)
                before = Books(server.redis)
                number = trickle(server.redis)
                busy = Books(server.redis).since(before)
            finally:
                stop(pool)
        finally:
            server.process.kill()
            server.process.wait()
    per_job = (busy['cpu_ms'] - idle['cpu_ms']) * SAMPLE / number
    return {'workers': workers, 'idle_a_second': idle, 'busy_a_second': busy, 'cpu_us_per_job': round(per_job * 1000)}


def trickle(redis: Any) -> int:
    """Enqueue a hundred jobs a second, in turn on each queue."""
    queues = [Queue(name, connection=redis) for name in QUEUES]
    began, number = time.monotonic(), 0
    while time.monotonic() - began < SAMPLE:
        queues[number % len(queues)].enqueue(jobs.nothing, number)
        number += 1
        time.sleep(max(began + number / PER_SECOND - time.monotonic(), 0))
    return number


# --- long lists ---------------------------------------------------------------------------------------------------


class Rows:
    """A queue with very many queued and as many failed jobs, and what one does with it."""

    def __init__(self, server: Server) -> None:
        self.server, self.redis = server, server.redis
        self.queue = Queue('mail', connection=server.redis)
        self.inspector = Inspector(server.redis)
        self.fill_script = server.redis.register_script(FILL)
        self.queue.enqueue(jobs.broken, 1)
        self.work(1)
        (failed,) = self.queue.failed_job_registry.get_job_ids()
        queued = self.queue.enqueue(jobs.nothing, 1).id
        for number, key in enumerate((keys.job(queued), keys.results(queued), keys.job(failed), keys.results(failed))):
            self.redis.copy(key, f'template:{number}')  # these run, and go
        self.bucket: str = self.redis.hget(keys.job(failed), 'failed_in').decode()  # type: ignore[union-attr]
        self.rows, self.turn = 0, 0

    def work(self, most: int) -> None:
        """A worker that does so many jobs."""
        SimpleWorker([self.queue], connection=self.redis).work(burst=True, max_jobs=most, logging_level='ERROR')

    def fill(self, rows: int) -> None:
        """Up to so many queued and so many failed jobs."""
        queued = ['template:0', 'template:1', self.queue.key]
        failed = ['template:2', 'template:3', keys.place('failed', 'mail'), keys.failed_in(self.bucket)]
        for first in range(self.rows, rows, FILL_STEP):
            last = min(first + FILL_STEP, rows)
            self.fill_script(keys=queued, args=[first, last, 'queued000000'])
            ends = int(time.time()) - 60, DEFAULT_FAILURE_TTL
            self.fill_script(keys=failed, args=[first, last, 'failed000000', *ends])
        self.rows = rows

    def measured(self, action: Callable[[], Any], per: int = 1) -> dict[str, float]:
        """CPU of the server in µs, how long its longest script or command held it, and its commands."""
        used, longest, calls = [], [], []
        for _ in range(ROUNDS):
            self.turn += 1
            before = self.cpu()
            asking = self.cpu() - before
            self.redis.slowlog_reset()
            before = self.cpu()
            action()
            used.append(self.cpu() - before - asking)
            entries = [one for one in self.redis.slowlog_get(10_000) if not one['command'].startswith(UNCOUNTED)]
            longest.append(max(one['duration'] for one in entries))
            calls.append(len(entries))
        return {
            'cpu_us': round(statistics.median(used) / per * 1e6),
            'longest_us': min(longest),  # of the calmest round: it is no CPU time
            'commands': round(statistics.median(calls) / per),
        }

    def cpu(self) -> float:
        """Seconds of CPU that the server has used."""
        used = self.redis.info('cpu')
        return float(used['used_cpu_user'] + used['used_cpu_sys'])

    def actions(self) -> dict[str, tuple[Callable[[], Any], int]]:
        """What is measured, and how many of it one call does."""
        middle, queue, failed = self.rows // 2, self.queue, self.queue.failed_job_registry
        info = ['--url', f'unix://{self.server.socket}']

        def command(*words: str) -> Callable[[], Any]:
            return lambda: CliRunner().invoke(cli, [words[0], *info, *words[1:]])

        def a_queued_one() -> Job:  # another one each time
            (job_id,) = queue.get_job_ids(middle + self.turn, 1)
            return Job.fetch(job_id, self.redis)

        return {
            'enqueue': (lambda: queue.enqueue(jobs.nothing, 1), 1),
            'enqueue what is queued far back': (lambda: queue.enqueue_job(a_queued_one()), 1),
            'claim and settle, 50 jobs by one worker, each': (lambda: self.work(50), 50),
            'the same, failing, with the enqueue': (self._fail, 50),
            'ids of a page, first': (lambda: queue.get_job_ids(0, 50), 1),
            'ids of a page, middle': (lambda: queue.get_job_ids(middle, 50), 1),
            'jobs of a page, middle': (lambda: queue.get_jobs(middle, 50), 1),
            'failed registry, page, middle': (lambda: failed.get_job_ids(middle, middle + 49), 1),
            'failed registry, count': (lambda: failed.count, 1),
            'rq info': (command('info'), 1),
            'rq info --check': (command('info', '--check'), 1),
            'rq failures': (command('failures'), 1),
            'inspector, page of failed jobs': (lambda: self.inspector.failed_jobs(limit=50), 1),
            'inspector, page by function': (lambda: self.inspector.failed_jobs(Match(function='broken'), limit=50), 1),
            'requeue one that failed': (lambda: failed.requeue(failed.get_job_ids(middle, middle)[0]), 1),
            'a sweep of the queue': (lambda: run(self.redis, aside.sweep('mail', pause=0)), 1),
            'cancel in the middle of the queue': (lambda: a_queued_one().cancel(), 1),
            'position in the queue, middle': (lambda: a_queued_one().get_position(), 1),
        }

    def _fail(self) -> None:
        for number in range(50):
            self.queue.enqueue(jobs.broken, number, at_front=True)
        self.work(50)


def rows(most: int) -> list[dict[str, Any]]:
    """The same actions at no, at a tenth and at all of so many queued and failed jobs."""
    found = []
    with tempfile.TemporaryDirectory(prefix='rq-bench-') as directory:
        server = Server(directory)
        try:
            many = Rows(server)
            server.redis.config_set('slowlog-log-slower-than', 0)
            server.redis.config_set('slowlog-max-len', 10_000)
            for number in (1000, most // 10, most):
                many.fill(number)
                row: dict[str, Any] = {'queued': many.queue.count, 'failed': many.queue.failed_job_registry.count}
                row['memory_mib'] = round(server.redis.info('memory')['used_memory'] / 2**20)
                row['server'] = {name: many.measured(*one) for name, one in many.actions().items()}
                found.append(row)
                print(json.dumps(row), flush=True)
        finally:
            server.process.kill()
            server.process.wait()
    return found


# --- due jobs -----------------------------------------------------------------------------------------------------


def due(number: int, workers: int) -> dict[str, Any]:
    """So many jobs are due at once: seconds until all are queued, the longest script, the longest pause of beats."""
    with tempfile.TemporaryDirectory(prefix='rq-bench-') as directory:
        server = Server(directory)
        try:
            redis = server.redis
            queue = Queue('mail', connection=redis)
            job = queue.enqueue_at(datetime.now(UTC) + timedelta(hours=1), jobs.nothing, 1)
            script, place = redis.register_script(FILL), keys.place('scheduled', 'mail')
            pool = start(server, workers, 'mail')
            try:
                redis.set(keys.SUSPENDED, 1)  # nothing but the promotion is measured
                for first in range(0, number, FILL_STEP):
                    words = [first, min(first + FILL_STEP, number), 'due000000000', int(time.time()) + 3600]
                    script(keys=[keys.job(job.id), 'rq:none', queue.key, place], args=words)
                redis.config_set('slowlog-log-slower-than', 1000)
                redis.config_set('slowlog-max-len', 100_000)
                redis.slowlog_reset()
                redis.zunionstore('rq:shifted', {place: 0})
                redis.rename('rq:shifted', place)
                return {'due': number, 'workers': workers, **watch(redis, queue)}
            finally:
                stop(pool)
        finally:
            server.process.kill()
            server.process.wait()


def watch(redis: Any, queue: Queue) -> dict[str, Any]:
    """Look at the beats until all that is due is queued."""
    began, before = time.monotonic(), Books(redis)
    beats: dict[bytes, set[bytes]] = {key: set() for key in redis.smembers(keys.WORKERS)}
    while queue.scheduled_job_registry.count and time.monotonic() - began < 600:
        for key, seen in beats.items():
            seen.add(redis.hget(key, 'last_heartbeat'))
        time.sleep(0.1)
    seconds = time.monotonic() - began
    longest = [one['duration'] for one in redis.slowlog_get(100_000) if not one['command'].startswith(b'ZUNION')]
    gaps = []
    for seen in beats.values():
        moments = sorted(datetime.fromisoformat(one.decode().replace('Z', '+00:00')) for one in seen)
        gaps += [(b - a).total_seconds() for a, b in zip(moments, moments[1:], strict=False)]
    return {
        'seconds': round(seconds, 1),
        'server_cpu_seconds': round(Books(redis).cpu - before.cpu, 2),
        'longest_script_ms': round(max(longest, default=0) / 1000, 1),
        'median_script_ms': round(statistics.median(longest) / 1000, 1) if longest else None,
        'longest_pause_of_beats_s': round(max(gaps, default=0), 2),
    }


def main() -> None:
    """Measure what is asked for, or all of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('parts', nargs='*', default=['fleet', 'rows', 'due'], metavar='fleet|rows|due')
    parser.add_argument('--workers', type=int, default=200)
    parser.add_argument('--rows', type=int, default=1_000_000)
    parser.add_argument('--due', type=int, default=100_000)
    parser.add_argument('--results', type=Path, default=RESULTS)
    words = parser.parse_args()
    found: dict[str, Any] = {}
    with suppress(FileNotFoundError):
        found = json.loads(words.results.read_text())
    if 'fleet' in words.parts:
        found['fleet'] = [fleet(number) for number in (1, words.workers)]
        print(json.dumps(found['fleet'], indent=2), flush=True)
    if 'due' in words.parts:
        found['due'] = [due(words.due, number) for number in (1, 20)]
        print(json.dumps(found['due'], indent=2), flush=True)
    if 'rows' in words.parts:
        found['rows'] = rows(words.rows)
    words.results.write_text(json.dumps(found, indent=2) + '\n')


if __name__ == '__main__':
    main()
