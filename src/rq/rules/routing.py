"""In which order queues are tried, and how the order changes when one was served.

Works on whatever stands for a queue, names or objects. Which queue has a job is not known here.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from random import Random
from typing import TypeVar

T = TypeVar('T')


class DequeueStrategy(str, Enum):  # noqa: UP042 - str() of a StrEnum would differ from RQ's
    """How a worker orders its queues."""

    DEFAULT = 'default'
    ROUND_ROBIN = 'round_robin'
    RANDOM = 'random'


# The address under which programs know it, which is also where pickles look for it.
DequeueStrategy.__module__ = 'rq.worker'


def round_robin(queues: Sequence[T], served: T | None) -> list[T]:
    """The queues rotated so that the served one comes last; unchanged when it is not among them."""
    order = list(queues)
    if served is None or served not in order:
        return order
    cut = order.index(served) + 1
    return order[cut:] + order[:cut]


def shuffled(queues: Sequence[T], rng: Random) -> list[T]:
    """The queues in an order drawn from `rng`."""
    return rng.sample(list(queues), len(queues))


def reorder(strategy: str, queues: Sequence[T], served: T | None, rng: Random) -> list[T]:
    """The order for the next claim, after `served` gave a job; `ValueError` for an unknown strategy."""
    if strategy == DequeueStrategy.DEFAULT:
        return list(queues)
    if strategy == DequeueStrategy.ROUND_ROBIN:
        return round_robin(queues, served)
    if strategy == DequeueStrategy.RANDOM:
        return shuffled(queues, rng)
    known = ', '.join(repr(member.value) for member in DequeueStrategy)
    raise ValueError(f'{strategy!r} is no dequeue strategy: choose one of {known}')
