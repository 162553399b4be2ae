"""What cannot be worked on, and what is gone: looking for it, reading of it, putting it right. Typed faces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from rq.store import keys
from rq.store.call import Call, text
from rq.store.read import shown
from rq.store.scripts import load

if TYPE_CHECKING:
    from redis import Redis

#: ids of each place of a queue at one look: what is in order costs the server half a microsecond
LOOK = 100
#: milliseconds of server time between two looks at a queue, whoever takes them
PAUSE = 700


class Swept(NamedTuple):
    """What a look found: members set aside with the reasons, and ids that had no record."""

    aside: Sequence[tuple[str, str]]
    missing: list[str]


class Returned(NamedTuple):
    """ok (queued), elsewhere (it has its place), broken (it stays aside), gone (no record), absent; and the reason."""

    answer: str
    why: str


class Missing(NamedTuple):
    """Ids that were listed without a record within the last week: how many, the latest one, and when (as text)."""

    number: int
    latest: str
    at: str


def put_aside(reply: Sequence[bytes]) -> tuple[tuple[str, str], ...]:
    """What a script has just set aside: members and reasons."""
    words = [shown(one) for one in reply]
    return tuple(zip(words[::2], words[1::2], strict=True))


def sweep(queue: str, look: int = LOOK, pause: int = PAUSE, now: float | str = '') -> Call[Swept]:
    """Look at a part of each place of a queue: records that are gone or no records must not stand there for long."""

    def decode(reply: list[Any]) -> Swept:
        return Swept(put_aside(reply[0]), [shown(one) for one in reply[1]])

    return Call(load('sweep'), [keys.sweep(queue), keys.suspects(queue)], [now, queue, look, pause], decode)


def return_aside(queue: str, member: str, now: float | str = '') -> Call[Returned]:
    """A member that was put right goes back into its queue."""

    def decode(reply: list[bytes]) -> Returned:
        return Returned(reply[0].decode(), shown(reply[1]))

    return Call(load('return_aside'), [keys.job(member), keys.QUEUES], [now, member, queue], decode)


def set_aside(queue: str, member: str, why: str, now: float | str = '') -> Call[str]:
    """Keep a member out of the way; for those who take ids off a list without a claim."""
    return Call(load('set_aside'), [keys.job(member)], [now, queue, member, why], text)


def of_queue(connection: Redis, queue: str, limit: int | None = None) -> dict[str, str]:
    """Members that cannot be worked on, with the reasons; beyond ten thousand without."""
    found: dict[str, str] = {}
    for member, why in connection.hscan_iter(keys.aside(queue), count=limit or 1000):
        found[shown(member)] = shown(why)
        if len(found) == limit:
            return found
    for member in connection.sscan_iter(keys.aside_rest(queue), count=limit or 1000):
        found[shown(member)] = ''
        if len(found) == limit:
            break
    return found


def missing(connection: Redis, queue: str) -> Missing | None:
    """What is known of ids without a record; None when there were none."""
    raw: dict[bytes, bytes] = connection.hgetall(keys.missing(queue))  # type: ignore[assignment]  # redis-py also has an async one
    try:
        return Missing(int(raw[b'count']), shown(raw[b'id']), shown(raw[b'at']))
    except (KeyError, ValueError):
        return None
