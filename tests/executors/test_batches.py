"""Batches: one horse, several jobs in order; what is begun when it dies, and what can be taken back until then."""

import os
import resource
import select
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from rq.executors.base import Ended, Running
from rq.executors.grooming import Terms
from rq.executors.horse import Reporter, frame
from rq.executors.horses import Stable
from rq.rules.lease import Lease
from rq.rules.watch import Why
from tests.waiting import wait_until


@dataclass
class Task:
    """Stands for a job: what is to be done, and where it is noted."""

    name: str
    then: str = ''
    timeout: int = 60


def ride(brief: dict[str, Any], reporter: Reporter) -> bool:
    """What a horse does with a task: leave a file, then end as it is told."""
    place = Path(brief['place'])
    (place / brief['name']).write_text(str(os.getpid()))
    if brief['then'] == 'dies':
        os._exit(9)
    if brief['then'] == 'waits':
        wait_until((place / 'go').exists, 30, 'it may go on')
    reporter.send({'do': 'done'})
    return bool(brief['then'] != 'spoils')


class Stage:
    """A stable with one horse, and what has come of its tasks."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.ended: list[Ended] = []
        self.stable = Stable(
            lambda running: {'place': str(place), **vars(running.job)},
            ride, _never, lambda reporter=None: None, lambda: None, _never,
            60, terms=Terms(),
        )  # fmt: skip

    def batch(self, *tasks: Task) -> list[Running]:
        jobs = [Running(task, None, None, Lease(task.name, task.name, 'q', 'w'), {}) for task in tasks]
        self.stable.start_batch(jobs)
        return jobs

    def until(self, condition: Callable[[], Any], what: str) -> None:
        def look() -> Any:
            select.select(self.stable.descriptors(), [], [], 0.05)
            self.ended += self.stable.poll()
            return condition()

        wait_until(look, 10, what)

    def began(self, name: str) -> None:
        self.until((self.place / name).exists, f'{name} begins')

    def all_end(self, count: int) -> None:
        self.until(lambda: len(self.ended) >= count, f'{count} have ended')

    def pid_of(self, name: str) -> int:
        return int((self.place / name).read_text())

    def ran(self) -> set[str]:
        return {path.name for path in self.place.iterdir()} - {'go'}


def _never(*_: Any) -> Any:
    raise AssertionError('nobody asks for this')


@pytest.fixture(params=[True, False], ids=['nursery', 'alone'])
def stage(request: Any, tmp_path: Path) -> Iterator[Stage]:
    one = Stage(tmp_path)
    if request.param:
        one.stable.open()
    try:
        yield one
    finally:
        one.stable.close()


def names(ended: list[Ended]) -> list[str]:
    return [one.running.job.name for one in ended]


def test_in_order_by_one_horse(stage: Stage) -> None:
    stage.batch(*(Task(f't{number}') for number in range(50)))
    stage.all_end(50)
    assert names(stage.ended) == [f't{number}' for number in range(50)]
    assert all(one.reported and not one.unbegun for one in stage.ended)
    stage.batch(Task('again'))
    stage.all_end(51)
    assert len({stage.pid_of(name) for name in stage.ran()}) == 1


def test_the_one_that_dies_takes_nobody_along(stage: Stage) -> None:
    stage.batch(Task('a'), Task('b', 'dies'), Task('c'), Task('d'))
    stage.all_end(4)
    a, b, c, d = stage.ended
    assert names(stage.ended) == ['a', 'b', 'c', 'd'] and stage.ran() == {'a', 'b'}
    assert a.reported and not b.reported and b.raw_status is not None and os.WEXITSTATUS(b.raw_status) == 9
    assert not b.unbegun and c.unbegun and d.unbegun


def test_taken_back(stage: Stage) -> None:
    jobs = stage.batch(Task('a', 'waits'), Task('b'), Task('c'))
    stage.began('a')
    assert stage.stable.take_back(jobs[:1]) == jobs[1:] and stage.stable.take_back(jobs) == []
    (stage.place / 'go').touch()
    stage.all_end(1)
    stage.batch(Task('d'), Task('e'))
    stage.batch(Task('f'))
    stage.all_end(4)
    assert sorted(names(stage.ended)) == ['a', 'd', 'e', 'f'] and stage.ran() == {'a', 'd', 'e', 'f'}
    assert stage.pid_of('a') == stage.pid_of('d') == stage.pid_of('e') != stage.pid_of('f')


def test_whoever_waits_can_be_killed_without_harm(stage: Stage) -> None:
    jobs = stage.batch(Task('a', 'waits'), Task('b'), Task('c'))
    stage.began('a')
    assert [stage.stable.pid_of(one) for one in jobs] == [stage.pid_of('a'), None, None]
    stage.stable.kill(jobs[1])
    stage.all_end(2)
    assert names(stage.ended) == ['b', 'c'] and all(one.unbegun for one in stage.ended)
    (stage.place / 'go').touch()
    stage.all_end(3)
    assert stage.ended[2].reported and stage.ran() == {'a'}


def test_whoever_runs_is_killed_alone(stage: Stage) -> None:
    jobs = stage.batch(Task('a'), Task('b', 'waits'), Task('c'))
    stage.began('b')
    stage.all_end(1)
    stage.stable.kill(jobs[1])
    stage.all_end(3)
    assert names(stage.ended) == ['a', 'c', 'b'] and stage.ended[1].unbegun
    assert os.WTERMSIG(stage.ended[2].raw_status or 0) == signal.SIGKILL


def test_whoever_has_ended_unheard_takes_nobody_along(stage: Stage) -> None:
    """It is to be killed, but the horse is at the next one already."""
    jobs = stage.batch(Task('a'), Task('b', 'waits'), Task('c'))
    wait_until((stage.place / 'b').exists, 10, 'b begins')
    stage.stable.kill(jobs[0])
    (stage.place / 'go').touch()
    stage.all_end(3)
    assert {one.running.job.name: (one.reported, one.unbegun) for one in stage.ended} == {
        'a': (True, False), 'b': (True, False), 'c': (False, True),
    }  # fmt: skip


def test_whoever_is_killed_unheard_is_not_given_another(stage: Stage) -> None:
    (job,) = stage.batch(Task('a'))
    wait_until(lambda: select.select(stage.stable.descriptors(), [], [], 0)[0], 10, 'it has reported')
    stage.stable.kill(job)
    stage.all_end(1)
    assert stage.ended[0].reported and stage.stable._idle == []
    stage.batch(Task('b'))
    stage.all_end(2)
    assert stage.ended[1].reported and stage.pid_of('a') != stage.pid_of('b')


def test_without_descriptors_none_is_lost(stage: Stage) -> None:
    before = open_descriptors()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(before) + 10, hard))
    held = []
    try:
        with pytest.raises(OSError):
            while True:
                held.append(os.open(os.devnull, os.O_RDONLY))
        for _ in range(4):
            with pytest.raises(OSError):
                stage.stable._order()
            if len(held) > 2:
                os.close(held.pop())
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for one in held:
            os.close(one)
    assert open_descriptors() == before


def open_descriptors() -> set[int]:
    return {number for number in range(512) if Path(f'/proc/self/fd/{number}').is_symlink()}


def test_time_begins_with_the_turn(stage: Stage) -> None:
    jobs = stage.batch(Task('a', timeout=100), Task('b', 'waits', timeout=5))
    assert jobs[0].watch.deadline is not None and jobs[1].watch.deadline is None
    stage.all_end(1)
    assert jobs[1].watch.deadline is not None and jobs[1].watch.deadline < jobs[0].watch.deadline


def test_what_an_unfit_horse_was_given_is_done_by_another(stage: Stage) -> None:
    stage.batch(Task('a', 'spoils'), Task('b'), Task('c'))
    stage.all_end(3)
    assert names(stage.ended) == ['a', 'b', 'c'] and all(one.reported for one in stage.ended)
    assert stage.pid_of('a') != stage.pid_of('b') == stage.pid_of('c')


def test_who_was_to_die_is_not_begun_by_another(stage: Stage) -> None:
    jobs = stage.batch(Task('a', 'spoils'), Task('b', 'waits'))
    jobs[1].watch.killed_for = Why.STOPPED
    stage.all_end(2)
    assert not stage.ended[1].reported and stage.ran() == {'a'}


def test_a_horse_that_dies_while_it_waits(stage: Stage) -> None:
    stage.batch(Task('a'))
    stage.all_end(1)
    os.kill(stage.pid_of('a'), signal.SIGKILL)
    stage.until(lambda: not stage.stable._horses, 'its end is seen')
    stage.batch(Task('b'))
    stage.all_end(2)
    assert stage.ended[1].reported and stage.pid_of('a') != stage.pid_of('b')


def test_a_spare_without_a_job_in_sight_waits(stage: Stage) -> None:
    """What it does once no job is in sight is for those with one job: this one would take it for a job."""
    stage.stable.practise = lambda: None
    stage.stable.prepare()
    (spare,) = stage.stable._spares
    stage.stable.prepare(0)
    stage.batch(Task('one'))
    stage.all_end(1)
    assert stage.ended[0].reported and stage.ran() == {'one'}
    assert [horse.end for horse in stage.stable._horses] == [spare.end]


def test_who_hears_what_is_no_brief_has_begun_nothing(stage: Stage) -> None:
    stage.stable.prepare()
    stage.stable._spares[0].end.sendall(frame('what'))
    stage.batch(Task('one'))
    stage.all_end(1)
    assert stage.ended[0].reported and stage.ran() == {'one'}
