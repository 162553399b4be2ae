"""Texts in columns, sparklines and times in words: whatever comes in, lines fit and nothing unprintable gets out."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rq.cli.columns import cells, cut, joined, pad, plain, plain_lines, table, tail, wrapped
from rq.cli.sparkline import BARS, PLAIN_BARS, bars_for, gathered, sparkline
from rq.cli.when import ago, on_screen, read_moment, span, took

NOW = datetime(2031, 5, 27, 21, 45, tzinfo=UTC)
TEXTS = st.text(st.characters(exclude_categories=[])) | st.text('漢字 aé\x1b[31m\u202e\u0301\n')
WIDTHS = st.integers(10, 130)


@given(TEXTS)
def test_what_is_plain_can_be_printed(text: str) -> None:
    assert plain(text).isprintable()
    assert all(line.isprintable() for line in plain_lines(text))


def test_plain_is_bounded() -> None:
    assert len(plain('x' * 2**20)) < 10_000
    assert plain('Zahlung für\nGröße\x1b[2J') == 'Zahlung für\\nGröße\\x1b[2J'
    lines = plain_lines('\n'.join(map(str, range(1000))), 20)
    assert len(lines) == 20
    assert (lines[0], lines[5], lines[-1]) == ('0', '... 981 lines ...', '999')


@given(TEXTS.map(plain), WIDTHS)
def test_cut_and_padded_texts_fit(text: str, width: int) -> None:
    assert cells(cut(text, width)) <= width
    assert cells(tail(text, width)) <= width
    assert cells(pad(text, width)) == cells(pad(text, width, right=True)) == width
    assert cut(text, width) == text or cut(text, width).endswith('...')
    assert tail(text, width) == text or tail(text, width).startswith('...')


@given(st.lists(TEXTS.map(plain)), WIDTHS)
def test_joined_parts_fit(parts: list[str], width: int) -> None:
    assert cells(joined(parts, width)) <= width


@given(TEXTS.map(plain), st.integers(20, 130), st.integers(0, 8))
def test_wrapped_lines_fit_and_lose_nothing(text: str, width: int, indent: int) -> None:
    lines = wrapped(text, width, ' ' * indent)
    assert all(cells(line) <= width for line in lines)
    assert ''.join(''.join(lines).split()) == ''.join(text.split())


@given(st.lists(st.tuples(*[TEXTS.map(plain)] * 3), min_size=1), st.integers(40, 130))
def test_tables_fit(rows: list[tuple[str, ...]], width: int) -> None:
    lines = table(rows, width, 1, right=[0])
    assert len(lines) == len(rows)
    assert all(cells(line) <= width for line in lines)


def test_table() -> None:
    rows = [('1', 'a long description', 'x'), ('10', 'short', 'y')]
    assert table(rows, 80, 1, right=[0]) == [' 1  a long description  x', '10  short               y']
    assert table(rows, 18, 1) == ['1   a long d...  x', '10  short        y']
    assert table([], 80, 0) == []


@given(st.lists(st.integers(-5, 10**9), max_size=400), st.integers(0, 100))
def test_sparkline(numbers: list[int], columns: int) -> None:
    line = sparkline(numbers, columns)
    assert len(line) == min(columns, len(numbers))
    assert set(line) <= set(BARS + '·')
    sums = gathered(numbers, columns)
    if columns:
        assert sum(sums) == sum(max(number, 0) for number in numbers)
    if any(sums):
        assert [number == 0 for number in sums] == [bar == '·' for bar in line]
        assert line[sums.index(max(sums))] == BARS[-1]
        bars = sorted((number, bar) for number, bar in zip(sums, line, strict=True) if number)
        assert [bar for _, bar in bars] == sorted(bar for _, bar in bars)


def test_bars() -> None:
    assert sparkline([0, 1, 4, 8], 4) == '·▁▄█'
    assert sparkline([0, 0], 2) == '··'
    assert [bars_for('utf-8'), bars_for('latin-1'), bars_for(None), bars_for('no-such')] == [BARS, *[PLAIN_BARS] * 3]


@pytest.mark.parametrize(
    'seconds, words',
    [(0, '0 s'), (119, '119 s'), (120, '2 min'), (7199, '119 min'), (7200, '2 h'), (172800, '2 d'), (7e7, '2 y')],
)
def test_spans(seconds: float, words: str) -> None:
    assert span(seconds) == words
    if seconds:
        assert ago(NOW - timedelta(seconds=seconds), NOW) == f'{words} ago'
        assert ago(NOW + timedelta(seconds=seconds), NOW) == f'in {words}'


def test_moments_in_words() -> None:
    assert (ago(NOW, NOW), ago(None, NOW)) == ('just now', 'never')
    assert on_screen(NOW - timedelta(hours=3), NOW) == '2031-05-27 18:45:00 UTC (3 h ago)'
    assert on_screen(None, NOW) == '-'
    assert [took(0.012), took(1.25), took(300)] == ['12 ms', '1.2 s', '5 min']


@pytest.mark.parametrize(
    'text, moment',
    [
        ('2h', NOW - timedelta(hours=2)),
        (' 3d ', NOW - timedelta(days=3)),
        ('90', NOW - timedelta(seconds=90)),
        ('2031-05-27', datetime(2031, 5, 27, tzinfo=UTC)),
        ('2031-05-27T20:00', datetime(2031, 5, 27, 20, tzinfo=UTC)),
        ('2031-05-27 20:00:00+02:00', datetime(2031, 5, 27, 18, tzinfo=UTC)),
    ],
)
def test_reading_moments(text: str, moment: datetime) -> None:
    assert read_moment(text, NOW) == moment


def test_a_duration_ahead() -> None:
    assert read_moment('2d', NOW, ahead=True) == NOW + timedelta(days=2)


@given(st.text() | st.from_regex(r'-?\d{1,40}[dhms]?') | st.from_regex(r'\d{4}-\d\d-\d\dT\d\d:\d\d[+-]\d\d:\d\d'))
def test_no_text_breaks_the_reading(text: str) -> None:
    for ahead in (False, True):
        try:
            assert read_moment(text, NOW, ahead).tzinfo is UTC
        except ValueError as error:
            assert str(error)
