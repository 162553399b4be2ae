"""What people do to many failed jobs at once: a batch is one script. Typed faces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from rq.store import keys
from rq.store.call import Argument, Call
from rq.store.scripts import load


class Chosen(NamedTuple):
    """A failed job that an action is to change.

    `queue`: of the registry it was seen in, empty for that of its own. `ended`: as the record said, for a failure that
    stands in no bucket; it must say so still.
    """

    job_id: bytes
    queue: str = ''
    ended: bytes = b'-'


class Action(NamedTuple):
    """One action: its name, used once, and when it began (ms of server time); later failures are not touched."""

    name: str
    began: int


def _call(
    verb: str, action: Action, number: int, chosen: Sequence[Chosen], options: tuple[bool, bool], now: float | str
) -> Call[list[bool]]:
    """Answers for each job that was looked at, from the first on, whether it was changed: perhaps not for all."""

    def decode(reply: Any) -> list[bool]:
        return [letter == ord('1') for letter in reply]

    words: list[Argument] = [now, action.began, number, int(options[0]), int(options[1])]
    for one in chosen:
        words += [one.job_id, one.queue, one.ended]
    return Call(load(verb), [keys.bulk(action.name)], words, decode)


def requeue_many(
    action: Action, number: int, chosen: Sequence[Chosen], front: bool = False, now: float | str = ''
) -> Call[list[bool]]:
    """Queue them again, in this order."""
    return _call('requeue_many', action, number, chosen, (front, False), now)


def delete_many(
    action: Action, number: int, chosen: Sequence[Chosen], with_dependents: bool = False, now: float | str = ''
) -> Call[list[bool]]:
    """Remove them. Those who waited for them go on, or are deleted with them."""
    return _call('delete_many', action, number, chosen, (with_dependents, False), now)


def cancel_many(
    action: Action,
    number: int,
    chosen: Sequence[Chosen],
    release_dependents: bool = False,
    forget_dependencies: bool = False,
    now: float | str = '',
) -> Call[list[bool]]:
    """Cancel them; their dependents may be released, and their dependencies forget them."""
    return _call('cancel_many', action, number, chosen, (release_dependents, forget_dependencies), now)
