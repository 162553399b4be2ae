"""huey on Redis, as its guide sets it up; results are stored by default."""

from __future__ import annotations

import os
from collections.abc import Iterable

import body
from huey import RedisHuey

huey = RedisHuey('bench', url=os.environ['BENCH_URL'])
tasks = {
    kind: huey.task(retries=3 if kind == 'retry' else 0, name=f'bench_{kind}')(function)
    for kind, function in body.PLAIN.items()
}


def each(kind: str, numbers: Iterable[int]) -> None:
    """One call a job."""
    task = tasks[kind]
    for number in numbers:
        task(number)
