"""The bars that this project set itself, as data, and how the figures of one run stand against them."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from catalog import PEERS, Variant

Row = dict[str, Any]
IDEAL_IO = 2000.0  # jobs a second: 100 side by side, 50 ms each


@dataclass(frozen=True)
class Setting:
    """One setting of one queue with its runs in one suite, by repetition."""

    peer: str
    variant: str
    runs: dict[int, Row]

    @property
    def label(self) -> str:
        """`Dramatiq, 1 thread`."""
        return f'{PEERS[self.peer].title}, {self.variant}'

    @property
    def described(self) -> Variant:
        """What the catalog says of it."""
        return next(one for one in PEERS[self.peer].variants if one.name == self.variant)

    def median(self, figure: str) -> float:
        """The middle value of a figure."""
        return statistics.median(run[figure] for run in self.runs.values())


def settings_of(runs: list[Row], suite: str) -> list[Setting]:
    """The settings that have figures in a suite."""
    found: dict[tuple[str, str], dict[int, Row]] = {}
    for run in runs:
        if run['suite'] == suite and 'error' not in run:
            found.setdefault((run['peer'], run['variant']), {})[run['repetition']] = run
    return [Setting(peer, variant, by_repetition) for (peer, variant), by_repetition in found.items()]


def best(settings: list[Setting], figure: str, least: bool = False) -> Setting | None:
    """The setting with the best median."""
    if not settings:
        return None
    return (min if least else max)(settings, key=lambda one: one.median(figure))


def ratio(ours: Setting, other: Setting, figure: str) -> float:
    """The median of the ratios, repetition by repetition: runs close in time on a machine whose speed drifts."""
    both = [key for key in ours.runs if key in other.runs]
    if not both:
        return ours.median(figure) / (other.median(figure) or 1e-9)
    return statistics.median(ours.runs[key][figure] / (other.runs[key][figure] or 1e-9) for key in both)


def python(one: Setting) -> bool:
    """A queue written in Python."""
    return one.peer != 'ours' and PEERS[one.peer].core == 'Python'


def careful(one: Setting) -> bool:
    """Python, and a crash of the worker does not lose the job; Celery as it is by default counts too."""
    return python(one) and (one.described.acknowledges or one.peer == 'celery')


def anybody(one: Setting) -> bool:
    """Every queue but ours."""
    return one.peer != 'ours'


def only(*names: str) -> Callable[[Setting], bool]:
    """These queues."""
    return lambda one: one.peer in names


@dataclass(frozen=True)
class Bar:
    """One row: our best setting of a suite against the best of some rivals, or against a fixed figure."""

    work: str
    suite: str
    bar: float
    rivals: Callable[[Setting], bool] | None = None
    figure: str = 'rate'
    least: bool = False  # small is good: the ratio or figure must be at most the bar
    rivals_in: str = ''
    fixed: float = 1.0  # what our figure is divided by where there are no rivals
    unit: str = ''
    ours: str = ''  # our setting; else the best
    aim: float | None = None


BARS = (
    Bar('fresh process per job, 1 worker', 'fresh', 5.0, only('rq'), aim=8.0),
    Bar('process used again, one by one', 'reused', 1.3, careful),
    Bar('the same, beside huey and WakaQ', 'reused', 1.0, only('huey', 'wakaq')),
    Bar('the same with `--batch-ms 20`', 'batched', 3.0, python, rivals_in='reused'),
    Bar('both cores, no-op', 'cores', 2.5, python),
    Bar('both cores, no-op, beside a Rust core', 'cores', 1.0, only('ardiq')),
    Bar('failing jobs', 'failing', 1.0, anybody),
    Bar('retries, executions/s', 'retry', 1.8, anybody),
    Bar('2,000 jobs waiting 50 ms, 100 side by side', 'io', 0.95, fixed=IDEAL_IO, unit=' of the ideal'),
    Bar('enqueue one by one', 'enqueue', 4.0, only('rq')),
    Bar('enqueue in bulk', 'bulk', 1.0, only('ardiq')),
    Bar('idle to start, fork, p50', 'latency', 2.0, figure='p50', least=True, unit=' ms', ours='fork'),
    Bar('idle to start, fork, p99', 'latency', 4.0, figure='p99', least=True, unit=' ms', ours='fork'),
    Bar('idle to start, used again, p50', 'latency', 0.7, figure='p50', least=True, unit=' ms', ours='inline'),
    Bar('idle to start, used again, p99', 'latency', 1.0, figure='p99', least=True, unit=' ms', ours='inline'),
    Bar('server CPU per job, used again', 'reused', 1 / 6, only('rq'), figure='server_cpu', least=True),
    Bar('server CPU per job, fresh process', 'fresh', 1 / 6, only('rq'), figure='server_cpu', least=True),
    Bar('server memory per queued job', 'enqueue', 0.75, only('rq'), figure='bytes', least=True),
)


@dataclass(frozen=True)
class Verdict:
    """How one bar came out."""

    bar: Bar
    ours: Setting
    rival: Setting | None
    value: float

    @property
    def reached(self) -> bool:
        """At least, or at most, what was asked."""
        return self.value <= self.bar.bar if self.bar.least else self.value >= self.bar.bar


def cost(one: Setting) -> float | None:
    """CPU seconds of worker and server for 1,000 jobs: what other load on the machine disturbs least."""
    first = next(iter(one.runs.values()))
    figure = 'producer_cpu' if 'producer_cpu' in first else 'worker_cpu'
    return one.median(figure) + one.median('server_cpu') if figure in first else None


def judge(runs: list[Row]) -> list[Verdict]:
    """Every bar that these runs can answer."""
    found = []
    for bar in BARS:
        mine = [one for one in settings_of(runs, bar.suite) if one.peer == 'ours' and bar.ours in ('', one.variant)]
        ours = best(mine, bar.figure, bar.least)
        if ours is None:
            continue
        if bar.rivals is None:
            found.append(Verdict(bar, ours, None, ours.median(bar.figure) / bar.fixed))
            continue
        others = [one for one in settings_of(runs, bar.rivals_in or bar.suite) if bar.rivals(one)]
        rival = best(others, bar.figure, bar.least)
        if rival is not None:
            found.append(Verdict(bar, ours, rival, ratio(ours, rival, bar.figure)))
    return found
