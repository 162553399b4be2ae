"""Which parts a worker is made of: the executor that runs its jobs, how many side by side, and in what batches."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rq.executors.grooming import Terms
from rq.executors.horses import Stable
from rq.executors.inline import Inline
from rq.executors.spawn import Spawner
from rq.worker import riding, sharing, spawning, swift

if TYPE_CHECKING:
    from rq.executors.base import Executor
    from rq.executors.horse import Reporter
    from rq.worker.loop import Loop

MOST_BATCH_MS = 1000.0
BATCHED = ('inline', 'prefork')
SIDE_BY_SIDE = {'thread': 8, 'async': 100}  # jobs at once, when nobody says how many


class Parts:
    """Mixin of BaseWorker."""

    #: 'fork', 'prefork', 'spawn', 'inline', 'thread' or 'async'; None: the first of `executors`
    executor: str | None = None
    #: which ones a class can have, its own first
    executors: tuple[str, ...] = ()
    concurrency: int | None = None  # jobs side by side; None: what the executor has by itself
    batch_ms: float = 0  # work that may be claimed and settled together, in milliseconds; 0: one job at a time
    horse_max_jobs: int | None = 1000  # after so many jobs a horse that is used again is retired; None: never
    horse_max_memory: float | None = None  # MiB of resident memory after which it is retired
    horse_max_age: float | None = None  # seconds after which it is retired

    def _choose_parts(self, executor: str | None, concurrency: int | None, batch_ms: float | None) -> None:
        """What the constructor was told; None leaves it to the class."""
        for name, value in (('executor', executor), ('concurrency', concurrency), ('batch_ms', batch_ms)):
            if value is not None:
                setattr(self, name, value)


def make(worker: Any, loop: Loop) -> Executor:
    """The executor a worker asks for; `ValueError` when it cannot have it."""
    if not worker.executors:
        raise TypeError('BaseWorker runs nothing by itself: use Worker or SimpleWorker')
    word = worker.executor or worker.executors[0]
    if word not in worker.executors:
        choices = ', '.join(worker.executors)
        raise ValueError(f'executor={word!r} is nothing that a {type(worker).__name__} can have; choose from {choices}')
    if worker.concurrency is not None and (not isinstance(worker.concurrency, int) or worker.concurrency < 1):
        raise ValueError(f'concurrency={worker.concurrency!r} must be a whole number of at least 1')
    if not 0 <= worker.batch_ms <= MOST_BATCH_MS:
        raise ValueError(f'batch_ms={worker.batch_ms!r} must be between 0 (off) and {MOST_BATCH_MS:g}')
    if word in ('spawn', 'inline') and (worker.concurrency or 1) > 1:
        raise ValueError(
            f'executor={word!r} runs one job at a time, not {worker.concurrency}: choose prefork, thread or async, '
            'or start several workers with rq worker-pool'
        )
    if worker.batch_ms and word not in BATCHED:
        raise ValueError(f'batch_ms={worker.batch_ms!r} is for {" and ".join(BATCHED)}, not for executor={word!r}')
    return _MAKERS[word](worker, loop)


def _ways(worker: Any, terms: Terms | None) -> tuple[Callable[..., Any], Callable[..., bool], Callable[..., None]]:
    """How a horse is told of a job, rides and rehearses: by the short way where it does one job and all is plain."""
    rehearse = riding.rehearsal(worker)  # also for what other briefs leave out
    horse = swift.make(worker) if terms is None else None

    def ride(brief: dict[str, Any], reporter: Reporter) -> bool:
        if terms is not None:
            return riding.ride_on(worker, brief, reporter)
        if horse is None or 'call' not in brief:
            return riding.ride_job(worker, brief, reporter)
        horse.ride(brief, reporter)
        return False

    if horse is None:
        return riding.short_brief_of, ride, rehearse
    return lambda running: swift.brief_of(running) or riding.short_brief_of(running), ride, horse.rehearse


def _make_stable(worker: Any, loop: Loop, terms: Terms | None = None) -> Executor:
    if not hasattr(os, 'fork'):
        raise ValueError(
            f'{type(worker).__name__} forks a process for each job, which this platform cannot: use SpawnWorker, '
            'which starts a new interpreter, or SimpleWorker, which runs jobs in its own process'
        )
    penalty = worker.death_penalty_class  # of this moment: see `listening`

    def prepare_child() -> None:
        worker.death_penalty_class = penalty
        loop.prepare_child()
        worker.procline('Waiting for a job')  # the first title costs much, so not in each horse
        os.environ['RQ_WORKER_ID'] = worker.name
        worker.prepare_horse()

    brief_of, ride, rehearse = _ways(worker, terms)
    stable = Stable(
        brief_of,
        ride,
        lambda running, reporter: riding.ride_failure(worker, running, reporter),
        rehearse,
        prepare_child,
        loop.noted,
        worker.lease_seconds,
        worker.concurrency or 1,
        terms,
    )
    stable.settlement_of = lambda running, message: swift.settle(worker, running, message)
    stable.practise = lambda: riding.practise(worker)
    return stable


def _make_prefork(worker: Any, loop: Loop) -> Executor:
    return _make_stable(
        worker, loop, Terms(worker.horse_max_jobs or None, worker.horse_max_memory, worker.horse_max_age)
    )


def _make_spawner(worker: Any, loop: Loop) -> Executor:
    packed = spawning.pack(worker)
    return Spawner(
        spawning.ENTRY,
        lambda: spawning.luggage_of(worker, packed),
        riding.brief_of,
        spawning.failure_brief_of,
        loop.noted,
        worker.lease_seconds,
    )


def _make_inline(worker: Any, loop: Loop) -> Executor:
    return Inline(lambda running: riding.run_here(worker, running), lambda running: riding.fail_here(worker, running))


def _make_pool(worker: Any, loop: Loop) -> Executor:
    word = worker.executor or worker.executors[0]
    return sharing.make_pool(worker, word, worker.concurrency or SIDE_BY_SIDE[word])


_MAKERS: dict[str, Callable[[Any, Loop], Executor]] = {
    'fork': _make_stable,
    'prefork': _make_prefork,
    'spawn': _make_spawner,
    'inline': _make_inline,
    'thread': _make_pool,
    'async': _make_pool,
}
