"""Backoff, policies as text, and the decision: pure, so tried with anything."""

import json
import pickle
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rq.rules.backoff import LONGEST_WAIT, Backoff
from rq.rules.policy import Policy, policy_text, read_policy
from rq.rules.retry import (
    WRITTEN,
    Case,
    GiveUp,
    HandBack,
    Retry,
    Stop,
    TryAgain,
    checked_wait,
    decide,
    decide_returned,
    interval_after_failure,
)
from rq.rules.retry_plan import LISTED, plan

BACKOFFS = st.builds(
    lambda base, factor, more, jitter: Backoff(base, factor, base + more, jitter),
    st.floats(0.001, 10_000),
    st.floats(1, 100),
    st.floats(0, 100_000),
    st.booleans(),
)
NAMES = st.lists(st.sampled_from(['a.A', 'a.B', 'builtins.ValueError', 'x.y.Z']), max_size=3, unique=True).map(tuple)
TIMES = st.none() | st.floats(1, 2**33)
POLICIES = st.builds(Policy, st.integers(1, 500), st.none() | BACKOFFS, st.sampled_from(['', 'a.f']), NAMES, NAMES,
                     TIMES, TIMES, TIMES)  # fmt: skip
CASES = st.builds(
    Case, NAMES, st.booleans(), st.booleans(), st.none() | st.integers(0, 10**6), st.none() | st.integers(0, 10**6),
    st.floats(0, 100), st.floats(0.000001, 1), st.floats(0, 2**33), TIMES,
)  # fmt: skip
KINDS = st.sampled_from(['failed', 'stopped', 'interrupted'])
LEFT = st.none() | st.integers(-2, 600)


@given(BACKOFFS, st.integers(1, 10_000), st.floats(0.000001, 1))
def test_waits_grow_up_to_their_cap(backoff: Backoff, attempt: int, draw: float) -> None:
    longest = backoff.longest(attempt)
    assert 1 <= longest <= backoff.longest(attempt + 1) <= backoff.cap + 1
    assert 1 <= backoff.wait(attempt, draw) <= longest
    assert backoff.wait(attempt, 1) == longest


def test_backoff_by_hand() -> None:
    assert [Backoff(1, 2, 30).longest(number) for number in (1, 2, 3, 5, 6, 99)] == [1, 2, 4, 16, 30, 30]
    assert [Backoff(10, 2, 600).wait(2, draw) for draw in (0.001, 0.5, 1)] == [1, 10, 20]
    assert Backoff(factor=1, base=7).longest(50) == 7
    assert Backoff() == Backoff(1, 2, 600, True) and len({Backoff(), Backoff()}) == 1
    assert repr(Backoff(cap=60)) == 'Backoff(base=1, factor=2, cap=60, jitter=True)'


@pytest.mark.parametrize(
    ('words', 'error', 'text'),
    [
        ({'base': 0}, ValueError, 'base=0 leaves nothing to grow'),
        ({'factor': 0.5}, ValueError, 'factor=0.5 lets the waits shrink'),
        ({'base': 10, 'cap': 5}, ValueError, 'cap=5 is less than base=10'),
        ({'cap': 10**12}, ValueError, 'more than ten years'),
        ({'cap': float('nan')}, ValueError, 'no finite number'),
        ({'base': '1'}, TypeError, "base='1' \\(str\\) is no number"),
        ({'base': True}, TypeError, 'base=True'),
    ],
)
def test_backoffs_that_are_none(words: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        Backoff(**words)


# --- stored ---------------------------------------------------------------------------------------------------------


@given(POLICIES)
def test_a_policy_comes_back_from_its_text(policy: Policy) -> None:
    assert read_policy(policy_text(policy)) == policy


def test_numbers_of_any_kind_can_be_stored() -> None:
    backoff = Retry(max=3, interval=Backoff(Fraction(1, 2), Fraction(2), 60)).policy.backoff
    assert (backoff.base, backoff.factor) == (0.5, 2)


def test_texts_are_short() -> None:
    policy = Retry.exponential(8, deadline=3600).policy
    assert policy is not None
    assert policy_text(policy) == '{"m":8,"b":[1,2,600,1],"d":3600}'
    assert len(policy_text(policy.bound(1_900_000_000.123456))) <= 64
    assert policy.bound(1000.0).unbound() == policy


@given(st.text(max_size=60) | st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5) | st.integers(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from('mbfondau'), inner, max_size=6),
    max_leaves=12,
).map(json.dumps))  # fmt: skip
def test_what_is_no_policy_is_a_value_error(text: str) -> None:
    try:
        found = read_policy(text)
    except ValueError:
        return
    assert isinstance(found, Policy) and read_policy(policy_text(found)) == found


