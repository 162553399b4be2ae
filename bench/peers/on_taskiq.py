"""taskiq with taskiq-redis, results stored: the broker that acknowledges (streams), or lists with BENCH_LISTS."""

from __future__ import annotations

import os
from collections.abc import Iterable

import body
from taskiq import SimpleRetryMiddleware
from taskiq_redis import ListQueueBroker, RedisAsyncResultBackend, RedisStreamBroker

url = os.environ['BENCH_URL']
results = RedisAsyncResultBackend(redis_url=url, result_ex_time=600)
kept = ListQueueBroker(url=url) if os.environ.get('BENCH_LISTS') else RedisStreamBroker(url=url)
broker = kept.with_result_backend(results).with_middlewares(SimpleRetryMiddleware(default_retry_count=4))
tasks = {
    kind: broker.register_task(function, task_name=kind, **({'retry_on_error': True} if kind == 'retry' else {}))
    for kind, function in body.COROUTINES.items()
}


async def opened() -> None:
    """Connect before the clock starts."""
    await broker.startup()


async def each(kind: str, numbers: Iterable[int]) -> None:
    """One call a job."""
    task = tasks[kind]
    for number in numbers:
        await task.kiq(number)
