"""Words of the shell: the six forms, the files, and what cannot be read. No server."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rq.cli.arguments import (
    ParsingMode,
    parse_function_arg,
    parse_function_args,
    parse_schedule,
    read_file,
    split_word,
)
from rq.exceptions import TimeoutFormatError
from rq.utils import now


@pytest.mark.parametrize(
    'word, keyword, value',
    [
        ('text', None, 'text'),
        ('', None, ''),
        ('1', None, '1'),
        (':1', None, 1),
        (':{"a": [1, null]}', None, {'a': [1, None]}),
        ('%(1, 2)', None, (1, 2)),
        ("%{'a': b'x'}", None, {'a': b'x'}),
        ('key=text', 'key', 'text'),
        ('key=', 'key', ''),
        ('key=a=b', 'key', 'a=b'),
        ('key=a:=b', 'key', 'a:=b'),
        ('key:=[1]', 'key', [1]),
        ('key%={1}', 'key', {1}),
        ('key%=":="', 'key', ':='),
        # only the first : or % may mark the mode
        ('a:b:=3', 'a:b:', '3'),
        ('a%b%=3', 'a%b%', '3'),
        ('a%b:=3', 'a%b', 3),
        ('time=12:30', 'time', '12:30'),
        # an = in front separates nothing
        ('=3', None, '=3'),
        ('==', None, '=='),
        ('http://host/?a=b', 'http://host/?a', 'b'),
    ],
)
def test_forms(word: str, keyword: str | None, value: object) -> None:
    assert parse_function_arg(word, 1) == (keyword, value)


@pytest.mark.parametrize(
    'word, message',
    [
        (':{', 'Unable to parse 3. non keyword argument as JSON.'),
        (':=1', 'Unable to parse 3. non keyword argument as JSON.'),
        (':' + '[' * 100_000, 'Unable to parse 3. non keyword argument as JSON.'),
        ('a:=x', 'Unable to parse a as JSON.'),
        ('%open("x")', 'Unable to eval 3. non keyword argument as Python object.'),
        ('%', 'Unable to eval 3. non keyword argument as Python object.'),
        ('%' + '(' * 10_000, 'Unable to eval 3. non keyword argument as Python object.'),
        ('%' + '-' * 100_000 + '1', 'Unable to eval 3. non keyword argument as Python object.'),
        ('%"\0"', 'Unable to eval 3. non keyword argument as Python object.'),
        ('a%=b', 'Unable to eval a as Python object.'),
    ],
)
def test_what_cannot_be_read(word: str, message: str) -> None:
    with pytest.raises(click.BadParameter) as caught:
        parse_function_arg(word, 3)
    assert caught.value.message.startswith(message)


def test_positions_count_from_one_without_keywords() -> None:
    with pytest.raises(click.BadParameter, match=r'parse 2\. non keyword'):
        parse_function_args(['a', 'k=v', ':'])


def test_a_keyword_twice() -> None:
    with pytest.raises(click.BadParameter, match="can't specify multiple values for the same keyword"):
        parse_function_args(['a=1', 'a:=1'])


FILES = {'f': 'hello\n', 'j': '{"a": 1}', 'p': '(1, 2)'}


@pytest.mark.parametrize(
    'word, expected',
    [
        ('@f', (None, 'hello\n')),
        ('k=@f', ('k', 'hello\n')),
        (':@j', (None, {'a': 1})),
        ('k:=@j', ('k', {'a': 1})),
        ('%@p', (None, (1, 2))),
        ('k%=@p', ('k', (1, 2))),
    ],
)
def test_files(word: str, expected: tuple[str | None, object], workplace: Path) -> None:
    for name, text in FILES.items():
        (workplace / name).write_text(text)
    assert parse_function_arg(word, 1) == expected


def test_read_file(tmp_path: Path) -> None:
    (tmp_path / 'text').write_text('grüße', encoding='utf-8')
    (tmp_path / 'bytes').write_bytes(b'\xff')
    assert read_file(str(tmp_path / 'text')) == 'grüße'
    for name, why in [('missing', 'Not found'), ('bytes', 'utf-8'), ('', 'Is a directory'), ('a\0b', 'null')]:
        with pytest.raises(click.FileError, match=why):
            read_file(str(tmp_path / name))


def test_schedule() -> None:
    assert parse_schedule(None, None) is None
    assert parse_schedule(None, '2031-05-27T21:45:00') == datetime(2031, 5, 27, 21, 45)
    soon = parse_schedule('5m', None)
    assert soon is not None
    assert soon.tzinfo is UTC
    assert timedelta(seconds=290) < soon - now() <= timedelta(minutes=5)


def test_wrong_schedules() -> None:
    with pytest.raises(click.BadArgumentUsage, match="can't specify both --schedule-in and --schedule-at"):
        parse_schedule('1s', '2031-05-27T21:45:00')
    with pytest.raises(TimeoutFormatError):
        parse_schedule('soon', None)
    with pytest.raises(ValueError):
        parse_schedule(None, '2031-05-27')


# --- properties -----------------------------------------------------------------------------------------------

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
literals = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.binary(),
    lambda inner: st.tuples(inner, inner) | st.lists(inner, max_size=3),
    max_leaves=5,
)
keywords = st.text(min_size=1).filter(lambda key: not set(key) & set('=:%'))
plain = st.text().filter(lambda text: not text.startswith('@'))


@given(json_values)
def test_json_arrives(value: object) -> None:
    assert parse_function_arg(':' + json.dumps(value), 1) == (None, value)


@given(keywords, json_values)
def test_json_of_a_keyword_arrives(keyword: str, value: object) -> None:
    assert parse_function_arg(f'{keyword}:={json.dumps(value)}', 1) == (keyword, value)


@given(keywords, literals)
def test_literal_of_a_keyword_arrives(keyword: str, value: object) -> None:
    assert parse_function_arg(f'{keyword}%={value!r}', 1) == (keyword, value)


@given(keywords, plain)
def test_text_of_a_keyword_arrives(keyword: str, value: str) -> None:
    assert parse_function_arg(f'{keyword}={value}', 1) == (keyword, value)


@given(st.text())
def test_nothing_of_a_word_is_lost(word: str) -> None:
    keyword, mode, value = split_word(word)
    mark = {ParsingMode.PLAIN_TEXT: '', ParsingMode.JSON: ':', ParsingMode.LITERAL_EVAL: '%'}[mode]
    assert word == (f'{mark}{value}' if keyword is None else f'{keyword}{mark}={value}')


@given(st.text())
def test_every_word_is_read_or_refused(word: str) -> None:
    try:
        keyword, _ = parse_function_arg(word, 1)
    except (click.BadParameter, click.FileError):
        return
    assert keyword is None or keyword


@given(st.lists(plain.filter(lambda text: '=' not in text and text[:1] not in (':', '%'))))
def test_plain_words_are_positional(words: list[str]) -> None:
    assert parse_function_args(words) == (words, {})
