"""Failed jobs for the inspector and for bulk actions: really failed ones, and such as RQ 3.0 or a disaster leaves."""

import base64
import zlib
from datetime import UTC, datetime
from typing import Any

from redis import Redis

from rq import Queue, SimpleWorker
from rq.inspector import FailedJob, Inspector, Match, Page
from rq.rules.timing import from_epoch, utcformat
from rq.store import keys, read
from tests import jobs
from tests.launch import burst

YEAR = 31536000


def fail(redis: Redis, *calls: tuple[Any, ...], queue: str = 'default', **words: Any) -> list[str]:
    """Jobs of these calls, run and failed, in this order; their ids."""
    made = Queue(queue, connection=redis)
    ids = [made.enqueue(func, *args, **words).id for func, *args in calls]
    burst(redis, made, cls=SimpleWorker)
    return ids


def failures(redis: Redis, number: int, queue: str = 'default', **words: Any) -> list[str]:
    """So many jobs that failed of one cause."""
    return fail(redis, *((jobs.fail, f'number {each} broke') for each in range(number)), queue=queue, **words)


def left_by_rq3(redis: Redis, job_id: str, queue: str = 'default', at: float | None = None, **fields: Any) -> str:
    """A failed job as a worker of RQ 3.0 records it: in no bucket, its text in the stream of results."""
    moment = read.server_time(redis) if at is None else at
    text = fields.pop('text', 'Traceback (most recent call last):\n  ...\nshop.errors.Refused: not today\n')
    ttl = fields.pop('ttl', YEAR)
    record = {
        'status': 'failed', 'origin': queue, 'created_at': utcformat(from_epoch(moment)),
        'ended_at': utcformat(from_epoch(moment)), 'started_at': utcformat(from_epoch(moment - 1)),
        'data': zlib.compress(b'payload'), 'description': 'shop.pay(7)', **fields,
    }  # fmt: skip
    redis.hset(keys.job(job_id), mapping=record)
    redis.sadd(keys.QUEUES, keys.queue(queue))
    redis.zadd(keys.place('failed', queue), {job_id: int(moment) + ttl})
    packed = base64.b64encode(zlib.compress(text.encode()))
    redis.xadd(keys.results(job_id), {'type': 2, 'exc_string': packed})
    return job_id


def all_pages(redis: Redis, match: Match | None = None, limit: int = 50) -> list[FailedJob]:
    """Everything that matches, page by page."""
    inspector, cursor, found = Inspector(redis), '', []
    while True:
        page: Page[FailedJob] = inspector.failed_jobs(match, cursor, limit)
        found += page.items
        assert len(page.items) <= limit
        assert page.cursor or page.is_complete
        cursor = page.cursor
        if not cursor:
            return found


def ids(found: list[FailedJob]) -> list[str]:
    """Of the jobs of a list."""
    return [one.id for one in found]


def moved(redis: Redis, job_id: str, seconds: float) -> datetime:
    """Let a job have failed so long ago; the new moment."""
    bucket = redis.hget(keys.job(job_id), 'failed_in').decode()
    moment = round(redis.zscore(keys.failed_in(bucket), job_id)) - round(seconds * 1000)
    redis.zadd(keys.failed_in(bucket), {job_id: moment})
    queue = redis.hget(keys.job(job_id), 'origin').decode()
    redis.zadd(keys.place('failed', queue), {job_id: moment // 1000 + YEAR})
    times = {name: utcformat(from_epoch(moment / 1000 - 0.001)) for name in ('started_at', 'ended_at')}
    redis.hset(keys.job(job_id), mapping=times)
    return datetime.fromtimestamp(moment / 1000, UTC)
