"""The helpers that programs import from rq.utils, as far as they need no server."""

import sys
from datetime import UTC
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.exceptions import ResponseError

from rq import Queue, SimpleWorker, utils
from rq.job import Job
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
    assert utils.parse_names(['high', queue, 'a']) == ['high', 'low', 'a']
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


class Server:
    """A client whose INFO says what the test wants, and counts how often it was asked."""

    def __init__(self, answer):
        self.answer = answer
        self.asked = 0

    def info(self, section):
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return {'redis_version': self.answer}


@pytest.mark.parametrize(
    ('answer', 'version'),
    [('7.2.4', (7, 2, 4)), ('6.2', (6, 2, 0)), ('7', (7, 0, 0)), ('8.0.0.1', (8, 0, 0)), (7.2, (7, 2, 0))]
    + [(ResponseError('unknown command INFO'), (5, 0, 9)), ('5.0.9-rc1', (5, 0, 9))],
)
def test_get_version_asks_once(answer, version):
    server = Server(answer)
    assert utils.get_version(server) == utils.get_version(server) == version
    assert server.asked == 1


def test_get_version_does_not_take_an_outage_for_an_old_server():
    with pytest.raises(ConnectionError):
        utils.get_version(Server(ConnectionError('down')))


def test_missing_keys(redis):
    redis.mset({'a': 1, 'b': 2})
    assert utils.missing_keys(redis, ['a', 'x', 'b', 'y']) == ['x', 'y']
    assert utils.missing_keys(redis, ['a', 'b']) == utils.missing_keys(redis, []) == []
    before = redis.info('commandstats')['cmdstat_exists']['calls']
    utils.missing_keys(redis, ['a', 'b'])
    assert redis.info('commandstats')['cmdstat_exists']['calls'] == before + 1


def test_classes_by_name():
    assert utils.import_job_class('rq.job.Job') is Job
    assert utils.import_queue_class('rq.Queue') is Queue
    assert utils.import_worker_class('rq.SimpleWorker') is SimpleWorker
    for wrong in (lambda: utils.import_job_class('rq.Queue'), lambda: utils.import_queue_class('rq.queue.parse')):
        with pytest.raises(ValueError):
            wrong()
    with pytest.raises(ValueError):
        utils.import_worker_class('rq.job.get_current_job')


def test_config_paths_of_rq():
    assert utils.normalize_config_path('/abs/app/cron.py') == 'abs.app.cron'
    with pytest.raises(FileNotFoundError, match='no/such'):
        utils.validate_absolute_path('/no/such/file.py')
