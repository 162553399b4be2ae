"""WakaQ; it stores no results, and takes a job off the list before it runs."""

from __future__ import annotations

import os
from collections.abc import Iterable
from urllib.parse import urlsplit

import body
from wakaq import WakaQ

place = urlsplit(os.environ['BENCH_URL'])
wakaq = WakaQ(
    queues=['bench'],
    host=place.hostname,
    port=place.port,
    concurrency=int(os.environ.get('BENCH_CONCURRENCY', '1')),
)
functions = body.COROUTINES if os.environ.get('BENCH_COROUTINES') else body.PLAIN
tasks = {kind: wakaq.task(function) for kind, function in functions.items()}


def each(kind: str, numbers: Iterable[int]) -> None:
    """One call a job."""
    task = tasks[kind]
    for number in numbers:
        task.delay(number)