def test_newer_words_are_passed_over() -> None:
    assert read_policy('{"m":3,"z":[1]}') == Policy(3)
    with pytest.raises(ValueError, match='too many'):
        read_policy('{"m":3,"f":"' + 'x' * 20_000 + '"}')


# --- Retry ----------------------------------------------------------------------------------------------------------


def interval(attempt: int, error: BaseException) -> int:
    return attempt


class Local(Exception):
    """For names."""


def test_a_plain_retry_has_no_policy() -> None:
    assert Retry(3).policy is None and vars(Retry(3)) == {'max': 3, 'intervals': [0], 'enqueue_at_front': False}


def test_words_of_a_retry() -> None:
    retry = Retry(3, [1, 2], on=(Local, 'KeyError', 'a.B'), never=OSError, deadline=timedelta(minutes=1))
    assert retry.policy == Policy(
        3, on=(f'{__name__}.Local', 'builtins.KeyError', 'a.B'), never=('builtins.OSError',), deadline=60.0
    )
    assert retry.intervals == [1, 2]
    assert repr(retry) == (
        f"Retry(max=3, interval=[1, 2], on=['{__name__}.Local', 'builtins.KeyError', 'a.B'], "
        "never=['builtins.OSError'], deadline=60)"
    )
    assert Retry(1, on='IOError').policy == Policy(1, on=('builtins.OSError',))
    moment = datetime(2031, 1, 1, tzinfo=UTC)
    assert Retry(1, deadline=moment).policy == Policy(1, moment=moment.timestamp())
    for given_as in (interval, f'{__name__}.interval'):
        asking = Retry(4, interval=given_as)
        assert asking.policy == Policy(4, function=f'{__name__}.interval') and asking.intervals == [1, 2, 4, 8]
    assert repr(Retry.exponential(2, enqueue_at_front=True, jitter=False)) == (
        'Retry(max=2, interval=Backoff(base=1, factor=2, cap=600, jitter=False), enqueue_at_front=True)'
    )


def test_it_travels_as_plain_values() -> None:
    retry = Retry.exponential(3, on=KeyError)
    data = pickle.dumps(retry, 5)
    assert b'Backoff' not in data and b'Policy' not in data and b'rules' not in data  # RQ 3.0 must load it
    assert pickle.loads(data).policy == retry.policy


class Callable:
    """A bound method cannot be imported."""

    def method(self, attempt: int, error: Any) -> int:
        return 1


