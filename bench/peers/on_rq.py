"""RQ 3.0 and ours: they have these calls in common."""

from __future__ import annotations

import os
from collections.abc import Iterable

import body
from redis import Redis

from rq import Queue, Retry

queue = Queue(connection=Redis.from_url(os.environ['BENCH_URL']))
functions = body.COROUTINES if os.environ.get('BENCH_COROUTINES') else body.PLAIN


def each(kind: str, numbers: Iterable[int]) -> None:
    """One call a job."""
    function = functions[kind]
    if kind == 'retry':
        policy = Retry(max=3)
        for number in numbers:
            queue.enqueue(function, number, retry=policy)
        return
    for number in numbers:
        queue.enqueue(function, number)


def bulk(kind: str, numbers: Iterable[int]) -> None:
    """One call for many jobs."""
    function = functions[kind]
    queue.enqueue_many([Queue.prepare_data(function, (number,)) for number in numbers])
