"""Retry, and the intervals before each attempt."""

import pickle
import sys
import types

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rq.rules.retry import Retry, interval_after_failure, interval_of_returned

INTERVALS = st.lists(st.integers(0, 10**6), min_size=1, max_size=8)


def test_attributes():
    retry = Retry(3, interval=(10, 30), enqueue_at_front=True)
    assert (retry.max, retry.intervals, retry.enqueue_at_front) == (3, [10, 30], True)
    assert (Retry(1).intervals, Retry(1).enqueue_at_front) == ([0], False)
    assert Retry(2, iter([5])).intervals == [5]
    assert repr(retry) == 'Retry(max=3, interval=[10, 30], enqueue_at_front=True)'


@pytest.mark.parametrize('count', [0, -1])
def test_no_retry_is_no_retry(count):
    with pytest.raises(ValueError, match='leave the Retry out'):
        Retry(count)


@pytest.mark.parametrize('interval', [-1, [5, -1]])
def test_negative_intervals_are_refused(interval):
    with pytest.raises(ValueError, match='-1 is negative'):
        Retry(1, interval)


def test_intervals_that_are_no_numbers_are_refused():
    with pytest.raises(TypeError, match="interval '10'"):
        Retry(1, '10')


def test_it_pickles_under_its_public_address(monkeypatch):
    public = types.ModuleType('rq.job')
    public.Retry = Retry
    monkeypatch.setitem(sys.modules, 'rq.job', public)
    data = pickle.dumps(Retry(2, [1, 5], True), pickle.HIGHEST_PROTOCOL)
    assert b'rq.job' in data
    assert b'rules' not in data
    assert vars(pickle.loads(data)) == {'max': 2, 'intervals': [1, 5], 'enqueue_at_front': True}


@given(INTERVALS, st.integers(1, 20))
def test_after_failures_the_list_is_aligned_with_the_last_retries(intervals, retries):
    waited = [interval_after_failure(intervals, left) for left in range(retries, 0, -1)]
    surplus = max(retries - len(intervals), 0)
    assert waited == [intervals[0]] * surplus + intervals[len(intervals) - (retries - surplus) :]


@given(INTERVALS, st.integers(0, 20))
def test_returned_retries_go_through_the_list_and_stay_at_its_end(intervals, done):
    expected = intervals[done] if done < len(intervals) else intervals[-1]
    assert interval_of_returned(intervals, done) == expected
    assert Retry.get_interval(done, intervals) == expected


@pytest.mark.parametrize('none', [None, []])
def test_without_intervals_nobody_waits(none):
    assert interval_after_failure(none, 3) == 0
    assert interval_of_returned(none, 3) == 0
    assert Retry.get_interval(0, none) == 0


def test_edges():
    assert Retry.get_interval(4, 9) == 9
    assert interval_of_returned([7, 8], None) == 7
    # Asked with nothing left, as a reader may: the last interval, not an IndexError.
    assert interval_after_failure([7, 8], 0) == 8
    assert interval_after_failure([7, 8], None) == 8
