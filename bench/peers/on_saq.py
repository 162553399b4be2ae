"""SAQ on Redis."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import body
from saq import Queue

queue = Queue.from_url(os.environ['BENCH_URL'])


def taken(kind: str) -> Callable[..., Awaitable[int]]:
    """A function of SAQ: the context first, then words."""
    function = body.COROUTINES[kind]

    async def run(ctx: dict[str, Any], *, number: int) -> int:
        return await function(number)

    run.__name__ = run.__qualname__ = kind
    return run


settings = {
    'queue': queue,
    'functions': [taken(kind) for kind in body.COROUTINES],
    'concurrency': int(os.environ.get('BENCH_CONCURRENCY', '1')),
}


async def opened() -> None:
    """Connect before the clock starts."""
    await queue.connect()


async def each(kind: str, numbers: Iterable[int]) -> None:
    """One call a job."""
    words = {'retries': 4, 'retry_delay': 0} if kind == 'retry' else {}
    for number in numbers:
        await queue.enqueue(kind, number=number, **words)
