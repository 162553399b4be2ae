"""An exception as plain values: true, bounded, and never raising itself."""

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rq.rules import anatomy
from rq.rules.anatomy import ExceptionRecord, Frame, describe, from_json, mro_of, to_json


def caught(raises: object, *args: object) -> BaseException:
    """What a call raises."""
    try:
        raises(*args)  # type: ignore[operator]
    except BaseException as error:
        return error
    raise AssertionError('it raised nothing')


def charge(amount: int) -> None:
    raise ValueError(f'cannot charge {amount}')


def by_library() -> None:
    json.loads('{')


def wrapped() -> None:
    try:
        charge(3)
    except ValueError as error:
        raise RuntimeError('order 17') from error


def while_handling() -> None:
    try:
        charge(3)
    except ValueError:
        raise KeyError('b') from None


def deep(depth: int) -> None:
    if depth:
        deep(depth - 1)
    raise ValueError('at the bottom')


def test_frames() -> None:
    (record,) = describe(caught(charge, 5))
    assert (record.type_name, record.module, record.message, record.link) == (
        'ValueError',
        'builtins',
        'cannot charge 5',
        '',
    )
    frame = record.frames[-1]
    assert (frame.function, frame.module, frame.is_own) == ('charge', __name__, True)
    assert frame.file == __file__ and "raise ValueError(f'cannot charge" in frame.source
    assert Path(__file__).read_text().splitlines()[frame.line - 1].strip() == frame.source


def test_library_frames_are_not_own() -> None:
    (record,) = describe(caught(by_library))
    owns = [frame.is_own for frame in record.frames]
    assert owns[:2] == [True, True] and not any(owns[2:]) and len(owns) > 2
    assert record.type_name == 'json.decoder.JSONDecodeError'


def test_chain() -> None:
    outer, inner = describe(caught(wrapped))
    assert (outer.type_name, inner.type_name, inner.link) == ('RuntimeError', 'ValueError', 'cause')
    assert [one.type_name for one in describe(caught(while_handling))] == ['KeyError'], 'from None hides it'


def test_context() -> None:
    def fails() -> None:
        try:
            charge(1)
        except ValueError:
            charge(2)

    assert [one.link for one in describe(caught(fails))] == ['', 'context']


def test_notes_and_members() -> None:
    error = ExceptionGroup('some', [caught(charge, number) for number in range(1000)])
    error.add_note('seen twice')
    (record,) = describe(error)
    assert record.notes == ('seen twice',)
    assert [one.message for one in record.members] == [f'cannot charge {number}' for number in range(anatomy.MEMBERS)]
    assert record.omitted == 1000 - anatomy.MEMBERS and record.members[0].frames[-1].function == 'charge'


def test_deep_recursion_is_bounded() -> None:
    (record,) = describe(caught(deep, 500))
    assert len(record.frames) == anatomy.OUTER + anatomy.INNER
    assert record.omitted == 502 - len(record.frames) and record.frames[0].function == 'caught'


def test_cycle_and_long_chain_end() -> None:
    one, other = ValueError('one'), KeyError('other')
    one.__cause__, other.__cause__ = other, one
    assert [each.type_name for each in describe(one)] == ['ValueError', 'KeyError']
    first = last = ValueError('0')
    for number in range(500):
        last.__cause__ = ValueError(str(number))
        last = last.__cause__
    assert len(describe(first)) == anatomy.CHAIN


class Liar(Exception):
    """Raises whatever it is asked."""

    @property
    def __notes__(self) -> list[str]:
        raise RuntimeError('no notes')

    def __str__(self) -> str:
        raise RuntimeError('no text')


def test_hostile() -> None:
    (record,) = describe(Liar())
    assert record.type_name.endswith('Liar') and 'text unavailable' in record.message


class Odd(ExceptionGroup):
    """A group of groups of long texts."""


def wide(depth: int) -> BaseException:
    """A tree of exceptions with long words."""
    if not depth:
        error: BaseException = caught(deep, 60)
    else:
        error = Odd('x' * 5000, [wide(depth - 1) for _ in range(8)])
    for _ in range(12):
        error.add_note('n' * 3000)
    return error


def test_bounded_as_a_whole() -> None:
    first = wide(3)
    first.__cause__ = wide(2)
    stored = json.dumps(to_json(describe(first)))
    assert len(stored) < 3 * anatomy.CHAIN_BYTES
    assert from_json(json.loads(stored))[0].type_name.endswith('Odd')


def test_what_was_compiled_from_nothing() -> None:
    error = caught(eval, compile('1 / 0', '<string>', 'eval'))
    frame = describe(error)[0].frames[-1]
    assert (frame.file, frame.source, frame.is_own) == ('<string>', '', True)


def test_installed_packages_and_a_directory_of_that_name() -> None:
    assert not anatomy.is_own_file(pytest.__file__)
    assert anatomy.is_own_file(str(Path(tempfile.gettempdir(), 'shop', 'orders.py')))


def test_locals_on_request() -> None:
    (record,) = describe(caught(charge, 5), lambda frame: {name: repr(value) for name, value in frame.f_locals.items()})
    assert record.frames[-1].locals == {'amount': '5'}
    assert describe(caught(charge, 5))[0].frames[-1].locals is None


def test_mro() -> None:
    assert mro_of(FileNotFoundError) == [
        'builtins.FileNotFoundError', 'builtins.OSError', 'builtins.Exception', 'builtins.BaseException',
    ]  # fmt: skip


text = st.text(max_size=30)
texts = st.lists(text, max_size=3).map(tuple)
names = st.none() | st.dictionaries(text, text, min_size=1)
frames = st.builds(Frame, text, st.integers(0, 10**6), text, text, text, st.booleans(), names)
places = st.lists(frames, max_size=3).map(tuple)
flat = st.builds(ExceptionRecord, text, text, text, places, text, texts)
some = st.lists(flat, max_size=3).map(tuple)
records = st.builds(ExceptionRecord, text, text, text, places, text, texts, some, st.integers(0, 99))
fields = st.sampled_from(['type', 'frames', 'members', 'notes', 'omitted', 'link'])
scalars = st.none() | st.booleans() | st.integers() | st.text(max_size=9)
plain = st.recursive(scalars, lambda inner: st.lists(inner, max_size=7) | st.dictionaries(fields, inner))


@given(st.lists(records, max_size=4))
def test_there_and_back(chain: list[ExceptionRecord]) -> None:
    assert from_json(json.loads(json.dumps(to_json(chain)))) == chain


@given(plain)
def test_anything_can_be_read(stored: object) -> None:
    assert all(isinstance(one, ExceptionRecord) for one in from_json(stored))
