"""ArdiQ, whose loop is written in Rust."""

from __future__ import annotations

import os
from collections.abc import Iterable

import body
from ardiq import Ardiq

app = Ardiq(
    redis_url=os.environ['BENCH_URL'], queue_name='bench', concurrency=int(os.environ.get('BENCH_CONCURRENCY', '16'))
)
tasks = {
    kind: app.task(name=kind, max_retries=3 if kind == 'retry' else 0, backoff_ms=1)(function)
    for kind, function in body.COROUTINES.items()
}


async def each(kind: str, numbers: Iterable[int]) -> None:
    """One call a job."""
    task = tasks[kind]
    for number in numbers:
        await task.enqueue(number)


async def bulk(kind: str, numbers: Iterable[int]) -> None:
    """One call for many jobs."""
    await app.enqueue_many(tasks[kind].prepare(number) for number in numbers)
