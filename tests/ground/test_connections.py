"""Connections: taken apart, rebuilt, found by URL, described without their password."""

import os
import pickle
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.connection import BlockingConnectionPool, Connection, SSLConnection, UnixDomainSocketConnection
from redis.exceptions import RedisError
from redis.retry import Retry
from redis.sentinel import Sentinel, SentinelConnectionPool

from rq import connections
from rq.connections import (
    REDIS_RUNTIME_CONNECTION_KWARGS,
    NoRedisConnectionException,
    describe,
    from_url,
    get_connection_kwargs,
    parse_connection,
    rebuild,
    redact,
    register_provider,
)
from rq.devserver import find_binary
from tests.waiting import wait_until


class MyRedis(Redis):
    """A client class of a user."""


def test_the_exception_is_a_plain_exception() -> None:
    assert NoRedisConnectionException.__bases__ == (Exception,)


def test_kwargs_can_go_to_another_process(redis: Redis) -> None:
    for client in (redis, Redis(host='example.invalid', port=1, password='secret')):
        client.connection_pool.connection_kwargs['event_dispatcher'] = object
        kwargs = get_connection_kwargs(client)
        assert not set(kwargs) & set(REDIS_RUNTIME_CONNECTION_KWARGS)
        assert not [name for name, value in kwargs.items() if type(value) is object]
        pickle.dumps(kwargs)


def test_kwargs_leave_the_client_alone() -> None:
    client = Redis()
    before = dict(client.connection_pool.connection_kwargs)
    get_connection_kwargs(client)['host'] = 'elsewhere'
    assert client.connection_pool.connection_kwargs == before


def test_parse_tcp() -> None:
    client_class, connection_class, kwargs = parse_connection(MyRedis(host='h', port=5, db=3, password='p'))
    assert (client_class, connection_class) == (MyRedis, Connection)
    assert (kwargs['host'], kwargs['port'], kwargs['db'], kwargs['password']) == ('h', 5, 3, 'p')


def test_parse_unix_and_tls(redis: Redis) -> None:
    assert parse_connection(redis)[1] is UnixDomainSocketConnection
    assert parse_connection(Redis(ssl=True))[1] is SSLConnection


def test_rebuild_is_the_same_and_separate(redis: Redis, redis_url: str) -> None:
    redis.set('key', 'value')
    given = MyRedis.from_url(redis_url + '?db=0&decode_responses=yes')
    with rebuild(given) as client:
        assert type(client) is MyRedis
        assert client.connection_pool is not given.connection_pool
        assert client.get('key') == 'value'


def test_rebuild_of_a_rebuilt_client(redis: Redis) -> None:
    with rebuild(rebuild(redis)) as client:
        assert client.ping()


def test_rebuild_of_a_blocking_pool(server: 'object', redis_url: str) -> None:
    pool = BlockingConnectionPool.from_url(redis_url, max_connections=2, timeout=1)
    with rebuild(Redis(connection_pool=pool)) as client:
        assert client.ping()


def test_rebuild_closes_its_sockets(redis: Redis) -> None:
    before = len(redis.client_list())
    client = rebuild(redis)
    assert client.ping()
    assert len(redis.client_list()) == before + 1
    client.close()
    assert len(redis.client_list()) == before


@pytest.mark.parametrize('given, limit, wanted', [(None, 5, 5), (60, 5, 5), (2, 5, 2), (2, None, 2)])
def test_rebuild_bounds_the_socket_timeout(given: float | None, limit: float | None, wanted: float) -> None:
    client = rebuild(Redis(socket_timeout=given), socket_timeout=limit)
    assert client.connection_pool.connection_kwargs['socket_timeout'] == wanted


def test_rebuild_keeps_no_timeout_unless_asked() -> None:
    assert rebuild(Redis(socket_timeout=None)).connection_pool.connection_kwargs['socket_timeout'] is None


def test_rebuild_repeats_nothing_unless_asked() -> None:
    given = Redis(retry=Retry(NoBackoff(), 3), retry_on_error=[ValueError])
    for retries, count in ((False, 0), (True, 3)):
        client = rebuild(given, retries=retries)
        connection = client.connection_pool.connection_class(**client.connection_pool.connection_kwargs)
        assert connection.retry._retries == count  # redis-py 5 has no public word for it
        assert (ValueError in connection.retry_on_error) is retries


def test_rebuild_keeps_resp3(redis_url: str) -> None:
    given = Redis.from_url(redis_url + '?protocol=3')
    assert given.ping()
    with rebuild(given) as client:
        assert client.ping()
        assert client.connection_pool.connection_kwargs['protocol'] in (3, '3')


# -- Sentinel ---------------------------------------------------------------------------------------------


