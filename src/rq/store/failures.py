"""Groups of failures: reading them, marking them, and finding the jobs that failed of them. Typed faces.

A bucket is what failed of one group, in one queue, in one function: `<group>:<number>`. Tools of RQ 3.0 do not know of
them, so an entry counts only when the job's record says the same: `holds` tells.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from rq.rules.timing import from_epoch, utcformat
from rq.store import keys
from rq.store.call import Call, ResponseError, text
from rq.store.read import server_time, shown
from rq.store.scripts import load

OPEN, MUTED, RESOLVED, REGRESSED = 'open', 'muted', 'resolved', 'regressed'
#: hours of which failures are counted each; the last one is the present hour
HOURS, DIGITS = 168, 8
#: digits of a group's id
ID_LENGTH = 16
#: milliseconds of server time between two looks at entries that may not hold any more, whoever takes them
PAUSE = 700
_PLACE = 'in:'


@dataclass(frozen=True)
class Bucket:
    """Where jobs of one group, queue and function stand. `is_rest`: of all queues and functions beyond sixty-three."""

    name: str
    group: str
    queue: str
    function: str
    count: int  # failed attempts ever counted here, those that were tried again among them
    is_rest: bool


class Entry(NamedTuple):
    """A job that failed, when (seconds of server time), and the bucket it stands in."""

    job_id: str
    failed_at: float
    bucket: str


class Tidied(NamedTuple):
    """What a look at the buckets found: entries seen, and those taken out because they no longer held."""

    seen: int
    removed: int

    @property
    def is_fruitful(self) -> bool:
        """Whether another look is worth its while at once."""
        return self.removed > self.seen // 2 > 0


@dataclass(frozen=True)
class StoredGroup:
    """What is kept of failures with one cause; times are seconds of server time, None where there was none.

    `muted_until` 0 is for ever. `failed_count` is the number of entries in its buckets, stale ones included.
    """

    id: str
    title: str
    kind: str
    type_name: str
    message: str
    frames: tuple[str, ...]
    state: str
    muted_until: float | None
    resolved_at: float | None
    regressed_at: float | None
    count: int
    first_seen: float
    last_seen: float
    trend: tuple[int, ...]
    buckets: tuple[Bucket, ...]
    sample_ids: tuple[str, ...]
    failed_count: int


# --- groups -------------------------------------------------------------------------------------------------------


def group_ids(connection: Any, offset: int = 0, limit: int = 1000) -> list[str]:
    """Ids of groups, the latest seen first."""
    if limit <= 0:
        return []
    (members,) = _replies(connection, [('ZREVRANGE', keys.FAILURES, offset, offset + limit - 1)])
    return [shown(one) for one in members]


def groups_page(connection: Any, offset: int = 0, limit: int = 100, now: float | None = None) -> list[StoredGroup]:
    """Groups of every state, the latest seen first. A muted one whose time is over is shown as open."""
    return groups_of(connection, group_ids(connection, offset, limit), now)


def groups_of(connection: Any, ids: Sequence[str], now: float | None = None) -> list[StoredGroup]:
    """The named groups, in this order; those that do not exist (any more) are left out."""
    if not ids:
        return []
    at = server_time(connection) if now is None else now
    raw = _replies(connection, (('HGETALL', keys.failure(one)) for one in ids))
    found = [_group(one, reply, at) for one, reply in zip(ids, raw, strict=True) if reply]
    counts = iter(sizes(connection, [bucket.name for group in found for bucket in group.buckets]))
    return [replace(group, failed_count=sum(next(counts) for _ in group.buckets)) for group in found]


def group_of(connection: Any, group_id: str, now: float | None = None) -> StoredGroup | None:
    """One group by its whole id."""
    return next(iter(groups_of(connection, [group_id], now)), None)


def ids_beginning(connection: Any, prefix: str) -> list[str]:
    """Ids of groups that begin so, the latest seen first: one is an answer, more are a question."""
    return [one for one in group_ids(connection) if one.startswith(prefix.lower())]


def resolve(group_id: str, now: float | str = '') -> Call[str]:
    """It is put right: the next failure makes it regressed. Answers ok or gone."""
    return _mark(group_id, RESOLVED, 0, now)


def reopen(group_id: str, now: float | str = '') -> Call[str]:
    """It is neither muted nor resolved nor regressed any more. Answers ok or gone."""
    return _mark(group_id, OPEN, 0, now)


def mute(group_id: str, until: float = 0, now: float | str = '') -> Call[str]:
    """Nobody wants to see it until then (seconds of server time; 0: for ever). Answers ok or gone."""
    return _mark(group_id, MUTED, until, now)


def _mark(group_id: str, state: str, until: float, now: float | str) -> Call[str]:
    return Call(load('mark_failures'), [keys.failure(group_id)], [now, state, int(until * 1000)], text)


def _group(group_id: str, raw: dict[bytes, bytes], now: float) -> StoredGroup:
    words = {shown(name): shown(value) for name, value in raw.items()}
    state, muted_until = words.get('state', OPEN), _seconds(words.get('muted_until'))
    if state == MUTED and muted_until and muted_until <= now:
        state = OPEN  # the next failure writes it
    return StoredGroup(
        id=group_id,
        title=words.get('title', ''),
        kind=words.get('kind', ''),
        type_name=words.get('type', ''),
        message=words.get('message', ''),
        frames=tuple(words.get('frames', '').split()),
        state=state,
        muted_until=muted_until if state == MUTED else None,
        resolved_at=_seconds(words.get('resolved_at')),
        regressed_at=_seconds(words.get('regressed_at')),
        count=as_number(words.get('count')),
        first_seen=_seconds(words.get('first_seen')) or 0.0,
        last_seen=_seconds(words.get('last_seen')) or 0.0,
        trend=_trend(words.get('trend', ''), as_number(words.get('present')), as_number(words.get('hour')), now),
        buckets=_buckets(group_id, words),
        sample_ids=tuple(words.get('jobs', '').split()),
        failed_count=0,
    )


def _trend(text: str, present: int, hour: int, now: float) -> tuple[int, ...]:
    counted = [as_number(text[at : at + DIGITS]) for at in range(0, len(text), DIGITS)]
    if counted:
        counted[-1] += present  # what came in its last hour since it was written
    counted += [0] * min(max(int(now // 3600) - hour, 0), HOURS)  # hours without any
    return tuple([0] * (HOURS - len(counted)) + counted[-HOURS:])


def _buckets(group_id: str, words: dict[str, str]) -> tuple[Bucket, ...]:
    found = []
    for field, value in words.items():
        number, _, count = value.partition(' ')
        if field.startswith(_PLACE) and number.isdecimal():
            queue, _, function = field.removeprefix(_PLACE).rpartition('\n')
            is_rest = field == _PLACE
            found.append(Bucket(f'{group_id}:{number}', group_id, queue, function, as_number(count), is_rest))
    return tuple(sorted(found, key=lambda one: -one.count))


def as_number(text: str | None) -> int:
    """A count as it is stored; what makes no sense is 0."""
    return int(text) if text and len(text) < 19 and text.isdecimal() else 0


def _seconds(text: str | None) -> float | None:
    return None if text is None else as_number(text) / 1000


# --- buckets ------------------------------------------------------------------------------------------------------


def sizes(connection: Any, buckets: Sequence[str], since: float | None = None, until: float | None = None) -> list[int]:
    """How many entries each of them has, failed in `since <= t < until`; stale ones are counted, too."""
    if since is None and until is None:
        commands: Iterable[tuple[Any, ...]] = (('ZCARD', keys.failed_in(one)) for one in buckets)
    else:
        commands = (('ZCOUNT', keys.failed_in(one), *_between(since, until)) for one in buckets)
    return [reply if isinstance(reply, int) else 0 for reply in _replies(connection, commands)]


def _between(since: float | None, until: float | None) -> tuple[str, str]:
    return (
        '-inf' if since is None else str(math.ceil(since * 1000)),
        '+inf' if until is None else f'({math.ceil(until * 1000)}',
    )


def holds(entry: Entry, status: bytes | None, failed_in: bytes | None, started_at: bytes | None) -> bool:
    """Whether an entry holds, by what the job's record says."""
    if status != b'failed' or failed_in != entry.bucket.encode():
        return False
    try:
        # one that was started since has failed again, in a worker of RQ 3.0, which knows no groups
        return (started_at or b'') < utcformat(from_epoch(entry.failed_at + 0.001)).encode()
    except (ValueError, OverflowError):  # no moment of a calendar: somebody else wrote it
        return False


def tidy(look: int = 100, pause: int = PAUSE, now: float | str = '') -> Call[Tidied]:
    """A look at so many entries of the buckets; those that do not hold any more leave. For the clocks of workers."""
    return Call(load('tidy_failures'), [keys.TIDYING, keys.FAILURES], [now, look, pause], lambda reply: Tidied(*reply))


def _replies(connection: Any, commands: Iterable[tuple[Any, ...]]) -> list[Any]:
    """In one round trip; what is asked of a key of another type is answered by nothing."""
    pipeline = connection.pipeline(transaction=False)
    for words in commands:
        pipeline.execute_command(*words)
    replies = pipeline.execute(raise_on_error=False)
    for reply in replies:
        if isinstance(reply, Exception) and not isinstance(reply, ResponseError):
            raise reply
    return [{} if isinstance(reply, ResponseError) else reply for reply in replies]
