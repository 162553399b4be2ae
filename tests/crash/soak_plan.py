"""Which jobs the producers of the soak make: all of it follows from the seed, the producer's number and the job's."""

import random
from collections.abc import Callable
from typing import Any, NamedTuple

CRASHES = ('HorseKilledError', 'AbandonedJobError', 'PoisonJobError')


class Wish(NamedTuple):
    """One job: how it is made, what it comes to when nobody harms it, and what its producer does to it later."""

    id: str
    kind: str
    func: str
    args: list[Any] = []
    end: str = 'finished'  # or the name of the exception it fails with; `asked` when it asks for too many retries
    how: str = 'enqueue'  # or in, many, unique
    delay: float = 0.0
    timeout: int = 0
    retries: int = 0
    interval: int = 0
    repeats: int = 0
    asks: int = 0
    calls_back: bool = False
    limit: str = ''
    after: list[str] = []
    later: list[Any] = []  # (seconds, verb) pairs


Make = Callable[[str, str, random.Random], list[Wish]]


def _one(func: str, **words: Any) -> Make:
    def make(name: str, kind: str, chance: random.Random) -> list[Wish]:
        given = {key: value(chance) if callable(value) else value for key, value in words.items()}
        return [Wish(name, kind, func, **given)]

    return make


def _pause(low: float, high: float) -> Callable[[random.Random], list[float]]:
    return lambda chance: [round(chance.uniform(low, high), 3)]


def _soon(verb: str, low: float, high: float) -> Callable[[random.Random], list[Any]]:
    return lambda chance: [[round(chance.uniform(low, high), 2), verb]]


def _chain(name: str, kind: str, chance: random.Random) -> list[Wish]:
    ids = [f'{name}-{place}' for place in range(3)]
    return [
        Wish(one, kind, 'short', [round(chance.uniform(0, 0.1), 3)], after=ids[place - 1 : place] if place else [])
        for place, one in enumerate(ids)
    ]


def _fan(name: str, kind: str, chance: random.Random) -> list[Wish]:
    """Two parents, three children of both."""
    parents = [Wish(f'{name}-p{place}', kind, 'short', [0.05]) for place in range(2)]
    above = [parent.id for parent in parents]
    return parents + [Wish(f'{name}-c{place}', kind, 'short', [0.01], after=above) for place in range(3)]


def _bulk(name: str, kind: str, chance: random.Random) -> list[Wish]:
    return [Wish(f'{name}-{place}', kind, 'short', [0.005], how='many') for place in range(chance.randint(5, 30))]


#: kind -> weight, and how it is made
KINDS: dict[str, tuple[float, Make]] = {
    'short': (30, _one('short', args=_pause(0, 0.03))),
    'long': (2, _one('short', args=_pause(1, 4), retries=2)),
    'long without retries': (1, _one('short', args=_pause(1, 4))),
    'with callbacks': (8, _one('short', args=_pause(0, 0.03), calls_back=True)),
    'raising': (5, _one('raising', end='ValueError', calls_back=True)),
    'flaky': (6, _one('flaky', args=[2, 4], retries=4, calls_back=True)),
    'flaky, later': (4, _one('flaky', args=[1, 3], retries=3, interval=1)),
    'hopeless': (2, _one('raising', end='ValueError', retries=1, calls_back=True)),
    'asking': (2, _one('asking', args=[2, 5, 0], asks=5)),
    'asking, later': (2, _one('asking', args=[1, 5, 1], asks=5)),
    'insisting': (1, _one('asking', args=[9, 1, 0], asks=1, end='asked')),
    'sleepy': (1.5, _one('sleepy', args=[30], timeout=1, end='JobTimeoutException', calls_back=True)),
    'stubborn': (0.2, _one('stubborn', args=[30], timeout=1, end='JobTimeoutException')),
    'dying': (1.5, _one('dying', args=['SIGKILL'], end='HorseKilledError', calls_back=True)),
    'leaving': (1, _one('dying', args=['leave'], end='HorseKilledError')),
    'crashing': (1, _one('dying', args=['SIGSEGV'], end='HorseKilledError', retries=1)),
    'with children': (1, _one('with_children', args=lambda c: [c.randrange(10**6)], end='HorseKilledError')),
    'huge error': (0.3, _one('raising', args=[1_000_000], end='ValueError')),
    'chain': (2, _chain),
    'fan': (1.5, _fan),
    'scheduled': (5, _one('short', how='in', delay=lambda c: round(c.uniform(0.5, 8), 2))),
    'repeating': (2, _one('short', repeats=2, interval=lambda c: c.randrange(2), calls_back=True)),
    'limited': (5, _one('short', args=_pause(0, 0.1), limit=lambda c: c.choice(['few', 'one']))),
    'unique': (2, _one('short', how='unique')),
    'bulk': (1, _bulk),
    'canceled': (3, _one('short', args=_pause(0, 1), later=_soon('cancel', 0, 1.5))),
    'deleted': (3, _one('short', args=_pause(0, 1), later=_soon('delete', 0, 1.5))),
    'stopped': (1, _one('short', args=_pause(2, 5), calls_back=True, later=_soon('stop', 0, 2))),
    'requeued': (2, _one('raising', end='ValueError', calls_back=True, later=_soon('requeue', 1, 3))),
    'twice': (3, _one('short', args=_pause(0, 0.5), later=_soon('again', 0, 1))),
}
LIMITS = {'few': 3, 'one': 1}


def wishes(seed: int, producer: int, number: int) -> list[Wish]:
    """The jobs that a producer makes at this step."""
    chance = random.Random(f'{seed} {producer} {number}')
    kind = chance.choices(list(KINDS), [weight for weight, _ in KINDS.values()])[0]
    return KINDS[kind][1](f'p{producer}-{number}', kind, chance)
