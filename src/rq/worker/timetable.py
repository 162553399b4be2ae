"""The scheduler that `with_scheduler=True` asks for: one pass in a burst, else a process of its own.

Every worker queues what is due by itself. This one also holds the locks, where RQ 3.0's schedulers and programs that
ask who serves a queue look for it.
"""

from __future__ import annotations

from typing import Any

from rq.scheduler import RQScheduler


def begin(worker: Any, wanted: bool, burst: bool, log: tuple[Any, str, str]) -> None:
    """Acquire what locks there are; who gets one serves those queues. Forks: before the horses do."""
    if not wanted:
        return
    level, date_format, log_format = log
    spoken = next((one.formatter for one in worker.log.handlers if one.formatter), None)
    if spoken is not None:  # its lines look as the worker's do, whoever set that up
        date_format, log_format = spoken.datefmt or date_format, spoken._fmt or log_format
    scheduler = worker.scheduler = RQScheduler(
        worker.queues, connection=worker.connection, logging_level=level, date_format=date_format,
        log_format=log_format, serializer=worker.serializer,
    )  # fmt: skip
    scheduler.acquire_locks()
    if not scheduler.acquired_locks:
        return
    if burst:
        _one_pass(scheduler)
    else:
        scheduler.start()


def _one_pass(scheduler: RQScheduler) -> None:
    scheduler.register_birth()
    try:
        scheduler.enqueue_scheduled_jobs()
    finally:
        scheduler.release_locks()
        scheduler.register_death()