@pytest.fixture(scope='module')
def sentinel() -> Iterator[tuple[int, int]]:
    """The ports of a real sentinel and of the master it watches."""
    ports = _free_ports(2)
    with tempfile.TemporaryDirectory(prefix='rq-test-') as name:
        config = Path(name) / 'sentinel.conf'
        config.write_text(f'sentinel monitor mymaster 127.0.0.1 {ports[1]} 1\nbind 127.0.0.1\n')
        common = ['--dir', name, '--save', '', '--bind', '127.0.0.1', '--port']
        started = [
            subprocess.Popen([find_binary(), *common, str(ports[1])], stdout=subprocess.DEVNULL),
            subprocess.Popen(
                [find_binary(), str(config), '--sentinel', '--port', str(ports[0])], stdout=subprocess.DEVNULL
            ),
        ]
        try:
            yield ports[0], ports[1]
        finally:
            for process in started:
                process.kill()
                process.wait()


def _free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now."""
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(('127.0.0.1', 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def test_rebuild_keeps_sentinel(sentinel: tuple[int, int]) -> None:
    ours = Sentinel([('127.0.0.1', sentinel[0])], socket_timeout=1, min_other_sentinels=0)
    given = ours.master_for('mymaster', MyRedis, db=3)

    def answers() -> bool:
        with suppress(RedisError):
            return bool(given.ping())
        return False

    wait_until(answers, 20, 'the master is found by its sentinel')
    client = rebuild(given, socket_timeout=0.5)
    pool = client.connection_pool
    assert type(client) is MyRedis
    assert isinstance(pool, SentinelConnectionPool)
    assert pool.service_name == 'mymaster' and pool.is_master
    assert pool.sentinel_manager is not ours
    assert pool.connection_kwargs['connection_pool'] is not given.connection_pool.connection_kwargs['connection_pool']
    timeouts = [each.connection_pool.connection_kwargs['socket_timeout'] for each in pool.sentinel_manager.sentinels]
    assert timeouts == [0.5]
    assert client.info('server')['tcp_port'] == sentinel[1]
    assert client.client_info()['db'] == 3
    assert describe(client) == f'sentinel://127.0.0.1:{sentinel[0]}/mymaster/3'
    assert not rebuild(ours.slave_for('mymaster')).connection_pool.is_master


# -- URLs -------------------------------------------------------------------------------------------------


def test_from_url(redis_url: str) -> None:
    with from_url(redis_url) as client:
        assert client.ping()
    assert type(from_url(redis_url, MyRedis)) is MyRedis


@pytest.mark.parametrize('directory', ['', 'sub/dir'])
def test_from_url_embedded(directory: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory(prefix='rq-test-') as name:
        monkeypatch.chdir(name)
        with from_url(f'embedded://{directory}') as client, from_url(f'embedded://{directory}') as again:
            pid = client.info('server')['process_id']
            assert again.info('server')['process_id'] == pid
            assert (Path(name) / (directory or '.rq') / 'valkey.log').exists()
            os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize('url', ['localhost:6379', 'http://u:secret@h', 'secret', '', 'redis:/h', 'Embedded:x'])
def test_unknown_scheme(url: str) -> None:
    with pytest.raises(ValueError, match='redis://, rediss://, unix://, embedded://') as caught:
        from_url(url)
    assert 'u:secret' not in str(caught.value)


@pytest.mark.parametrize('url', ['redis://:se/cret@h:1/0', 'redis://u:secret@h:x', 'redis://[::1:1', 'redis://h?db=x'])
def test_unreadable_url_is_told_without_its_password(url: str) -> None:
    with pytest.raises(ValueError, match='percent-encoded') as caught:
        from_url(url)
    assert 'cret' not in str(caught.value)
    assert caught.value.__cause__ is None and caught.value.__suppress_context__


def test_registered_provider(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, 'providers', {})
    asked = []
    register_provider('mine', lambda url: asked.append(url) or redis)
    assert from_url('mine://a/b') is redis
    assert asked == ['mine://a/b']
    with pytest.raises(ValueError, match='embedded://, mine://'):
        from_url('yours://')


@pytest.mark.parametrize(
    'client, wanted',
    [
        (Redis(), 'redis://localhost:6379/0'),
        (Redis('h', 1, db=2, username='user', password='secret'), 'redis://h:1/2'),
        (Redis(host='h', ssl=True), 'rediss://h:6379/0'),
        (Redis.from_url('rediss://u:secret@h/3'), 'rediss://h:6379/3'),
        (Redis.from_url('redis://'), 'redis://localhost:6379/0'),
        (Redis(unix_socket_path='/x/y', password='secret', db=1), 'unix:///x/y?db=1'),
    ],
)
def test_describe(client: Redis, wanted: str) -> None:
    assert describe(client) == wanted


@pytest.mark.parametrize(
    'url, wanted',
    [
        ('redis://h:1/0', 'redis://h:1/0'),
        ('redis://u:p@h', 'redis://***@h'),
        ('redis://u:p@ss@h', 'redis://***@h'),
        ('unix:///s?password=p&db=1', 'unix:///s?password=***&db=1'),
        ('rediss://h?ssl_password=p', 'rediss://h?ssl_password=***'),
    ],
)
def test_redact(url: str, wanted: str) -> None:
    assert redact(url) == wanted
