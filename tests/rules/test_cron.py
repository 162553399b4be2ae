"""When a cron job is due, with the clock changes of several zones."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings, strategies

from rq.rules.cron import latest_of_line, next_of_interval, next_of_line, split_zone

NEW_YORK = 'CRON_TZ=America/New_York '  # 2027: forward on March 14 at 07:00 UTC, back on November 7 at 06:00 UTC
LORD_HOWE = 'CRON_TZ=Australia/Lord_Howe '  # by half an hour; forward on 2027-10-02 at 15:30 UTC (02:00 -> 02:30)


def utc(*words: int) -> datetime:
    return datetime(*words, tzinfo=UTC)


@pytest.fixture
def new_york(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The process lives in New York."""
    monkeypatch.setenv('TZ', 'America/New_York')
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


NEXT = [
    # nothing special
    ('0 9 * * *', utc(2027, 7, 1, 5), utc(2027, 7, 1, 13)),
    ('0 9 * * *', utc(2027, 7, 1, 13), utc(2027, 7, 2, 13)),
    ('0 9 * * *', utc(2027, 7, 1, 12, 59, 59, 999_999), utc(2027, 7, 1, 13)),
    ('0 9 * * *', utc(2027, 1, 1, 5), utc(2027, 1, 1, 14)),
    # 02:30 does not exist on March 14: it comes at 03:30, the gap later
    ('30 2 * * *', utc(2027, 3, 14, 5), utc(2027, 3, 14, 7, 30)),
    ('30 2 * * *', utc(2027, 3, 14, 6, 59), utc(2027, 3, 14, 7, 30)),
    ('30 2 * * *', utc(2027, 3, 14, 7, 10), utc(2027, 3, 14, 7, 30)),
    ('30 2 * * *', utc(2027, 3, 14, 7, 30), utc(2027, 3, 15, 6, 30)),
    ('*/15 * * * *', utc(2027, 3, 14, 6, 45), utc(2027, 3, 14, 7)),
    ('*/15 * * * *', utc(2027, 3, 14, 7), utc(2027, 3, 14, 7, 15)),
    ('30 2,3 * * *', utc(2027, 3, 14, 7, 30), utc(2027, 3, 15, 6, 30)),
    # 01:30 comes twice on November 7 and counts the first time
    ('30 1 * * *', utc(2027, 11, 7, 4), utc(2027, 11, 7, 5, 30)),
    ('30 1 * * *', utc(2027, 11, 7, 5, 30), utc(2027, 11, 8, 6, 30)),
    ('30 1 * * *', utc(2027, 11, 7, 6, 15), utc(2027, 11, 8, 6, 30)),
    ('*/15 * * * *', utc(2027, 11, 7, 5, 45), utc(2027, 11, 7, 7)),
    ('*/15 * * * *', utc(2027, 11, 7, 6, 10), utc(2027, 11, 7, 7)),
]


@pytest.mark.parametrize('line, after, due', NEXT)
def test_next(line: str, after: datetime, due: datetime) -> None:
    assert next_of_line(NEW_YORK + line, after) == due
    assert next_of_line(NEW_YORK + line, after).tzinfo is UTC


@pytest.mark.parametrize('line, after, due', NEXT)
def test_in_the_zone_of_the_process(new_york: None, line: str, after: datetime, due: datetime) -> None:
    assert next_of_line(line, after) == due


@pytest.mark.parametrize(
    'line, until, due',
    [
        ('0 9 * * *', utc(2027, 7, 1, 13), utc(2027, 7, 1, 13)),
        ('0 9 * * *', utc(2027, 7, 1, 12, 59, 59, 999_999), utc(2027, 6, 30, 13)),
        ('30 2 * * *', utc(2027, 3, 14, 7, 29), utc(2027, 3, 13, 7, 30)),
        ('30 2 * * *', utc(2027, 3, 14, 7, 31), utc(2027, 3, 14, 7, 30)),
        ('30 2 * * *', utc(2027, 3, 14, 12), utc(2027, 3, 14, 7, 30)),
        # in the hour that comes again nothing is due: the latest is of the first
        ('*/15 * * * *', utc(2027, 11, 7, 6, 10), utc(2027, 11, 7, 5, 45)),
        ('30 1 * * *', utc(2027, 11, 7, 6, 40), utc(2027, 11, 7, 5, 30)),
        ('*/15 * * * *', utc(2027, 11, 7, 7, 1), utc(2027, 11, 7, 7)),
    ],
)
def test_latest(line: str, until: datetime, due: datetime) -> None:
    assert latest_of_line(NEW_YORK + line, until) == due


