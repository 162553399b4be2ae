"""RQ's script functions by name, each a call of one verb of our store. The sources are ours, with keys of their own."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any, Literal

from rq.exceptions import DuplicateJobError
from rq.registry import due_second
from rq.rules.status import JobStatus
from rq.store import enter
from rq.store.call import run
from rq.store.keys import QUEUE_PREFIX
from rq.store.locks import ACQUIRE_OR_REFRESH_LOCK_SCRIPT, RELEASE_LOCK_SCRIPT, lock, unlock
from rq.store.unique import UNIQUE_ENQUEUE_SCRIPT, UNIQUE_SCHEDULE_SCRIPT, registered, save_new

__all__ = [
    'ACQUIRE_OR_REFRESH_LOCK_SCRIPT',
    'RELEASE_LOCK_SCRIPT',
    'UNIQUE_ENQUEUE_SCRIPT',
    'UNIQUE_SCHEDULE_SCRIPT',
    'acquire_or_refresh_lock',
    'get_unique_enqueue_script',
    'get_unique_schedule_script',
    'release_lock',
    'save_unique_job',
    'schedule_unique_job',
]

logger = logging.getLogger('rq.scripts')


def acquire_or_refresh_lock(
    connection: Any, lock_key: str, owner_token: str, ttl: int
) -> Literal['acquired', 'refreshed', 'taken']:
    """Take a free lock or refresh our own."""
    return run(connection, lock(lock_key, owner_token, ttl))


def release_lock(connection: Any, lock_key: str, owner_token: str) -> bool:
    """Give our lock back; whether it was ours."""
    return run(connection, unlock(lock_key, owner_token))


def get_unique_enqueue_script(connection: Any) -> Any:
    """The script behind `save_unique_job`, registered once per connection."""
    return registered(connection, 'enqueue')


def get_unique_schedule_script(connection: Any) -> Any:
    """The script behind `schedule_unique_job`, registered once per connection."""
    return registered(connection, 'schedule')


def save_unique_job(connection: Any, queue_key: str, job: Any, enqueue: bool = True, at_front: bool = False) -> bool:
    """Save a job whose id is new, and put it on the queue, in one step; `DuplicateJobError` for an id that exists."""
    _at_home(job, queue_key)
    if enqueue:
        job._status = job._stored_status = JobStatus.QUEUED
        return _new(job, run(connection, enter.enqueue(job, at_front, unique=True)).answer)
    return _new(job, run(connection, save_new(job)))


def schedule_unique_job(
    connection: Any, queue_key: str, registry_key: str, job: Any, scheduled_datetime: datetime
) -> bool:
    """Save a job whose id is new, and schedule it, in one step; `DuplicateJobError` for an id that exists."""
    _at_home(job, queue_key)
    job._status = job._stored_status = JobStatus.SCHEDULED
    # `registry_key` is what the queue's name says already: the two never differ.
    return _new(job, run(connection, enter.schedule(job, due_second(scheduled_datetime), unique=True)))


def _at_home(job: Any, queue_key: str) -> None:
    """Our verbs take the queue from the job."""
    job.id  # noqa: B018 - makes the id
    job.origin = queue_key.removeprefix(QUEUE_PREFIX)


def _new(job: Any, answer: str) -> bool:
    if answer == 'duplicate':
        logger.debug('Job %s exists already', job.id)
        raise DuplicateJobError(f'A job with id {job.id} exists already; delete it first, or use the one that is there')
    return True
