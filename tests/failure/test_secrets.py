"""The bar: what is planted in a job's call, locals, message, output and log lines stands nowhere but in its payload."""

import base64
import logging
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from rq import Callback, Queue, Retry, SimpleWorker, SpawnWorker, Webhook, Worker
from rq.job import Job
from rq.rules.scrub import HIDDEN
from tests.failure import jobs_with_secrets as jobs
from tests.launch import burst


@pytest.fixture
def worker_log(tmp_path: Path) -> Iterator[Path]:
    """All that the loggers of RQ say, with the extras of each record, in horses, too."""
    path = tmp_path / 'worker.log'
    handler = logging.FileHandler(path)
    handler.setFormatter(_Everything())
    loggers = [logging.getLogger(name) for name in ('rq.worker', 'rq.job', 'rq.queue', 'rq.registry', 'rq.webhook')]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG)
    yield path
    for logger in loggers:
        logger.removeHandler(handler)
    handler.close()


class _Everything(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        known = {name: value for name, value in vars(record).items() if name not in ('args', 'exc_info')}
        return f'{super().format(record)} {known!r}'


def stored(redis: Redis) -> list[tuple[str, bytes]]:
    """Every key and value of the server, but for payloads of jobs."""
    found: list[tuple[str, bytes]] = []
    for key in redis.keys('*'):
        name, kind = key.decode(), redis.type(key)
        found.append((name, key))
        parts: list[Any] = []
        if kind == b'hash':
            parts = [one for field, value in redis.hgetall(key).items() if field != b'data' for one in (field, value)]
        elif kind == b'zset':
            parts = list(redis.zrange(key, 0, -1))
        elif kind == b'set':
            parts = list(redis.smembers(key))
        elif kind == b'list':
            parts = list(redis.lrange(key, 0, -1))
        elif kind == b'stream':
            parts = [one for _, entry in redis.xrange(key) for one in entry.values()]
        elif kind == b'string':
            parts = [redis.get(key)]
        found += [(name, part) for part in parts]
    return found


def readings(raw: bytes) -> Iterator[bytes]:
    """As it is, from base64, unpacked, and one within the other."""
    yield raw
    for data in (raw, raw.partition(b' ')[2]):
        for packed in (data, _of_base64(data)):
            try:
                yield zlib.decompress(packed)
            except zlib.error:
                yield packed


def _of_base64(data: bytes) -> bytes:
    try:
        return base64.b64decode(data, validate=True)
    except ValueError:
        return b''


def leaks(redis: Redis, secrets: tuple[str, ...] = jobs.SECRETS) -> list[str]:
    """Which secret stands where."""
    forms = [(one, form) for one in secrets for form in (one.encode(), base64.b64encode(one.encode()).rstrip(b'='))]
    return [
        f'{secret} in {name}: {reading[:200]!r}'
        for name, raw in stored(redis)
        for reading in readings(raw)
        for secret, form in forms
        if form in reading
    ]


def plant(queue: Queue, **words: Any) -> Job:
    """A job full of secrets."""
    return queue.enqueue(
        jobs.pay, jobs.PASSWORD, jobs.CARD, jobs.URL, token=jobs.TOKEN,
        config={'password': jobs.PASSWORD, 'deep': {'url': jobs.URL}}, **words,
    )  # fmt: skip


@pytest.mark.parametrize('cls', [Worker, SimpleWorker, SpawnWorker])
@pytest.mark.parametrize('retry', [None, Retry(max=2)])
def test_nothing_planted_is_stored(redis: Redis, queue: Queue, worker_log: Path, cls: Any, retry: Any) -> None:
    words = {'retry': retry, 'keep_on_failure': 'locals,output', 'on_failure': Callback(jobs.callback)}
    job = plant(queue, **words, webhooks=[Webhook('http://127.0.0.1:9/told', 'failed', method='POST', timeout=1)])
    burst(redis, queue, cls=cls, exception_handlers=[jobs.told])
    assert leaks(redis) == []
    log = worker_log.read_text()
    assert [secret for secret in jobs.SECRETS if secret in log] == []

    attempts = job.attempts
    assert len(attempts) == (3 if retry else 1)
    for attempt in attempts:
        assert attempt.message.startswith(
            'card [hidden] of postgresql://bob:[hidden]@db.example/shop refused: [hidden]'
        )
        assert attempt.exc_string.count('Traceback (most recent call last)') == 4, 'it, its cause, callback and handler'
        names = attempt.frames[0].locals
        assert names is not None and names['password'] == names['api_key'] == HIDDEN and names['then'] == "'raises'"
        assert 'paying with [hidden] [hidden] [hidden] postgresql://bob:[hidden]@db.example/shop' in attempt.output
        assert 'WARNING shop: cannot pay: [hidden] [hidden]' in attempt.output
    text = job.latest_result().exc_string
    assert text is not None and 'ValueError: card [hidden]' in text and 'LookupError: no account of [hidden]' in text


@pytest.mark.parametrize('cls', [Worker, SpawnWorker])
def test_nor_of_a_killed_one(redis: Redis, queue: Queue, worker_log: Path, cls: Any) -> None:
    job = plant(queue, then='dies', keep_on_failure='output')
    burst(redis, queue, cls=cls, exception_handlers=[jobs.told])
    assert leaks(redis) == []
    log = worker_log.read_text()
    assert [secret for secret in jobs.SECRETS if secret in log] == []
    [attempt] = job.attempts
    assert attempt.kind == 'killed' and 'paying with [hidden] [hidden] [hidden] postgresql://bob:' in attempt.output


def test_nor_in_where_an_overdue_one_was(redis: Redis, queue: Queue, worker_log: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr('rq.rules.watch.KILL_GRACE', 0.5, raising=False)
    job = plant(queue, then='hangs', keep_on_failure='output', job_timeout=1)
    burst(redis, queue)
    assert leaks(redis) == []
    [attempt] = job.attempts
    assert attempt.kind == 'timed_out' and 'paying with [hidden]' in attempt.output


def test_a_synchronous_one(redis: Redis) -> None:
    job = plant(Queue(connection=redis, is_async=False))
    assert job.is_failed and leaks(redis) == []


def test_descriptions(redis: Redis, queue: Queue) -> None:
    name = 'tests.failure.jobs_with_secrets.pay'
    job = queue.enqueue(name, jobs.PASSWORD, 1, URL := 'http://a:b@c', token=jobs.TOKEN)
    assert job.description == f'{name}({HIDDEN}, 1, {URL.replace(":b@", f":{HIDDEN}@")!r}, token={HIDDEN})'
    assert queue.enqueue('not.imported.here', 'hunter2', password='x').description == (
        f"not.imported.here('hunter2', password={HIDDEN})"
    )
    assert queue.enqueue(jobs.succeeds, description='password=mine').description == 'password=mine'
    long = queue.enqueue(jobs.talks, 'x' * 60 + 'redis://bob:' + 'y' * 100 + '@host').description
    assert long is not None and 'yyy' not in long


@pytest.mark.parametrize('cls', [Worker, SimpleWorker])
def test_given_descriptions_in_logs(redis: Redis, queue: Queue, worker_log: Path, cls: Any) -> None:
    job = queue.enqueue(jobs.succeeds, description=f'login with password={jobs.PASSWORD} of the shop')
    burst(redis, queue, cls=cls)
    assert job.is_finished and job.description == f'login with password={jobs.PASSWORD} of the shop'
    log = worker_log.read_text()
    assert f'password={HIDDEN} of the shop' in log and jobs.PASSWORD not in log


def test_extras_of_the_record(redis: Redis, queue: Queue, caplog: Any) -> None:
    caplog.set_level(logging.ERROR)
    logging.getLogger('rq.worker').addHandler(caplog.handler)
    plant(queue)
    seen: list[Any] = []
    burst(redis, queue, cls=SimpleWorker, exception_handlers=[lambda job, *exc_info: seen.append((job.args, exc_info))])
    record: Any = next(one for one in caplog.records if hasattr(one, 'arguments'))
    assert record.arguments == (HIDDEN, HIDDEN, 'postgresql://bob:[hidden]@db.example/shop')
    assert record.kwargs == {
        'token': HIDDEN,
        'config': {'password': HIDDEN, 'deep': {'url': 'postgresql://bob:[hidden]@db.example/shop'}},
    }
    [(args, exc_info)] = seen
    assert args[0] == jobs.PASSWORD and jobs.PASSWORD in str(exc_info[1]), 'handlers get things as they are'