def test_a_gap_of_half_an_hour() -> None:
    # 02:10 shifts to 02:40, and so comes after 02:35
    line = LORD_HOWE + '10,35 2 * * *'
    first, second = utc(2027, 10, 2, 15, 35), utc(2027, 10, 2, 15, 40)
    assert next_of_line(line, utc(2027, 10, 2, 15, 29)) == first
    assert next_of_line(line, first) == second
    assert next_of_line(line, second) == utc(2027, 10, 3, 15, 10)
    assert latest_of_line(line, utc(2027, 10, 2, 15, 50)) == second
    assert latest_of_line(line, utc(2027, 10, 2, 15, 36)) == first


HOURS = strategies.integers(0, 366 * 24 * 3600).map(lambda seconds: utc(2027, 1, 1) + timedelta(seconds=seconds))
NEAR_A_CHANGE = strategies.sampled_from([utc(2027, 3, 14, 7), utc(2027, 11, 7, 6), utc(2027, 10, 2, 15, 30)]).flatmap(
    lambda change: strategies.integers(-4 * 3600, 4 * 3600).map(lambda seconds: change + timedelta(seconds=seconds))
)
LINES = strategies.sampled_from(
    ['*/7 * * * *', '30 2 * * *', '30 1 * * *', '10,35 1-3 * * *', '0 * * * *', '0 0 * * 0']
)
ZONES = strategies.sampled_from([NEW_YORK, LORD_HOWE, 'CRON_TZ=UTC ', 'TZ=Europe/Rome '])


@settings(max_examples=150, deadline=None)
@given(ZONES, LINES, HOURS | NEAR_A_CHANGE)
def test_next_and_latest_agree(zone: str, line: str, moment: datetime) -> None:
    """Every time is found in both directions, and none is between."""
    following = next_of_line(zone + line, moment)
    assert following > moment
    assert latest_of_line(zone + line, following) == following
    before = latest_of_line(zone + line, following - timedelta(microseconds=1))
    assert before is not None
    assert before <= moment
    assert next_of_line(zone + line, before) == following


def test_columns_and_words() -> None:
    assert next_of_line('CRON_TZ=UTC @daily', utc(2027, 7, 1, 5)) == utc(2027, 7, 2)
    assert next_of_line('TZ=UTC  * * * * * 30', utc(2027, 7, 1, 5)) == utc(2027, 7, 1, 5, 0, 30)
    only = 'CRON_TZ=UTC 0 0 1 1 * 0 2030'
    assert next_of_line(only, utc(2027, 7, 1)) == utc(2030, 1, 1)
    assert latest_of_line(only, utc(2027, 7, 1)) is None


@pytest.mark.parametrize('line', ['bad', '', '61 * * * *', 'CRON_TZ=Nowhere/Atall 0 9 * * *', 'CRON_TZ=../x * * * * *'])
def test_no_cron_string(line: str) -> None:
    with pytest.raises(ValueError):
        next_of_line(line, utc(2027, 1, 1))


def test_split_zone() -> None:
    assert split_zone('0 9 * * *') == (None, '0 9 * * *')
    zone, line = split_zone(' CRON_TZ=Europe/Rome 0 9 * * *')
    assert (str(zone), line) == ('Europe/Rome', '0 9 * * *')


def test_interval() -> None:
    assert next_of_interval(utc(2027, 1, 1), 90) == utc(2027, 1, 1, 0, 1, 30)
    # seconds, not wall clock: a change of the clock makes no difference
    assert next_of_interval(utc(2027, 3, 14, 6, 59), 120) == utc(2027, 3, 14, 7, 1)
