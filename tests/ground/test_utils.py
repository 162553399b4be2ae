"""The helpers that programs import from rq.utils, as far as they need no server."""

import sys
from datetime import UTC
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rq import utils
from rq.rules import names, timing


def test_names_of_the_rules_are_the_same_objects():
    for room, members in (
        (names, ('get_call_string', 'import_attribute', 'parse_composite_key', 'resolve_function_reference')),
        (names, ('truncate_long_string',)),
        (timing, ('parse_timeout', 'str_to_date', 'utcformat', 'utcparse')),
    ):
        for member in members:
            assert getattr(utils, member) is getattr(room, member)


def test_every_name_in_all_exists():
    assert all(hasattr(utils, name) for name in utils.__all__)


def test_as_text():
    assert utils.as_text(b'\xc3\xa4') == utils.as_text('ä') == 'ä'
    with pytest.raises(ValueError, match='None'):
        utils.as_text(None)


def test_decode_redis_hash():
    assert utils.decode_redis_hash({b'a': b'1', 'b': 2}) == {'a': b'1', 'b': 2}
    assert utils.decode_redis_hash({b'a': b'1'}, decode_values=True) == {'a': '1'}


@pytest.mark.parametrize(
    ('platform', 'expected'),
    [('win32', 'windows'), ('Darwin', 'mac'), ('linux', 'linux'), ('Linux2', 'linux'), ('sunos5', 'others')],
)
def test_get_platform(monkeypatch, platform, expected):
    monkeypatch.setattr(sys, 'platform', platform)
    assert utils.get_platform() is utils.Platform(expected)


def test_clock():
    assert utils.now().tzinfo is UTC
    assert abs(utils.current_timestamp() - utils.now().timestamp()) < 5


def test_safe_json_dumps():
    endless = []
    endless.append(endless)
    assert utils.safe_json_dumps({'a': [1]}) == '{"a": [1]}'
    assert utils.safe_json_dumps(object()) == utils.safe_json_dumps(endless) == '<not JSON serializable>'


@given(st.integers(-1000, 1000), st.integers(1, 50))
def test_ceildiv(a, b):
    assert (utils.ceildiv(a, b) - 1) * b < a <= utils.ceildiv(a, b) * b


@given(st.lists(st.integers()), st.integers(1, 10))
def test_split_list(items, size):
    pieces = list(utils.split_list(items, size))
    assert [item for piece in pieces for item in piece] == items
    assert all(0 < len(piece) <= size for piece in pieces)
    assert len(pieces) == utils.ceildiv(len(items), size)


def test_lists():
    assert utils.compact([1, None, 0]) == [1, 0]
    assert utils.ensure_job_list('abc') == ['abc']
    assert utils.ensure_job_list(7) == [7]
    assert utils.ensure_job_list(iter('ab')) == ['a', 'b']
    assert utils.is_nonstring_iterable(())
    assert not utils.is_nonstring_iterable('a')


def test_backend_class():
    holder = SimpleNamespace(job_class=int)
    assert utils.backend_class(holder, 'job_class') is int
    assert utils.backend_class(holder, 'job_class', override=str) is str
    assert utils.backend_class(holder, 'job_class', override='decimal.Decimal').__name__ == 'Decimal'


def test_names_and_connections_of_queues():
    queue = SimpleNamespace(name='low', connection='the connection')
    assert utils.parse_names(['high', queue]) == ['high', 'low']
    assert utils.get_connection_from_queues(['high', queue]) == 'the connection'
    assert utils.get_connection_from_queues(['high']) is None


@pytest.mark.parametrize('path', ['app/cron.py', './app/cron.py', 'app\\cron.py', 'app/cron', 'app.cron'])
def test_normalize_config_path(path):
    assert utils.normalize_config_path(path) == 'app.cron'


def test_validate_absolute_path(tmp_path):
    file = tmp_path / 'cron.py'
    with pytest.raises(FileNotFoundError, match=r'Configuration file not found.*cron\.py'):
        utils.validate_absolute_path(str(file))
    file.touch()
    assert utils.validate_absolute_path(str(file)) == str(file)
    with pytest.raises(IsADirectoryError, match='Configuration path points to a directory'):
        utils.validate_absolute_path(str(tmp_path))
