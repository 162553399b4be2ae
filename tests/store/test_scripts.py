"""The loader of scripts, and the clock that they share."""

from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rq.rules.timing import utcformat
from rq.store import scripts

CLOCK = scripts._with_includes('--- clock: x.\n--- include now\nreturn {now_text, now_float, now_s, now_ms}', set())
EPOCH = scripts._with_includes(
    '--- read: x.\n--- include epoch\nlocal at = seconds_of(ARGV[1])\nreturn at and string.format("%.6f", at)', set()
)


@pytest.mark.parametrize('name', scripts.names())
def test_every_script_compiles(redis, name):
    script = scripts.load(name)
    assert redis.script_load(script.text) == script.sha
    assert script.header['name'] == name


def test_an_unknown_one():
    with pytest.raises(FileNotFoundError):
        scripts.load('nothing')


def test_includes_stand_once_and_before_their_users():
    text = scripts.load('claim').text
    assert text.count('local function place_key') == text.count('local function wake') == 1
    assert text.index('local function place_key') < text.index('local function held')


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 253402300799), st.integers(0, 999_999))
def test_timestamps(redis, seconds, micros):
    text, number, whole, thousands = redis.eval(CLOCK, 0, f'{seconds}.{micros:06d}')
    if seconds < 4_000_000_000:  # beyond it, microseconds of a double are no longer exact
        assert text.decode() == utcformat(datetime.fromtimestamp(seconds, UTC).replace(microsecond=micros))
        assert number.decode() == f'{seconds}.{micros:06d}'
        assert (whole, thousands) == (seconds, seconds * 1000 + micros // 1000)
    assert text.decode()[:10] == f'{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d}' or micros > 999_000


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1)))
def test_timestamps_are_read(redis, moment):
    text = utcformat(moment.replace(tzinfo=UTC))
    seconds = redis.eval(EPOCH, 0, text).decode()
    assert seconds == f'{moment.replace(microsecond=0, tzinfo=UTC).timestamp():.0f}.{moment.microsecond:06d}'


@pytest.mark.parametrize('text', ['', 'x', '2026-11-22', '2026-11-22T13:45:11', '2026-11-22T13:45:1.1.1Z'])
def test_what_is_no_timestamp(redis, text):
    assert redis.eval(EPOCH, 0, text) is None


def test_without_a_time_the_server_is_asked(redis):
    before = redis.time()[0]
    assert before <= redis.eval(CLOCK, 0, '')[2] <= redis.time()[0]
