"""Inspector: the questions one can ask about failures and jobs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rq.attempts import Attempt, read_attempts
from rq.exceptions import NoSuchGroupError
from rq.inspector import cursor as cursors
from rq.inspector.matching import called, is_meant, utc
from rq.inspector.records import text_by_execution, view_of
from rq.inspector.search import Found, Search, group_of
from rq.inspector.views import FailedJob, FailureGroup, JobView, Match, Page
from rq.inspector.words import words_of
from rq.rules.names import shown as escaped
from rq.store import failures, read
from rq.store.failures import StoredGroup
from rq.store.search import ATTEMPT

if TYPE_CHECKING:
    from redis import Redis

#: candidates that one page may look at; fewer when their words must be read, and then so many at once
BUDGET, TEXT_BUDGET, STEP = 2000, 500, 250
LARGEST_PAGE = 1000
_GROUPS_AT_ONCE = 100
_FIRST_DIGITS = 5  # groups named in an error


class Inspector:
    """Looks at failures and jobs over one connection; it changes nothing, and decodes no payload."""

    def __init__(self, connection: Redis) -> None:
        self.connection: Any = connection

    # --- groups -------------------------------------------------------------------------------------------------

    def groups(
        self, state: str | None = None, match: Match | None = None, limit: int = 100, offset: int = 0
    ) -> list[FailureGroup]:
        """Groups of failures, the latest seen first: all but muted and resolved ones, or those of a state, or `all`."""
        wanted, start = match or Match(), 0
        found: list[StoredGroup] = []
        if state not in (None, 'all', failures.OPEN, failures.MUTED, failures.RESOLVED, failures.REGRESSED):
            raise ValueError(f'{state!r} is no state of a group: open, muted, resolved, regressed, or all')
        while len(found) < offset + limit:
            stored = failures.groups_page(self.connection, start, _GROUPS_AT_ONCE)
            found += [group for group in stored if is_meant(wanted, state, group)]
            if len(stored) < _GROUPS_AT_ONCE:
                break
            start += len(stored)
        return [group_view(group) for group in found[offset : offset + limit]]

    def group(self, group_id: str) -> FailureGroup:
        """One group, by its id or the beginning of it; `NoSuchGroupError` when none or several begin so."""
        stored = failures.group_of(self.connection, self._whole_id(group_id))
        if stored is None:
            raise NoSuchGroupError(_no_group(group_id))
        return group_view(stored)

    def _whole_id(self, group_id: str) -> str:
        if len(group_id) == failures.ID_LENGTH:
            return group_id
        ids = failures.ids_beginning(self.connection, group_id) if group_id else []
        if len(ids) > 1:
            some = ', '.join(ids[:_FIRST_DIGITS]) + (', …' if len(ids) > _FIRST_DIGITS else '')
            raise NoSuchGroupError(f'{len(ids)} failure groups begin with {escaped(group_id)}: {some}; give more of it')
        if not ids:
            raise NoSuchGroupError(_no_group(group_id))
        return ids[0]

    # --- failed jobs --------------------------------------------------------------------------------------------

    def search(self, match: Match, newest: bool = True, high: float | None = None) -> Search:
        """The failed jobs of a match, for who goes through all of them."""
        if match.group and len(match.group) != failures.ID_LENGTH:
            match = Match(**{**match.__dict__, 'group': self._whole_id(match.group)})
        return Search(self.connection, match, newest, high)

    def failed_jobs(self, match: Match | None = None, cursor: str = '', limit: int = 50) -> Page[FailedJob]:
        """A page of failed jobs, the latest first. Jobs that fail or go meanwhile change nothing in pages to come."""
        if not 1 <= limit <= LARGEST_PAGE:
            raise ValueError(f'a page has 1 to {LARGEST_PAGE:,} jobs, not {limit}')
        match = match or Match()
        search, after = self.search(match), cursors.read(match, cursor)
        found: list[Found] = []
        is_over, looked = not search.sources, 0
        budget = TEXT_BUDGET if match.text else BUDGET
        while len(found) < limit and looked < budget and not is_over:
            # some that do not hold any more may stand between; where there are many, larger steps get past them
            size = min(max(limit - len(found) + 5, 2 * looked), STEP if match.text else BUDGET)
            candidates = search.candidates(after, size)
            is_over = len(candidates) < size
            for one, item in zip(candidates, search.sift(candidates, ATTEMPT), strict=True):
                if len(found) == limit:
                    is_over = False
                    break
                after, looked = one, looked + 1
                if item:
                    found.append(item)
        following = '' if is_over or after is None else cursors.write(match, after)
        # a registry knows the second in which a job failed, its bucket the millisecond
        found.sort(key=lambda one: one.moment, reverse=True)
        return Page(self._views(found), following, is_over or len(found) == limit)

    def count(self, match: Match | None = None) -> int | None:
        """How many failed jobs match, where that is known without a scan, else None.

        Entries that hold no more are counted until the clock of a worker removes them, and in registries those that
        were stopped.
        """
        return self.search(match or Match()).count()

    def _views(self, found: Sequence[Found]) -> list[FailedJob]:
        """With the functions that their buckets name, and what their groups say where the record is silent."""
        names = {group_of(one.bucket) for one in found if one.bucket}
        groups = {group.id: group for group in failures.groups_of(self.connection, sorted(names))} if names else {}
        return [_failed_job(one, groups) for one in found]

    # --- one job ------------------------------------------------------------------------------------------------

    def attempts(self, job_id: str) -> list[Attempt]:
        """The latest failed attempts of a job, the first one first; `NoSuchJobError` when there is no such job."""
        texts = text_by_execution(self.connection, job_id)
        return read_attempts(read.attempts(self.connection, job_id), texts)

    def job(self, job_id: str) -> JobView:
        """All that is stored of a job, as plain values; `NoSuchJobError` when there is no such job."""
        return view_of(self.connection, job_id)


def _no_group(group_id: str) -> str:
    return f'there is no failure group {escaped(group_id)}: it is gone, or was never there'


def group_view(stored: StoredGroup) -> FailureGroup:
    """A group as it is shown; its queues and functions with the most failures first."""
    epoch = utc(0)
    assert epoch is not None
    return FailureGroup(
        id=stored.id,
        title=stored.title,
        kind=stored.kind,
        type_name=stored.type_name,
        message=stored.message,
        frames=list(stored.frames),
        state=stored.state,
        muted_until=utc(stored.muted_until or None),
        resolved_at=utc(stored.resolved_at),
        regressed_at=utc(stored.regressed_at),
        count=stored.count,
        first_seen=utc(stored.first_seen) or epoch,
        last_seen=utc(stored.last_seen) or epoch,
        trend=list(stored.trend),
        queues=_sums([(one.queue, one.count) for one in stored.buckets]),
        functions=_sums([(one.function, one.count) for one in stored.buckets]),
        sample_ids=list(stored.sample_ids),
        failed_count=stored.failed_count,
    )


def _sums(counts: Sequence[tuple[str, int]]) -> dict[str, int]:
    """The twenty with the most; what has no name is of the rest."""
    sums: dict[str, int] = {}
    for name, count in counts:
        if name:
            sums[name] = sums.get(name, 0) + count
    return dict(sorted(sums.items(), key=lambda item: (-item[1], item[0]))[:20])


def _failed_job(found: Found, groups: dict[str, StoredGroup]) -> FailedJob:
    words, group = words_of(found.seen), groups.get(group_of(found.bucket))
    buckets = {one.name: one for one in group.buckets} if group else {}
    bucket = found.source.bucket or buckets.get(found.bucket)
    description = read.shown(found.seen.description)
    failed_at, epoch = utc(found.moment / 1000), utc(0)
    assert epoch is not None
    return FailedJob(
        id=read.shown(found.candidate.job_id),
        queue=read.shown(found.seen.queue) or found.source.queue,
        function=(bucket.function if bucket else '') or called(description),
        description=description,
        failed_at=failed_at or epoch,
        group=group_of(found.bucket),
        kind=words.kind or (group.kind if group else ''),
        type_name=words.type_name or (group.type_name if group else ''),
        message=words.message or (group.message if group else ''),
        attempt_count=words.attempts,
    )
