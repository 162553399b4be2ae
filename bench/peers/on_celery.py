"""Celery with Redis as broker and result backend."""

from __future__ import annotations

import os
from collections.abc import Iterable

import body
from celery import Celery

app = Celery('bench', broker=os.environ['BENCH_URL'], backend=os.environ['BENCH_URL'])
app.conf.update(
    broker_connection_retry_on_startup=True,
    task_acks_late=bool(os.environ.get('BENCH_ACKS_LATE')),
    worker_prefetch_multiplier=int(os.environ.get('BENCH_PREFETCH', '4')),
)
AGAIN = {'autoretry_for': (body.OnPurpose,), 'max_retries': 3, 'default_retry_delay': 0}
tasks = {
    kind: app.task(function, name=kind, **(AGAIN if kind == 'retry' else {})) for kind, function in body.PLAIN.items()
}


def each(kind: str, numbers: Iterable[int]) -> None:
    """One call a job."""
    task = tasks[kind]
    for number in numbers:
        task.delay(number)
