"""How tests look into buckets: plainly, one command after the other."""

from collections.abc import Sequence
from typing import Any

from rq.store import keys
from rq.store.failures import Bucket, Entry, _between, _buckets, _replies, group_ids, holds
from rq.store.read import shown

_PROOF = ('status', 'failed_in', 'started_at')


def number_of_groups(connection: Any) -> int:
    """How many groups there are, whatever their state; a thousand at most."""
    return int(connection.zcard(keys.FAILURES))


def buckets_matching(
    connection: Any, group: str = '', queue: str = '', function: str = '', type_name: str = '', kind: str = ''
) -> list[Bucket]:
    """Buckets that hold jobs of this kind, an empty word being any; in two round trips, whatever the number of jobs.

    A rest bucket stands for several queues and functions: its jobs must be
    looked at one by one.
    """
    ids = [group] if group else group_ids(connection)
    raw = _replies(connection, (('HGETALL', keys.failure(one)) for one in ids))
    found: list[Bucket] = []
    for group_id, reply in zip(ids, raw, strict=True):
        words = {shown(name): shown(value) for name, value in reply.items()}
        if kind and words.get('kind') != kind or type_name and words.get('type') != type_name:
            continue
        found += _buckets(group_id, words)
    return [
        one
        for one in found
        if one.is_rest or (not queue or one.queue == queue) and (not function or one.function == function)
    ]


def entries(
    connection: Any,
    buckets: Sequence[str],
    since: float | None = None,
    until: float | None = None,
    offset: int = 0,
    limit: int = 50,
) -> list[list[Entry]]:
    """Of each bucket, in one round trip, entries that failed in `since <= t < until`, the latest first; unverified."""
    least, most = _between(since, until)
    raw = _replies(
        connection,
        (
            ('ZREVRANGEBYSCORE', keys.failed_in(one), most, least, 'WITHSCORES', 'LIMIT', offset, limit)
            for one in buckets
        ),
    )
    return [
        [Entry(shown(member), float(score) / 1000, bucket) for member, score in _scored(reply)]
        for bucket, reply in zip(buckets, raw, strict=True)
    ]


def _scored(reply: Sequence[Any]) -> list[tuple[Any, Any]]:
    """Members with scores, as plain commands and as redis-py's parsers of several versions give them."""
    if not reply:
        return []
    if isinstance(reply[0], tuple | list):
        return [(member, score) for member, score in reply]
    return list(zip(reply[::2], reply[1::2], strict=True))


def verified(connection: Any, found: Sequence[Entry], fields: Sequence[str] = ()) -> list[dict[str, bytes] | None]:
    """For each entry these fields of the job's record (those that it has); None where the entry does not hold any more.

    One round trip. An entry holds while the job is failed, names this bucket, and was not started since.
    """
    names = [*_PROOF, *fields]
    raw = _replies(connection, (('HMGET', keys.job(one.job_id), *names) for one in found))
    return [
        {name: value for name, value in zip(names, reply, strict=True) if value is not None}
        if reply and holds(one, *reply[: len(_PROOF)])
        else None
        for one, reply in zip(found, raw, strict=True)
    ]
