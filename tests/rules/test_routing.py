"""The order in which queues are tried."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rq.rules.routing import DequeueStrategy, reorder, round_robin

NAMES = st.lists(st.text(max_size=3), min_size=1, max_size=6, unique=True)


@given(NAMES, st.data())
def test_round_robin_puts_the_served_queue_last_and_keeps_the_circle(names, data):
    served = data.draw(st.sampled_from(names))
    order = reorder('round_robin', names, served, Random(0))
    assert order[-1] == served
    start = names.index(order[0])
    assert order == names[start:] + names[:start]


@given(NAMES)
def test_round_robin_serves_everybody_once_in_a_round(names):
    order, served = names, []
    for _ in names:
        served.append(order[0])
        order = round_robin(order, order[0])
    assert served == names
    assert order == names


@given(NAMES, st.integers())
def test_random_is_a_permutation_given_by_the_generator(names, seed):
    order = reorder(DequeueStrategy.RANDOM, names, None, Random(seed))
    assert sorted(order) == sorted(names)
    assert order == reorder('random', names, None, Random(seed))


@pytest.mark.parametrize('served', [None, 'b', 'elsewhere'])
def test_default_is_strict_priority(served):
    assert reorder('default', ['a', 'b', 'c'], served, Random(0)) == ['a', 'b', 'c']


@pytest.mark.parametrize('served', [None, 'elsewhere'])
def test_round_robin_without_a_queue_served_changes_nothing(served):
    assert round_robin(['a', 'b'], served) == ['a', 'b']


def test_unknown_strategies_are_refused_and_the_known_ones_named():
    with pytest.raises(ValueError, match="'fair'.*'default', 'round_robin', 'random'"):
        reorder('fair', ['a'], None, Random(0))
