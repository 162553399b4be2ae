"""`Repeat`, and the arithmetic of the next repetition."""

from typing import Any

import pytest

from rq import Repeat
from rq.rules.repeat import next_repeat


@pytest.mark.parametrize(
    'interval, intervals',
    [(0, [0]), (7, [7]), ([1, 2], [1, 2]), ((3,), [3]), (range(2), [0, 1]), ([], [0])],
)
def test_made(interval: Any, intervals: list[int]) -> None:
    repeat = Repeat(times=3, interval=interval)
    assert (repeat.times, repeat.intervals) == (3, intervals)
    assert Repeat(3, interval) == repeat != Repeat(2, interval)


def test_default_is_at_once() -> None:
    assert Repeat(1).intervals == [0]


@pytest.mark.parametrize(
    'words, error',
    [
        ({'times': 0}, ValueError),
        ({'times': -1}, ValueError),
        ({'times': 1, 'interval': -1}, ValueError),
        ({'times': 1, 'interval': [1, -1]}, ValueError),
        ({'times': 1, 'interval': 'x'}, TypeError),
        ({'times': 1, 'interval': b'12'}, TypeError),
        ({'times': 1, 'interval': ['1']}, TypeError),
        ({'times': 1, 'interval': 1.5}, TypeError),
    ],
)
def test_refused(words: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        Repeat(**words)


@pytest.mark.parametrize('count, seconds', [(0, 1), (1, 5), (2, 9), (3, 9), (100, 9)])
def test_interval_of_a_repetition(count: int, seconds: int) -> None:
    assert Repeat.get_interval(count, [1, 5, 9]) == seconds


@pytest.mark.parametrize('left', [None, 0, -1])
def test_none_left(left: int | None) -> None:
    assert next_repeat(left, [1]) is None


def test_the_first_interval_is_dropped_until_one_is_left() -> None:
    left, intervals, seen = 4, [1, 2, 3], []
    while step := next_repeat(left, intervals):
        left, intervals = step.left, step.intervals
        seen.append(step)
    assert seen == [(1, 3, [2, 3]), (2, 2, [3]), (3, 1, [3]), (3, 0, [3])]


@pytest.mark.parametrize('intervals', [None, []])
def test_without_intervals_at_once(intervals: Any) -> None:
    assert next_repeat(2, intervals) == (0, 1, [0])
