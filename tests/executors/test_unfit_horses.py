"""A horse that turns out unfit hands on what it was given meanwhile; whoever was to take it may be dead already."""

import os
import select
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rq.executors.base import Ended, Running
from rq.executors.grooming import Terms
from rq.executors.horse import Reporter
from rq.executors.horses import Stable
from rq.rules.lease import Lease
from tests.crash.driver import alive
from tests.waiting import wait_until


class Task:
    """Stands for a job."""

    timeout = 60

    def __init__(self, place: Path, name: str) -> None:
        self.place, self.name = place, name


def ride(brief: dict[str, Any], reporter: Reporter) -> bool:
    """Reports when it may, and is unfit when that is said."""
    place, name = Path(brief['place']), brief['name']
    (place / name).write_text(str(os.getpid()))
    wait_until((place / f'{name} ends').exists, 30, f'{name} ends')
    reporter.send({'do': 'done'})
    wait_until((place / 'all are unfit').exists, 30, 'it is found out')
    return False


def _never(*_: Any) -> Any:
    raise AssertionError('nobody asks for this')


@pytest.fixture(params=[True, False], ids=['nursery', 'alone'])
def stable(request: Any) -> Iterator[Stable]:
    one = Stable(
        lambda running: {'place': str(running.job.place), 'name': running.job.name},
        ride, _never, lambda reporter=None: None, lambda: None, _never,
        60, 2, terms=Terms(),
    )  # fmt: skip
    if request.param:
        one.open()
    try:
        yield one
    finally:
        one.close()


def test_the_heir_is_dead(stable: Stable, tmp_path: Path) -> None:
    ended: list[Ended] = []

    def start(name: str) -> None:
        stable.start(Running(Task(tmp_path, name), None, None, Lease(name, name, 'q', 'w'), {}))
        wait_until(lambda: name == 'last' or (tmp_path / name).exists(), 10, f'{name} begins')

    def until(condition: Callable[[], Any], what: str) -> None:
        def look() -> Any:
            select.select(stable.descriptors(), [], [], 0.05)
            ended.extend(stable.poll())
            return condition()

        wait_until(look, 10, what)

    start('first')
    start('second')
    for number, name in enumerate(('second', 'first'), 1):
        (tmp_path / f'{name} ends').touch()
        until(lambda number=number: len(ended) == number, f'{name} has reported')
    start('last')  # given to the first horse, which will not do it
    (tmp_path / 'last ends').touch()
    pids = [int((tmp_path / name).read_text()) for name in ('first', 'second')]
    (tmp_path / 'all are unfit').touch()
    wait_until(lambda: not any(map(alive, pids)), 10, 'both horses have left')
    until(lambda: len(ended) == 3, 'the last one has been done by a third')
    assert ended[2].running.job.name == 'last' and ended[2].reported
    assert int((tmp_path / 'last').read_text()) not in pids
