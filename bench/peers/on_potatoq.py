"""potatoq on Redis, which takes Celery's settings; results stored when BENCH_RESULTS is set."""

from __future__ import annotations

import os
from collections.abc import Iterable

import body
from potatoq import Potatoq

app = Potatoq('bench', broker=os.environ['BENCH_URL'])
if os.environ.get('BENCH_RESULTS'):
    app.conf.result_backend = 'broker'
AGAIN = {'autoretry_for': (body.OnPurpose,), 'max_retries': 3, 'default_retry_delay': 0, 'retry_backoff': False}
tasks = {
    kind: app.task(name=kind, **(AGAIN if kind == 'retry' else {}))(function) for kind, function in body.PLAIN.items()
}


def each(kind: str, numbers: Iterable[int]) -> None:
    """One call a job."""
    task = tasks[kind]
    for number in numbers:
        task.delay(number)
