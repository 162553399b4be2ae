"""Bulk: requeue, delete or cancel all failed jobs that match, batch by batch, each of them once at most.

An action touches only failures from before its begin, by the server's clock: what fails again meanwhile stays failed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

from rq.inspector import FailedJob, Inspector, Match
from rq.inspector.search import Found
from rq.store import many, read
from rq.store.call import Call, RedisError, is_weather, run
from rq.store.many import Action, Chosen
from rq.store.search import PROOF, Candidate

if TYPE_CHECKING:
    from redis import Redis

T = TypeVar('T')
Verb = Callable[[Action, int, Sequence[Chosen]], Call[list[bool]]]
Progress = Callable[[int, int | None], object]

#: jobs that one script changes; it holds the server for some ten milliseconds
BATCH = 500
#: batches a second when there is a rate, so that its jobs come evenly
BATCHES_A_SECOND = 4
SAMPLES = 10
#: seconds for which a server that does not answer is asked again: a repeated batch changes nothing twice
PATIENCE = 30
#: what a job may become that was queued again; anything else is on the way
OUTCOMES = ('finished', 'failed', 'stopped', 'canceled', 'gone')


@dataclass(frozen=True)
class BulkResult:
    """What an action found: jobs that matched, those it changed, and those it passed over, being failed no more.

    After a dry run nothing is changed, `matched` is what was counted, and `samples` are some of them.
    """

    matched: int
    changed: int
    passed_over: int
    samples: list[FailedJob] = field(default_factory=list)


@dataclass(frozen=True)
class CanaryResult:
    """What became of jobs that were queued again, by their ids: finished, failed, stopped, canceled or gone; or a
    status on the way there, such as queued or started, when the time was over.
    """

    outcomes: dict[str, str]

    @property
    def is_good(self) -> bool:
        """Whether there were any, and all of them finished."""
        return bool(self.outcomes) and set(self.outcomes.values()) == {'finished'}

    @property
    def is_over(self) -> bool:
        """Whether the end of each of them is known."""
        return all(outcome in OUTCOMES for outcome in self.outcomes.values())


class Bulk:
    """Acts on all failed jobs that match. The words of every action:

    `first`: only so many jobs, those that failed last; otherwise all, those that failed first come first. `rate`: so
    many jobs a second at most. `dry_run`: count and show samples, change nothing. `on_progress` hears after each batch
    how many jobs were looked at, and how many match in all, or None where only the end will tell.
    """

    def __init__(self, connection: Redis) -> None:
        self.connection: Any = connection

    def requeue(
        self,
        match: Match,
        first: int | None = None,
        rate: float | None = None,
        dry_run: bool = False,
        on_progress: Progress | None = None,
        at_front: bool = False,
    ) -> BulkResult:
        """Queue them again, behind or before what waits there; those with a rate limit wait for their slots."""
        verb = partial(many.requeue_many, front=at_front)
        return self._act(match, verb, first, rate, dry_run, on_progress)

    def delete(
        self,
        match: Match,
        first: int | None = None,
        rate: float | None = None,
        dry_run: bool = False,
        on_progress: Progress | None = None,
        delete_dependents: bool = False,
    ) -> BulkResult:
        """Delete them with their records; jobs that waited for them go on, or are deleted as well."""
        verb = partial(many.delete_many, with_dependents=delete_dependents)
        return self._act(match, verb, first, rate, dry_run, on_progress)

    def cancel(
        self,
        match: Match,
        first: int | None = None,
        rate: float | None = None,
        dry_run: bool = False,
        on_progress: Progress | None = None,
        enqueue_dependents: bool = False,
        remove_from_dependencies: bool = False,
    ) -> BulkResult:
        """Give them up, and keep their records; jobs that waited for them may go on."""
        release, forget = enqueue_dependents, remove_from_dependencies
        verb = partial(many.cancel_many, release_dependents=release, forget_dependencies=forget)
        return self._act(match, verb, first, rate, dry_run, on_progress)

    def canary(
        self,
        match: Match,
        count: int = 1,
        timeout: float = 60,
        on_progress: Progress | None = None,
        at_front: bool = False,
    ) -> CanaryResult:
        """Queue so many again, those that failed last, and wait for what becomes of them, `timeout` seconds at most."""
        _check(count, None)
        action = _Run(self.connection, match, partial(many.requeue_many, front=at_front), count, None, None)
        action.reads_all = True
        action.run()
        return _outcomes(self.connection, action.taken, timeout, on_progress)

    def _act(
        self,
        match: Match,
        verb: Verb,
        first: int | None,
        rate: float | None,
        dry_run: bool,
        on_progress: Progress | None,
    ) -> BulkResult:
        _check(first, rate)
        if dry_run:
            return _rehearse(self.connection, match, on_progress)
        return _Run(self.connection, match, verb, first, rate, on_progress).run()


def _check(first: int | None, rate: float | None) -> None:
    if first is not None and first < 1:
        raise ValueError(f'the first {first} jobs are none: give 1 or more, or leave it out for all')
    if rate is not None and not rate > 0:
        raise ValueError(f'{rate} jobs a second will never end: give a number above 0, or leave it out')


def _rehearse(connection: Any, match: Match, on_progress: Progress | None) -> BulkResult:
    """What an action would find."""
    inspector = Inspector(connection)
    samples = inspector.failed_jobs(match, limit=SAMPLES).items
    search = inspector.search(match)
    counted = search.count()
    if counted is None:
        counted, after = 0, None
        while candidates := search.candidates(after, BATCH):
            depth = search.depth
            assert depth is not None  # else the number is known
            counted += sum(one is not None for one in search.sift(candidates, depth))
            after = candidates[-1]
            if on_progress:
                on_progress(counted, None)
    return BulkResult(counted, 0, 0, samples)


class _Run:
    """One action on its way."""

    def __init__(
        self,
        connection: Any,
        match: Match,
        verb: Verb,
        first: int | None,
        rate: float | None,
        on_progress: Progress | None,
    ) -> None:
        self.connection, self.verb = connection, verb
        self.first, self.rate, self.on_progress = first, rate, on_progress
        self.action = Action(uuid4().hex, _begin(connection))
        self.search = Inspector(connection).search(match, newest=first is not None, high=self.action.began)
        self.total = self.search.count()
        self.reads_all = False  # whether the records are read also where nobody needs them to choose
        self.taken: list[Found] = []  # if so: those that were changed
        self.changed = self.passed_over = self.batches = 0
        self.size = BATCH if rate is None else max(1, min(BATCH, int(rate / BATCHES_A_SECOND)))
        self._unbucketed: set[bytes] = set()  # failures of RQ 3.0 have no moment of the server's clock
        self._started = time.monotonic()

    def run(self) -> BulkResult:
        """From the first batch to the last."""
        after: Candidate | None = None
        is_over = False
        while not is_over and self._room() > 0:
            candidates = _patiently(partial(self.search.candidates, after, BATCH))
            is_over = len(candidates) < BATCH
            if candidates:
                self._take(candidates)
                after = candidates[-1]
        return BulkResult(self.changed + self.passed_over, self.changed, self.passed_over)

    def _room(self) -> int:
        return BATCH if self.first is None else self.first - self.changed

    def _take(self, candidates: list[Candidate]) -> None:
        pending = self._choose(candidates)
        while pending and self._room() > 0:
            self._keep_to_the_rate()
            piece = pending[: min(self.size, self._room())]
            self.batches += 1
            call = self.verb(self.action, self.batches, [chosen for chosen, _ in piece])
            answers = _patiently(partial(run, self.connection, call))
            self.changed += sum(answers)
            self.passed_over += len(answers) - sum(answers)
            self.taken += [found for (_, found), changed in zip(piece, answers, strict=False) if changed and found]
            pending = pending[len(answers) :]
            if self.on_progress:
                self.on_progress(self.changed + self.passed_over, self.total)

    def _choose(self, candidates: list[Candidate]) -> list[tuple[Chosen, Found | None]]:
        depth = self.search.depth
        if depth is None and self.reads_all:
            depth = PROOF
        if depth is None:
            return [(Chosen(one.job_id), None) for one in candidates]  # the script looks at the records anyway
        found = _patiently(partial(self.search.sift, candidates, depth))
        return [(_chosen(one), one if self.reads_all else None) for one in found if one and self._is_before(one)]

    def _is_before(self, found: Found) -> bool:
        """Whether it failed before the action began."""
        if found.moment >= self.action.began:
            return False
        if not found.bucket:
            if found.candidate.job_id in self._unbucketed:
                return False
            self._unbucketed.add(found.candidate.job_id)
        return True

    def _keep_to_the_rate(self) -> None:
        if self.rate is not None:
            pause = self._started + self.changed / self.rate - time.monotonic()
            if pause > 0:
                time.sleep(pause)


def _chosen(found: Found) -> Chosen:
    queue = '' if found.source.bucket else found.source.queue
    return Chosen(found.candidate.job_id, queue, b'-' if found.bucket else found.seen.ended_at)


def _begin(connection: Any) -> int:
    """The moment an action begins (ms of server time): all failures so far are before it, all to come are not."""
    began = int(read.server_time(connection) * 1000) + 1
    for _ in range(1000):  # it takes a millisecond, unless the clock is put back just now
        if read.server_time(connection) * 1000 >= began:
            break
    return began


def _patiently(work: Callable[[], T]) -> T:
    """The same again while the server is away for a moment."""
    deadline, pause = time.monotonic() + PATIENCE, 0.1
    while True:
        try:
            return work()
        except (RedisError, OSError) as error:
            if not is_weather(error) or time.monotonic() >= deadline:
                raise
        time.sleep(pause)
        pause = min(2 * pause, 2)


def _outcomes(connection: Any, taken: Sequence[Found], timeout: float, on_progress: Progress | None) -> CanaryResult:
    """What becomes of jobs that were queued again."""
    jobs = {read.shown(one.candidate.job_id): one.seen for one in taken}
    # who keeps no result leaves nothing behind when all went well
    vanishing = {one for one, seen in jobs.items() if seen.result_ttl == b'0' and seen.failure_ttl != b'0'}
    deadline, pause = time.monotonic() + timeout, 0.02
    while True:
        known = zip(jobs, _patiently(partial(read.statuses, connection, list(jobs))), strict=True)
        result = CanaryResult({one: status or ('finished' if one in vanishing else 'gone') for one, status in known})
        if on_progress:
            on_progress(sum(outcome in OUTCOMES for outcome in result.outcomes.values()), len(jobs))
        left = deadline - time.monotonic()
        if result.is_over or left <= 0:
            return result
        time.sleep(min(pause, left))
        pause = min(2 * pause, 0.5)
