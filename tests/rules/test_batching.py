"""How many jobs the next batch has."""

from hypothesis import given
from hypothesis import strategies as st

from rq.defaults import MOST_IN_BATCH
from rq.rules.batching import BatchSize


def test_it_grows_step_by_step_and_shrinks_at_once() -> None:
    sizes = BatchSize(0.02)
    grown = []
    for _ in range(10):
        grown.append(sizes.size)
        sizes.learn(sizes.size, sizes.size * 1e-6)
    assert grown == [1, 2, 4, 8, 16, 32, 64, 64, 64, 64] and MOST_IN_BATCH == 64
    sizes.learn(64, 64 * 0.05)
    assert sizes.size == 1


def test_half_of_the_bound_is_planned_for() -> None:
    sizes = BatchSize(0.02)
    for _ in range(10):
        sizes.learn(sizes.size, sizes.size * 0.001)
    assert sizes.size == 10


def test_a_batch_of_which_nothing_ran_teaches_nothing() -> None:
    sizes = BatchSize(0.02)
    sizes.learn(1, 1e-6)
    sizes.learn(0, 5)
    assert sizes.size == 2


@given(st.lists(st.tuples(st.integers(0, 100), st.floats(0, 1000))), st.floats(0.001, 1))
def test_there_is_always_one_and_never_too_many(batches: list[tuple[int, float]], bound: float) -> None:
    sizes = BatchSize(bound)
    for jobs, seconds in batches:
        before = sizes.size
        sizes.learn(jobs, seconds)
        assert 1 <= sizes.size <= min(MOST_IN_BATCH, 2 * before)
