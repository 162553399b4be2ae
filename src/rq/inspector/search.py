"""Failed jobs that match, in order, out of very many: which sets to read, and which of their entries hold.

Jobs that workers of RQ 3.0 recorded are in no bucket: they are found in the registries of the queues, where no filter
asks for what only a bucket can tell. With a time they are found if they are kept for a year, as RQ keeps them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from rq.inspector.matching import bounds, called, contains, is_name, words_of
from rq.inspector.views import Match
from rq.inspector.words import message_contains
from rq.store import failures, keys, read, search
from rq.store.call import run
from rq.store.search import ATTEMPT, PROOF, WORDS, Candidate, Seen

#: sets that one script reads
SETS_AT_ONCE = 1000


class Source(NamedTuple):
    """A set of failed jobs: a bucket, or the registry of a queue."""

    key: tuple[str, str]
    queue: str
    bucket: failures.Bucket | None = None


class Found(NamedTuple):
    """A failed job that matches; what its record says, as far as it was read, and since when it is failed (ms)."""

    candidate: Candidate
    source: Source
    seen: Seen
    moment: float
    bucket: str  # empty where it stands in none


class Search:
    """The failed jobs of a match, the latest or earliest first. `high`: failed before then (ms), if buckets tell."""

    def __init__(self, connection: Any, match: Match, newest: bool = True, high: float | None = None) -> None:
        self.connection = connection
        self.match = match
        self.newest = newest
        since, until = bounds(match)
        self._low = None if since is None else since * 1000
        self.is_timed = match.since is not None or match.until is not None
        self.sources = self._choose()
        # the score of a registry says little of the moment: whoever asks for `high` looks at the records then
        is_exact = self.is_timed or all(one.bucket for one in self.sources)
        ends = [None if until is None else until * 1000, high if is_exact else None]
        self._high = min((end for end in ends if end is not None), default=None)
        self._names = {one.bucket.name for one in self.sources if one.bucket}
        self._meant: dict[str, bool] = {}  # whether the words of a group contain the text

    def _choose(self) -> list[Source]:
        match, chosen = self.match, []
        is_grouped = bool(match.group or match.function or match.type_name or match.kind)
        if is_grouped or self.is_timed:
            call = search.buckets(match.group, match.queue, match.function, match.type_name, match.kind)
            found = run(self.connection, call)
            chosen += [Source(search.bucket_set(one.name), one.queue, one) for one in found]
        if not is_grouped:
            queues = [match.queue] if match.queue else self._queues()
            chosen += [Source(search.registry_set(queue), queue) for queue in queues]
        return chosen

    def _queues(self) -> list[str]:
        members = read.texts(self.connection.smembers(keys.QUEUES))
        return sorted(one.removeprefix(keys.QUEUE_PREFIX) for one in members if one.startswith(keys.QUEUE_PREFIX))

    @property
    def depth(self) -> int | None:
        """How much of the records must be read to know whether they match; None: nothing at all."""
        if self.match.text:
            return ATTEMPT
        if (self.match.queue or self.match.function) and any(one.bucket and one.bucket.is_rest for one in self.sources):
            return WORDS
        return PROOF if any(one.bucket is None for one in self.sources) else None

    def count(self) -> int | None:
        """How many there are, entries that do not hold any more among them; None where only a scan would tell."""
        if self.depth in (ATTEMPT, WORDS) or any(one.bucket is None for one in self.sources) and self.is_timed:
            return None
        names = [one.bucket.name for one in self.sources if one.bucket]
        since, until = bounds(self.match)
        if names:
            return sum(failures.sizes(self.connection, names, since, until))
        return search.registered(self.connection, [one.queue for one in self.sources])

    def candidates(self, after: Candidate | None, limit: int) -> list[Candidate]:
        """The next entries of all sets, whether they hold or not; `place` is the number of the source."""
        found: list[Candidate] = []
        for start in range(0, len(self.sources), SETS_AT_ONCE):
            sets = [one.key for one in self.sources[start : start + SETS_AT_ONCE]]
            call = search.candidates(sets, limit, self.newest, self._low, self._high, after)
            found += [one._replace(place=one.place + start) for one in run(self.connection, call)]
        if len(self.sources) > SETS_AT_ONCE:
            found.sort(key=lambda one: (one.moment, one.job_id), reverse=self.newest)
        return found[:limit]

    def sift(self, candidates: Sequence[Candidate], depth: int) -> list[Found | None]:
        """What there is behind each candidate; None where it does not match, or is failed no more."""
        if not candidates:
            return []
        seen = run(self.connection, search.records([one.job_id for one in candidates], depth))
        found = [self._proven(one, record) for one, record in zip(candidates, seen, strict=True)]
        if self.match.text:
            self._learn(found)
        return [one if one and self._is_meant(one) else None for one in found]

    def _proven(self, one: Candidate, seen: Seen) -> Found | None:
        if seen.status != b'failed':
            return None
        source = self.sources[one.place]
        if source.bucket:
            moment, name = one.moment, source.bucket.name
            return Found(one, source, seen, moment, name) if _holds(one.job_id, moment, name, seen) else None
        since, name = number_of(seen.moment), read.shown(seen.bucket)
        if since is None or not _holds(one.job_id, since, name, seen):
            return Found(one, source, seen, ended(seen, one), '')
        # with a time its bucket is read as well, and there it is listed at the right moment
        return None if name in self._names else Found(one, source, seen, since, name)

    def _is_meant(self, found: Found) -> bool:
        match, bucket, seen = self.match, found.source.bucket, found.seen
        if bucket and bucket.is_rest and not self._is_in_rest(seen):
            return False
        if not match.text:
            return True
        if found.bucket and self._meant.get(group_of(found.bucket)):
            return True
        words = read.shown(found.candidate.job_id), read.shown(seen.description)
        return contains(match.text, words) or message_contains(match.text, seen)

    def _is_in_rest(self, seen: Seen) -> bool:
        """Of a bucket that stands for several queues and functions the record tells, by its queue and description."""
        if self.match.queue and read.shown(seen.queue) != self.match.queue:
            return False
        return not self.match.function or is_name(self.match.function, called(read.shown(seen.description)))

    def _learn(self, found: Sequence[Found | None]) -> None:
        names = {group_of(one.bucket) for one in found if one and one.bucket} - set(self._meant)
        if names:
            self._meant.update(dict.fromkeys(names, False))
            for group in failures.groups_of(self.connection, sorted(names)):
                self._meant[group.id] = contains(self.match.text, words_of(group))


def group_of(bucket: str) -> str:
    """The id of the group that a bucket belongs to."""
    return bucket.partition(':')[0]


def number_of(raw: bytes) -> float | None:
    """A stored number; None where there is none."""
    try:
        value = float(raw)
    except ValueError:
        return None
    return value if abs(value) < 1e15 else None


def ended(seen: Seen, candidate: Candidate) -> float:
    """When a job failed that stands in no bucket (ms): as its record says, else by the end of the time it is kept."""
    moment = search.moment_of(seen.ended_at)
    return candidate.moment if moment is None else moment


def _holds(job_id: bytes, moment: float, name: str, seen: Seen) -> bool:
    entry = failures.Entry(read.shown(job_id), moment / 1000, name)
    return failures.holds(entry, seen.status, seen.bucket or None, seen.started_at or None)
