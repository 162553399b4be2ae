"""The work that any worker does for all: what there is of it, and whose turn it is. Typed faces.

However large a fleet is, each piece is done as often as one worker would do it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from rq.store import aside, failures, keys
from rq.store.call import Call
from rq.store.scripts import load

#: milliseconds between two batches of due jobs of a queue, or of dependents: others want the server, too
PROMOTE_PAUSE = 20


class Chores(NamedTuple):
    """What is to be done now: news to tell, dependents to release, failures to tidy; queues to promote and to sweep."""

    news: bool
    dependents: bool
    tidy: bool
    promote: list[str]
    sweep: list[str]


def look(
    queues: Sequence[str],
    promote_pause: int = PROMOTE_PAUSE,
    sweep_pause: int = aside.PAUSE,
    tidy_pause: int = failures.PAUSE,
    now: float | str = '',
) -> Call[Chores]:
    """What there is to do; a queue to promote is the caller's for the length of the pause."""
    names = [keys.OUTBOX, keys.RELEASING, keys.TIDYING, keys.TURNS]
    for queue in queues:
        names += [keys.place('scheduled', queue), keys.sweep(queue), keys.turns(queue)]

    def decode(reply: list[Any]) -> Chores:
        news, dependents, tidy = map(bool, reply[:3])
        return Chores(news, dependents, tidy, _those(queues, reply[3::2]), _those(queues, reply[4::2]))

    return Call(load('look'), names, [now, promote_pause, sweep_pause, tidy_pause], decode)


def turns(queues: Sequence[str], work: str, pause: int, now: float | str = '') -> Call[list[str]]:
    """Of these queues, those for which the caller is to do some work; nobody else is for so many milliseconds."""

    names = [keys.turns(queue) for queue in queues]
    return Call(load('turns'), names, [now, work, pause], lambda reply: _those(queues, reply))


def _those(queues: Sequence[str], answers: Sequence[int]) -> list[str]:
    return [queue for queue, is_meant in zip(queues, answers, strict=True) if is_meant]