@pytest.mark.parametrize(
    ('words', 'error', 'text'),
    [
        ({'on': 3}, TypeError, 'on=3 \\(int\\) is no exception class'),
        ({'on': [int]}, TypeError, 'is no exception class'),
        ({'on': []}, ValueError, 'leave on out'),
        ({'never': 'Weather'}, ValueError, 'package.module.Weather'),
        ({'never': 'a..b'}, ValueError, 'no dotted name'),
        ({'never': 'a b.c'}, ValueError, 'no dotted name'),
        ({'on': ['a.b' + 'c' * 300]}, ValueError, '256 are allowed'),
        ({'on': [f'a.b{number}' for number in range(40)]}, ValueError, 'a common base'),
        ({'on': type('Mine', (Exception,), {'__module__': '__main__'})}, ValueError, '__main__'),
        ({'deadline': 0}, ValueError, 'leaves no time'),
        ({'deadline': float('inf')}, ValueError, 'leaves no time'),
        ({'deadline': '1h'}, TypeError, "deadline='1h' \\(str\\) is no time"),
        ({'deadline': True}, TypeError, 'is no time'),
        ({'deadline': datetime(2031, 1, 1)}, ValueError, 'aware'),  # noqa: DTZ001
        ({'interval': lambda attempt, error: 1}, ValueError, 'cannot be imported'),
        ({'interval': Callable().method}, ValueError, 'cannot be imported'),
        ({'interval': None}, TypeError, 'no Backoff'),
        ({'interval': 'soon'}, TypeError, "interval 'soon'"),
        ({'interval': 'a.b c'}, ValueError, 'no dotted name'),
        ({'interval': float('nan')}, ValueError, 'no finite number'),
    ],
)
def test_words_that_are_refused(words: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        Retry(2, **words)


@given(BACKOFFS, st.integers(1, 300))
def test_written_intervals_are_what_rq_waits(backoff: Backoff, most: int) -> None:
    """A worker of RQ 3.0 waits the longest time of each retry; of very many the last ones are written down."""
    intervals = Retry(most, backoff).intervals
    assert len(intervals) == min(most, WRITTEN) and all(type(one) is int for one in intervals)
    for left in range(1, most + 1):
        theirs = interval_after_failure(intervals, left)
        assert theirs == backoff.longest(max(most - left + 1, most - WRITTEN + 1))


# --- the decision ---------------------------------------------------------------------------------------------------


@given(KINDS, LEFT, st.integers(0, 1000), st.booleans(), st.none() | POLICIES, CASES)
def test_the_decision(
    kind: str, left: int | None, seconds: int, retryable: bool, policy: Policy | None, case: Case
) -> None:
    found = decide(kind, left, seconds, retryable, policy, case)
    if kind != 'failed':
        assert found == (Stop() if kind == 'stopped' else HandBack())
        return
    if left is None or left <= 0 or not retryable or case.is_refused:
        assert isinstance(found, GiveUp)
        return
    if isinstance(found, GiveUp):
        assert policy is not None  # a plain Retry gives up for these reasons only
        assert found.why
        covered = case.is_asked or policy.covers(case.mro)
        assert not covered or policy.has_deadline or policy.until is not None
        return
    assert isinstance(found, TryAgain)
    assert found.retries_left == left - 1 and found.interval >= case.least
    if policy is not None:
        end = policy.end(case.enqueued)
        assert end is None or case.now + found.interval <= end
        assert case.is_asked or not set(policy.never) & set(case.mro)
        assert case.is_asked or not policy.on or set(policy.on) & set(case.mro)
    if case.is_asked and case.wish is not None:
        assert found.interval == max(case.wish, case.least)
    elif case.advised is not None:
        assert found.interval == max(case.advised, case.least)
    elif policy is None or policy.backoff is None:
        assert found.interval == max(seconds, case.least)
    else:
        assert found.interval <= max(policy.backoff.longest(policy.attempt(left)), case.least)


@given(LEFT, POLICIES, CASES, st.floats(0, 2**33))
def test_a_bound_deadline_does_not_move(left: int | None, policy: Policy, case: Case, later: float) -> None:
    bound = policy.bound(case.enqueued)
    if bound.until is not None:
        assert bound.end(later) == bound.until and bound.bound(later) == bound


@given(st.integers(0, 20), st.integers(1, 20), st.integers(0, 1000), st.lists(POLICIES, max_size=2), CASES)
def test_returned_retries(made: int, most: int, seconds: int, policies: list[Policy], case: Case) -> None:
    found = decide_returned(made, most, seconds, policies, case)
    if made >= most:
        assert found == GiveUp(f'it asked for more than {most} retries')
    elif isinstance(found, TryAgain):
        ends = [policy.end(case.enqueued) for policy in policies]
        assert all(end is None or case.now + found.interval <= end for end in ends)
    else:
        assert any(policy.end(case.enqueued) is not None for policy in policies)


@pytest.mark.parametrize('bad', [None, '5', True, -1, float('nan'), float('inf')])
def test_waits_that_are_none(bad: Any) -> None:
    with pytest.raises((TypeError, ValueError), match='is no wait'):
        checked_wait(bad)


def test_waits() -> None:
    assert [checked_wait(one) for one in (0, 1.2, timedelta(minutes=1), 1e300)] == [0, 2, 60, LONGEST_WAIT]


# --- the preview ----------------------------------------------------------------------------------------------------


@given(st.integers(0, 300), st.lists(st.integers(0, 1000), min_size=1, max_size=5), st.none() | POLICIES, TIMES)
def test_plans_add_up(left: int, intervals: list[int], policy: Policy | None, room: float | None) -> None:
    steps = plan(left, intervals, policy, room)
    assert len(steps) <= min(left, LISTED)
    least = most = 0
    for number, step in enumerate(steps, 2):
        least, most = least + step.least, most + step.most
        assert (step.attempt, step.total_least, step.total_most) == (number, least, most)
        assert 0 <= step.least <= step.most
        assert step.is_made is (True if room is None or most <= room else False if least > room else None)
    assert all(step.is_made is not False for step in steps[:-1])
