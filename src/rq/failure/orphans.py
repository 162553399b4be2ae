"""Executions whose worker vanished take the same steps as any failure. Here: what failed, and doing it in place.

Workers find orphans by their clock and run the steps in a fresh horse; `registry.cleanup()` runs them here and now.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from rq.defaults import HANDLER_TIMEOUT, POISON_LOSSES
from rq.failure import steps
from rq.failure.capture import Failure, Kind, abandoned, from_dict, poison
from rq.failure.handlers import EVERYBODY, fenced, walk
from rq.failure.notify import deliver, tell
from rq.failure.outcome import of_failure
from rq.rules.lease import CLEANER, Lease
from rq.rules.timing import from_epoch, utcformat
from rq.store import claim
from rq.store.call import run

logger = logging.getLogger('rq.registry')
BATCH = 50


def failure_of(orphan: claim.Orphan) -> Failure:
    """What was noted before the worker was lost, else that it was lost; the third loss within a day is poison."""
    if orphan.failure is not None:
        return from_dict(orphan.failure)
    if orphan.times_lost >= POISON_LOSSES:
        return poison(orphan.times_lost, orphan.lost_worker)
    return abandoned(orphan.lost_worker, utcformat(from_epoch(orphan.at)))


def job_of(orphan: claim.Orphan, job_class: Any, connection: Any, serializer: Any) -> Any:
    """The job of an orphan, unreadable fields and all."""
    job = job_class(connection=connection, serializer=serializer)
    job._id = orphan.job_id
    job.restore_claimed(orphan.raw)
    return job


class Here:
    """Hooks of a process that is no worker: the steps of a failure, in place, with the handlers given."""

    log = logger
    handler_timeout = HANDLER_TIMEOUT
    final_failure_handlers = ()  # those are a worker's; the job's own callback is told

    def __init__(self, connection: Any, handlers: Sequence[Any], penalty: type[Any], told: int) -> None:
        self.connection = connection
        self.handlers = handlers
        self.death_penalty_class = penalty
        self.told = told

    def note_failure(self, job: Any, execution: Lease, failure: Failure) -> bool:
        """Remember it; False when somebody else has taken the execution over meanwhile."""
        return run(self.connection, claim.note(execution, failure.to_dict(), self.told + 1))

    def allow(self, seconds: float, phase: str) -> None:
        """Nobody watches this process; the penalties hold."""

    def takes_over(self, job: Any, queue: Any, execution: Any, failure: Failure) -> bool:
        """No: that is for workers."""
        return False

    def handle_exception(self, job: Any, *exc_info: Any) -> None:
        """The handlers given, in their order."""
        walk(self.handlers, job, exc_info, job._failure, self.death_penalty_class, self.log)

    def handle_job_failure(
        self, job: Any, queue: Any, started_job_registry: Any = None, exc_string: str = '', execution: Any = None
    ) -> None:
        """Decide, and settle once."""
        settlement = of_failure(job, execution, job._failure, exc_string)
        answer = run(self.connection, settlement.call)
        tell(self.log, 'cleanup', settlement, answer)
        deliver(self.connection, settlement, answer)


def clean_abandoned(registry: Any, timestamp: float | None, handlers: Sequence[Any]) -> None:
    """Adopt what is overdue in a StartedJobRegistry, batch by batch, and fail or retry each one here."""
    connection, queue = registry.connection, registry.get_queue()
    name = f'{CLEANER}{uuid4().hex}'
    moment: float | str = '' if timestamp is None else timestamp
    while True:
        ids = [uuid4().hex for _ in range(BATCH)]
        # Long leases: a batch of handlers that take their whole minute must not be adopted by somebody else.
        found = run(connection, claim.rescue(registry.name, name, ids, BATCH * (HANDLER_TIMEOUT + 60), moment, True))
        for orphan in found.orphans:
            _clean_one(orphan, registry, queue, name, handlers)
        if not found.orphans and not found.released:
            return


def _clean_one(orphan: claim.Orphan, registry: Any, queue: Any, name: str, handlers: Sequence[Any]) -> None:
    job = job_of(orphan, registry.job_class, registry.connection, registry.serializer)
    failure = failure_of(orphan)
    lease = Lease(orphan.job_id, orphan.execution, registry.name, name)
    hooks: Any = Here(registry.connection, handlers, registry.death_penalty_class, orphan.told)
    if orphan.told >= 2 and failure.kind is not Kind.POISON and failure.heard < EVERYBODY:
        failure.heard = EVERYBODY  # the handlers were begun twice and took their process with them each time
    elif orphan.told >= 2 and failure.kind is not Kind.POISON:
        # so did those who wait for the end: settle without anybody
        job._failure = failure
        hooks.handle_job_failure(job, queue, None, failure.full_text, lease)
        return
    fenced(f'Cleaning up job {job.id}', None, lambda: steps.run(job, queue, lease, failure, hooks), logger)
