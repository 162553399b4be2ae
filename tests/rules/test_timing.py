"""Timeouts with units, timestamp text, epoch seconds."""

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rq.exceptions import TimeoutFormatError
from rq.rules.timing import from_epoch, parse_timeout, str_to_date, to_epoch, utcformat, utcparse

ZONES = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
# A day away from both ends, so that a change of zone stays inside what a datetime can be.
NAIVE = st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29))


@given(st.integers(), st.sampled_from([('', 1), ('s', 1), ('m', 60), ('h', 3600), ('d', 86400), ('H', 3600)]))
def test_numbers_with_units(number, unit):
    letter, factor = unit
    assert parse_timeout(f'{number}{letter}') == number * factor
    assert parse_timeout(number) == number


@pytest.mark.parametrize(('given_', 'seconds'), [(None, None), (1.9, 1), (' 2h ', 7200), ('-1', -1), (True, 1)])
def test_other_accepted_forms(given_, seconds):
    assert parse_timeout(given_) == seconds


@pytest.mark.parametrize('bad', ['', ' ', 'h', '1.5h', '1w', 'one', '1h1m', float('nan'), float('inf'), [], object()])
def test_what_is_no_duration_is_refused_with_its_value(bad):
    with pytest.raises(TimeoutFormatError, match=re.escape(repr(bad))) as caught:
        parse_timeout(bad)
    assert "'2h'" in str(caught.value)


@given(st.text())
def test_a_text_is_a_duration_or_a_format_error(text):
    try:
        assert isinstance(parse_timeout(text), int)
    except TimeoutFormatError:
        pass


@given(NAIVE, ZONES)
def test_timestamps_round_trip_from_every_zone(naive, zone):
    moment = naive.replace(tzinfo=zone)
    text = utcformat(moment)
    assert re.fullmatch(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z', text)
    assert utcparse(text) == moment
    assert utcparse(text).tzinfo is UTC


@given(NAIVE)
def test_naive_moments_are_utc(naive):
    assert utcparse(utcformat(naive)) == naive.replace(tzinfo=UTC)
    assert to_epoch(naive) == to_epoch(naive.replace(tzinfo=UTC))


@given(NAIVE, NAIVE)
def test_timestamp_texts_sort_like_their_moments(one, other):
    assert (utcformat(one) < utcformat(other)) == (one < other)


def test_texts_without_fraction_or_zone_and_with_an_offset():
    noon = datetime(2020, 5, 17, 12, 0, tzinfo=UTC)
    for text in ('2020-05-17T12:00:00Z', '2020-05-17T12:00:00', '2020-05-17T14:00:00+02:00'):
        assert utcparse(text) == noon
        assert utcparse(text).tzinfo is UTC
    assert str_to_date(b'2020-05-17T12:00:00.000001Z') == noon + timedelta(microseconds=1)
    assert str_to_date('2020-05-17T12:00:00Z') == noon


@pytest.mark.parametrize('empty', ['', b''])
def test_an_empty_timestamp_is_refused(empty):
    with pytest.raises(ValueError, match='empty'):
        str_to_date(empty)


def test_a_bad_timestamp_is_named():
    with pytest.raises(ValueError, match=r"'yesterday' is no timestamp.*2030-01-31T12:00:00\.000000Z"):
        utcparse('yesterday')


@given(st.integers(-(10**9), 10**10))
def test_epoch_seconds_round_trip(seconds):
    assert to_epoch(from_epoch(seconds)) == seconds
    assert from_epoch(seconds).tzinfo is UTC
