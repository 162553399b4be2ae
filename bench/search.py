"""Failed jobs by the million: how long a page of them takes, and the requeue of very many while two workers run.

`python bench/search.py [--jobs 1000000] [--requeue 100000]`. The jobs are copies of 120 that really failed, written by
pipelines as the settling scripts leave them; a sample is compared with the originals, key by key and field by field.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import pickle
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import zlib
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import search_jobs
from redis import Redis

from rq import Queue, SimpleWorker
from rq.bulk import Bulk
from rq.defaults import DEFAULT_FAILURE_TTL
from rq.devserver.binary import find_binary
from rq.inspector import Inspector, Match
from rq.rules.timing import from_epoch, utcformat
from rq.store import codec, keys, settle

HERE = Path(__file__).parent
RESULTS = HERE / 'results' / 'search-2026-11-22.json'
QUEUES = ('mail', 'orders', 'reports')
FUNCTIONS = [getattr(search_jobs, f'job_{number:02}') for number in range(20)]
BATCH = 1000
SPREAD = 6 * 86400  # seconds over which the failures lie
ROUNDS = 21


class Server:
    """A private Valkey without persistence, on a socket in a directory of its own."""

    def __init__(self, directory: str) -> None:
        self.socket = f'{directory}/s'
        options = ['--port', '0', '--unixsocket', self.socket, '--save', '', '--dir', directory]
        self.process = subprocess.Popen([str(find_binary()), *options], stdout=subprocess.DEVNULL)
        until = time.monotonic() + 10
        while not Path(self.socket).exists():
            assert time.monotonic() < until, 'the server did not start'
            time.sleep(0.02)
        self.redis = Redis(unix_socket_path=self.socket)


class Original:
    """A job that really failed, and what is needed to write another one like it."""

    def __init__(self, redis: Redis, job_id: str, function: str, cause: int) -> None:
        self.id, self.function, self.cause = job_id, function, cause
        self.fields: dict[bytes, bytes] = redis.hgetall(keys.job(job_id))  # type: ignore[assignment]
        self.queue = self.fields[b'origin'].decode()
        self.bucket = self.fields[b'failed_in'].decode()
        number, _, packed = self.fields[b'attempt:1'].partition(b' ')
        self.attempt: dict[str, Any] = json.loads(zlib.decompress(packed))
        ((_, self.result),) = redis.xrange(keys.results(job_id))
        self.text = zlib.decompress(base64.b64decode(self.result[b'exc_string'])).decode()

    def write(self, pipeline: Any, number: int, moment: float) -> None:
        """A copy that failed at this moment."""
        job_id, execution = str(UUID(int=number * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128)), f'{number:032x}'
        message = f'order {number} of customer {number * 7919 % 100003} was not accepted'
        times = {'started': moment - 0.01, 'ended': moment}
        chain = [{**self.attempt['chain'][0], 'message': message}, *self.attempt['chain'][1:]]
        attempt = {**self.attempt, **times, 'message': message, 'execution': execution, 'chain': chain}
        text = {name: utcformat(from_epoch(moment - early)).encode() for name, early in EARLY.items()}
        call = (f'search_jobs.{self.function}', None, (number, self.cause), {})
        fields: dict[Any, Any] = {
            **self.fields,
            **{name: value for name, value in text.items() if name in self.fields},
            b'description': f'search_jobs.{self.function}({number}, {self.cause})',
            b'data': codec.compress(pickle.dumps(call)),
            b'attempt:1': b'1 ' + zlib.compress(json.dumps(attempt).encode(), 1),
            b'execution': execution,
            b'nonce': f'{number:032x}',
        }
        result = {
            **self.result,
            b'execution_id': execution,
            b'execution_started_at': f'{times["started"]:.6f}',
            b'execution_ended_at': f'{moment:.6f}',
            b'exc_string': settle.encode_text(self.text.replace(self.attempt['message'], message)),
        }
        fields = {name: value for name, value in fields.items() if name in self.fields}
        pipeline.hset(keys.job(job_id), mapping=fields)
        pipeline.expire(keys.job(job_id), DEFAULT_FAILURE_TTL)
        pipeline.xadd(keys.results(job_id), result)
        pipeline.copy(keys.results(job_id), keys.results(job_id) + ':copy', replace=True)
        pipeline.rename(keys.results(job_id) + ':copy', keys.results(job_id))
        pipeline.expire(keys.results(job_id), DEFAULT_FAILURE_TTL)
        pipeline.zadd(keys.place('failed', self.queue), {job_id: int(moment) + DEFAULT_FAILURE_TTL})
        pipeline.zadd(keys.failed_in(self.bucket), {job_id: int(moment * 1000)})


#: fields with a time, and how long before the failure it is
EARLY = {b'created_at': 5, b'enqueued_at': 5, b'started_at': 0.01, b'ended_at': 0, b'last_heartbeat': 0}


def originals(redis: Redis) -> list[Original]:
    """One job of each queue, function and cause, run and failed."""
    made = [
        (Queue(queue, connection=redis).enqueue(function, 1_000_000_007, cause), function.__name__, cause)
        for queue in QUEUES
        for function in FUNCTIONS
        for cause in (0, 1)
    ]
    SimpleWorker([Queue(queue, connection=redis) for queue in QUEUES], connection=redis).work(burst=True)
    return [Original(redis, job.id, name, cause) for job, name, cause in made]


def fill(redis: Redis, kinds: list[Original], jobs: int) -> float:
    """Write so many failed jobs, and count them in their groups; seconds it took."""
    began, end = time.monotonic(), time.time()
    for start in range(0, jobs, BATCH):
        pipeline = redis.pipeline(transaction=False)
        for number in range(start, min(start + BATCH, jobs)):
            kinds[number % len(kinds)].write(pipeline, number + 1, end - SPREAD + SPREAD * number / jobs)
        pipeline.execute()
    per_group: Counter[str] = Counter()
    for number, kind in enumerate(kinds):
        more = len(range(number, jobs, len(kinds)))
        group = kind.bucket.partition(':')[0]
        per_group[group] += more
        field = f'in:{kind.queue}\nsearch_jobs.{kind.function}'
        place, _, times = (redis.hget(keys.failure(group), field) or b'').partition(b' ')  # type: ignore[union-attr]
        redis.hset(keys.failure(group), field, f'{place.decode()} {int(times) + more}')
    for group, more in per_group.items():
        redis.hincrby(keys.failure(group), 'count', more)
    return time.monotonic() - began


def compare(redis: Redis, kind: Original) -> None:
    """A copy must look as its original does."""
    copy_id = next(
        one.decode()
        for one in redis.zrange(keys.failed_in(kind.bucket), 0, -1)
        if one.decode() != kind.id  # type: ignore[union-attr]
    )
    for name in (keys.job, keys.results):
        assert abs(redis.ttl(name(kind.id)) - redis.ttl(name(copy_id))) < 3600, name  # type: ignore[operator]
    both = [redis.hgetall(keys.job(one)) for one in (kind.id, copy_id)]
    assert both[0].keys() == both[1].keys(), set(both[0]) ^ set(both[1])  # type: ignore[union-attr]
    for field in both[0]:  # type: ignore[union-attr]
        sizes = [len(one[field]) for one in both]  # type: ignore[index]
        assert abs(sizes[0] - sizes[1]) <= 40, (field, sizes)
    attempts = [codec.attempts([one[b'attempt:1']])[0] for one in both]  # type: ignore[index]
    assert attempts[0].keys() == attempts[1].keys()
    streams = [redis.xrange(keys.results(one)) for one in (kind.id, copy_id)]
    assert streams[0][0][1].keys() == streams[1][0][1].keys()
    used = [redis.memory_usage(keys.job(one)) for one in (kind.id, copy_id)]
    assert abs(used[0] - used[1]) < 200, used  # type: ignore[operator]


def page_times(inspector: Inspector, match: Match, cursor: str = '') -> dict[str, Any]:
    """The median, and the worst, of some tries, in ms."""
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        page = inspector.failed_jobs(match, cursor, 50)
        times.append((time.perf_counter() - began) * 1000)
    more = {'jobs': len(page.items), 'is_complete': page.is_complete}
    return {'median_ms': round(statistics.median(times), 1), 'worst_ms': round(max(times), 1), **more}


def matches(redis: Redis) -> dict[str, Match]:
    """Every filter, alone and together."""
    group = Inspector(redis).groups()[0].id
    now = datetime.now(UTC)
    middle = now - timedelta(seconds=SPREAD / 2)
    return {
        'none': Match(),
        'queue': Match(queue='orders'),
        'group': Match(group=group),
        'function': Match(function='job_07'),
        'type': Match(type_name='ValueError'),
        'kind': Match(kind='raised'),
        'since': Match(since=now - timedelta(hours=1)),
        'until': Match(until=middle),
        'type, queue and time': Match(
            type_name='LookupError', queue='mail', since=middle - timedelta(hours=5), until=middle
        ),
        'text in all messages': Match(text='was not accepted'),
        'text in one of a thousand': Match(text='customer 777'),
        'text in none': Match(text='no such words anywhere'),
        'text and function': Match(text='order 99', function='job_19'),
    }


def deep(inspector: Inspector, match: Match, depth: int) -> dict[str, Any]:
    """A page behind so many jobs, reached by cursors."""
    cursor, passed = '', 0
    while passed < depth:
        page = inspector.failed_jobs(match, cursor, 1000)
        passed, cursor = passed + len(page.items), page.cursor
        if not cursor:
            break
    return {'behind': passed, **page_times(inspector, match, cursor)}


def requeue(server: Server, directory: str, number: int) -> dict[str, Any]:
    """All that failed since some moment, with two workers at work; every execution is counted outside of Redis."""
    redis, witness = server.redis, f'{directory}/witness'
    Path(witness).touch()
    newest = []
    for queue in QUEUES:
        newest += [
            (score - DEFAULT_FAILURE_TTL, one.decode())
            for one, score in redis.zrevrange(keys.place('failed', queue), 0, number, withscores=True)
        ]
    newest.sort(reverse=True)
    since = newest[number - 1][0] if len(newest) >= number else 0
    match = Match(since=from_epoch(since))
    expected = set()
    for name in redis.scan_iter(keys.failed_in('*'), count=1000):
        expected |= {one.decode() for one in redis.zrangebyscore(name, since * 1000, '+inf')}
    environment = {**os.environ, 'RQ_BENCH_WITNESS': witness, 'PYTHONPATH': str(HERE)}
    command = [sys.executable, '-m', 'rq.cli', 'worker', '--worker-class', 'rq.SimpleWorker', '-q']
    command += ['--url', f'unix://{server.socket}', *QUEUES]
    workers = [
        subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(2)
    ]
    try:
        time.sleep(2)
        began = time.monotonic()
        result = Bulk(redis).requeue(match)
        took = time.monotonic() - began
        while any(redis.llen(keys.queue(queue)) for queue in QUEUES) and time.monotonic() - began < 600:
            time.sleep(0.2)
        time.sleep(2)
        drained = time.monotonic() - began
    finally:
        for worker in workers:
            worker.send_signal(signal.SIGTERM)
        for worker in workers:
            worker.wait(20)
    ran = Counter(Path(witness).read_text().split())
    return {
        'matched': result.matched, 'changed': result.changed, 'passed_over': result.passed_over,
        'seconds': round(took, 1), 'seconds_until_all_had_run': round(drained, 1),
        'expected': len(expected), 'lost': len(expected - set(ran)),
        'not_meant': len(set(ran) - expected), 'twice': sum(times > 1 for times in ran.values()),
    }  # fmt: skip


def main() -> None:
    """Fill, measure, requeue."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--jobs', type=int, default=1_000_000)
    parser.add_argument('--requeue', type=int, default=100_000)
    parser.add_argument('--results', type=Path, default=RESULTS)
    words = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix='rq-bench-') as directory:
        server = Server(directory)
        try:
            kinds = originals(server.redis)
            found: dict[str, Any] = {'jobs': words.jobs, 'server': server.redis.info('server')['redis_version']}
            found['groups'] = len({kind.bucket.partition(':')[0] for kind in kinds})
            found['seconds_to_fill'] = round(fill(server.redis, kinds, words.jobs))
            for kind in kinds[:: len(kinds) // 10]:
                compare(server.redis, kind)
            found['memory_mib'] = round(server.redis.info('memory')['used_memory'] / 2**20)
            print(json.dumps(found), flush=True)
            inspector = Inspector(server.redis)
            found['pages'] = {}
            for name, match in matches(server.redis).items():
                found['pages'][name] = page_times(inspector, match)
                print(f'{name:28} {found["pages"][name]}', flush=True)
            for name in ('none', 'type', 'until'):
                deep_one = deep(inspector, matches(server.redis)[name], words.jobs // 4)
                found['pages'][f'{name}, deep'] = deep_one
                print(f'{name + ", deep":28} {deep_one}', flush=True)
            began = time.perf_counter()
            inspector.groups()
            found['groups_ms'] = round((time.perf_counter() - began) * 1000, 1)
            found['requeue'] = requeue(server, directory, words.requeue)
            print(found['groups_ms'], found['requeue'], flush=True)
            words.results.write_text(json.dumps(found, indent=2) + '\n')
        finally:
            server.process.kill()
            server.process.wait()


if __name__ == '__main__':
    main()
