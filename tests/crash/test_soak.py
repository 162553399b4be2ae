"""A short soak: all of its parts, and the promises it is about. `make soak` runs it for as long as asked."""

import random

import pytest

from tests.crash.soak import Soak
from tests.crash.soak_faults import all_kinds
from tests.crash.soak_plan import KINDS, wishes

pytestmark = pytest.mark.crash

SEED = 4  # of the short one: its faults come from every group
GROUPS = set('ABCDGHI')  # E and F are in the jobs: timeouts, callbacks, handlers


@pytest.mark.slow
@pytest.mark.parametrize('mixed', [False, True], ids=['fork', 'mixed'])
def test_soak(mixed: bool) -> None:
    """Half a minute: nothing lost, nothing unexpected, no more extra executions than crashes have met."""
    soak = Soak(minutes=0.4, seed=SEED, period=1.5, mixed=mixed)
    report = soak.run()
    print(report.text())  # pytest shows it when the test failed
    assert report.violations == []
    assert report.rows['lost'] == report.rows['unexpected'] == 0
    assert report.rows['extra executions'] <= report.rows['executions in hand at crashes' if mixed else 'crashes']
    assert report.rows['accepted'] > 150 and report.rows['faults'] >= 13
    assert soak.directory.exists() is False


def test_seeded() -> None:
    """The same seed gives the same jobs; every kind of job and of fault can come."""
    assert wishes(7, 1, 30) == wishes(7, 1, 30) != wishes(8, 1, 30)
    seen = {wish.kind for number in range(5000) for wish in wishes(7, 0, number)}
    assert seen == set(KINDS)
    kinds = all_kinds()
    assert {kind.group for kind in kinds} == GROUPS
    assert len({kind.name for kind in kinds}) == len(kinds)
    for kind in kinds:
        assert kind.draw(random.Random(1)) == kind.draw(random.Random(1))
