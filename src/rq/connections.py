"""Find, rebuild and share a connection.

Everything that knows how a redis-py client is put together stands here; nothing here knows of jobs.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from copy import copy
from inspect import signature
from typing import Any

from redis import Redis
from redis import asyncio as aio
from redis.asyncio.connection import AbstractConnection as AbstractAsyncConnection
from redis.backoff import NoBackoff
from redis.cluster import RedisCluster
from redis.connection import BlockingConnectionPool, ConnectionPool, SSLConnection, UnixDomainSocketConnection
from redis.connection import Connection as RedisConnection
from redis.retry import Retry
from redis.sentinel import Sentinel, SentinelConnectionPool

from rq.defaults import RQ_KEY_PREFIX

REDIS_RUNTIME_CONNECTION_KWARGS = (
    'maint_notifications_config',
    'maint_notifications_pool_handler',
    'himport_registry',
    'event_dispatcher',
    'orig_host_address',
    'orig_socket_timeout',
    'orig_socket_connect_timeout',
)
"""Pool arguments that redis-py adds while it runs; a new client must not be given them."""

REDIS_SCHEMES = ('redis', 'rediss', 'unix')
EMBEDDED_DIRECTORY = '.rq'
# Seconds one of our own clients tries to connect: a lost packet is sent again after one.
CONNECT_TIMEOUT = 2

Provider = Callable[[str], Redis]

providers: dict[str, Provider] = {}
"""Who makes the client of a URL, by scheme; redis-py makes those of its own schemes."""


# All between "://" and "@", and the passwords of a query; greedy, because a bad URL is badly quoted.
_SECRETS = ((re.compile(r'://.*@', re.DOTALL), '://***@'), (re.compile(r'(password=)[^&#]*', re.I), r'\1***'))


def _observed() -> bool:
    """Whether redis-py was told to measure its commands; older versions do not."""
    return False


with suppress(ImportError):
    from redis.observability.providers import get_observability_instance

    def _observed() -> bool:
        return get_observability_instance().get_provider_manager() is not None


def _as_made(owner: type[Any], name: str) -> Any:
    """A method as redis-py made it; something else than the method when a tracer was there before us."""
    method = getattr(owner, name)
    code = getattr(method, '__code__', None)
    if code is None or code.co_name != name or hasattr(method, '__wrapped__'):
        return object()
    return method if '/redis/' in code.co_filename.replace('\\', '/') else object()


_EXECUTE = _as_made(Redis, 'execute_command')
_SEND, _SEND_PACKED, _READ = (
    _as_made(RedisConnection, name) for name in ('send_command', 'send_packed_command', 'read_response')
)
_POOLS = (ConnectionPool, BlockingConnectionPool)
_CONNECTIONS = (RedisConnection, UnixDomainSocketConnection, SSLConnection)


def is_plain(client: Any) -> bool:
    """Whether nobody listens in between a client and its server, so that its connections may be spoken to directly.

    Not so for other classes, a single connection, a cache, and wherever a tracer has replaced a method.
    """
    if type(client) is not Redis or Redis.execute_command is not _EXECUTE or 'execute_command' in client.__dict__:
        return False
    pool = client.connection_pool
    kind = getattr(pool, 'connection_class', None)
    return (
        kind in _CONNECTIONS
        and kind.send_command is _SEND
        and kind.send_packed_command is _SEND_PACKED
        and kind.read_response is _READ
        and client.connection is None
        and type(pool) in _POOLS
        and getattr(pool, 'cache', None) is None
        and not _observed()
    )


class NoRedisConnectionException(Exception):
    """There is no connection to work with: give one as `connection=...`; old programs catch it."""


def get_connection_kwargs(connection: Redis) -> dict[str, Any]:
    """The arguments with which another process can build the same connection."""
    return {
        name: value
        for name, value in connection.connection_pool.connection_kwargs.items()
        # A bare object() is a "not given" mark of redis-py: equal to itself in this process only.
        if name not in REDIS_RUNTIME_CONNECTION_KWARGS and type(value) is not object
    }


def parse_connection(connection: Redis) -> tuple[type[Redis], type[RedisConnection], dict[str, Any]]:
    """The client's class, the class of its connections, and their arguments."""
    pool = connection.connection_pool
    return type(connection), pool.connection_class, get_connection_kwargs(connection)


def rebuild(connection: Any, socket_timeout: float | None = None, retries: bool = False) -> Redis:
    """A new client like `connection`, with its own pool, a bounded socket timeout and no hidden retries."""
    if isinstance(connection, RedisCluster):
        return _rebuild_of_slot(connection, socket_timeout, retries)
    client_class, connection_class, kwargs = parse_connection(connection)
    _bound_timeout(kwargs, socket_timeout)
    if not retries:
        _stop_retrying(kwargs)
    old_pool = connection.connection_pool
    pool: ConnectionPool
    if isinstance(old_pool, SentinelConnectionPool):
        pool = _sentinel_pool(old_pool, {**kwargs, 'connection_class': connection_class}, socket_timeout, retries)
    else:
        pool = ConnectionPool(connection_class=connection_class, **kwargs)
    # Not client_class(**kwargs): it takes a client's arguments, which are not those of a connection.
    client = client_class(connection_pool=pool)
    # Unlike from_pool, this also closes the sockets when the client goes, on every redis-py since 5.0.
    client.auto_close_connection_pool = True
    return client


def another(client: Redis) -> Redis:
    """One more client like one that `rebuild` has made, with a pool of its own; at a tenth of the cost where it can."""
    pool = client.connection_pool
    if type(client) is not Redis or type(pool) is not ConnectionPool:
        return rebuild(client, retries=True)
    made = copy(client)
    made.connection_pool = ConnectionPool(connection_class=pool.connection_class, **get_connection_kwargs(client))
    return made


class SlotPool(ConnectionPool):
    """Connections to that node of a cluster which serves our slot; all our keys live in one, by their prefix."""

    def __init__(self, cluster: Any, **kwargs: Any) -> None:
        self._cluster, self._is_stale = cluster, False
        super().__init__(**kwargs)

    def release(self, connection: Any) -> None:
        """A connection that comes back closed met bad weather: the slot may have moved."""
        self._is_stale = self._is_stale or getattr(connection, '_sock', None) is None
        super().release(connection)

    def get_connection(self, *args: Any, **kwargs: Any) -> Any:
        """A connection to whoever serves the slot now."""
        if self._is_stale:
            self._cluster.nodes_manager.initialize()
            owner = self._cluster.get_node_from_key(RQ_KEY_PREFIX)
            self.connection_kwargs |= {'host': owner.host, 'port': owner.port}
            self.disconnect(inuse_connections=False)
            for connection in self._available_connections:
                connection.host, connection.port = owner.host, owner.port
            self._is_stale = False
        return super().get_connection(*args, **kwargs)


def _rebuild_of_slot(cluster: Any, socket_timeout: float | None, retries: bool) -> Redis:
    """A client of one node does: every key begins with the prefix, whose braces put all into one slot."""
    if '{' not in RQ_KEY_PREFIX:
        raise ValueError(
            f'RQ_KEY_PREFIX is {RQ_KEY_PREFIX!r}: on a cluster it must have a hash tag, as in {{rq}}, so that all '
            'keys live on one node'
        )
    cluster.nodes_manager.initialize()
    owner = cluster.get_node_from_key(RQ_KEY_PREFIX)
    _, connection_class, kwargs = parse_connection(cluster.get_redis_connection(owner))
    _bound_timeout(kwargs, socket_timeout)
    if not retries:
        _stop_retrying(kwargs)
    client = Redis(connection_pool=SlotPool(cluster, connection_class=connection_class, **kwargs))
    client.auto_close_connection_pool = True
    return client


def _bound_timeout(kwargs: dict[str, Any], limit: float | None) -> None:
    """Lower the socket timeouts of `kwargs` to `limit`; no timeout at all counts as longer.

    Who is there takes a connection at once; a try that hangs would only put off the next one.
    """
    if limit is None:
        return
    for name, most in (('socket_timeout', limit), ('socket_connect_timeout', min(limit, CONNECT_TIMEOUT))):
        given = kwargs.get(name)
        kwargs[name] = most if given is None else min(given, most)


def _stop_retrying(kwargs: dict[str, Any]) -> None:
    """Take redis-py's own repetition out of `kwargs`: who waits and repeats is ours to say."""
    kwargs['retry'] = Retry(NoBackoff(), 0)
    for name in ('retry_on_error', 'retry_on_timeout'):
        kwargs.pop(name, None)


def _sentinel_pool(
    old: Any, kwargs: dict[str, Any], socket_timeout: float | None, retries: bool
) -> SentinelConnectionPool:
    """A pool that asks the same sentinels for the same service; master or replica as before."""
    sentinel = copy(old.sentinel_manager)
    sentinel.sentinels = [rebuild(each, socket_timeout, retries) for each in sentinel.sentinels]
    kwargs.pop('connection_pool', None)  # the old pool's proxy; the new pool puts in its own
    pool_class: Any = type(old) if isinstance(old, SentinelConnectionPool) else SentinelConnectionPool
    pool: SentinelConnectionPool = pool_class(
        old.service_name, sentinel, is_master=old.is_master, check_connection=old.check_connection, **kwargs
    )
    return pool


def awaited(connection: Redis) -> Any:
    """A client of `redis.asyncio` to the same server, with a pool of its own; not for Sentinel and Cluster clients."""
    _, connection_class, kwargs = parse_connection(connection)
    classes: dict[Any, Any] = {
        RedisConnection: aio.Connection,
        SSLConnection: aio.SSLConnection,
        UnixDomainSocketConnection: aio.UnixDomainSocketConnection,
    }
    if connection_class not in classes:
        raise TypeError(
            f'a connection of class {connection_class.__name__} has no known twin to await: '
            'give an AsyncQueue a client of redis.asyncio yourself'
        )
    # what is the client's business is for a client of the other kind to choose
    for name in ('retry', 'retry_on_error', 'retry_on_timeout', 'redis_connect_func', 'socket_read_size'):
        kwargs.pop(name, None)
    known = (
        signature(classes[connection_class].__init__).parameters.keys() | signature(aio.Connection).parameters.keys()
    )
    known |= signature(AbstractAsyncConnection.__init__).parameters.keys()
    return aio.Redis(
        connection_pool=aio.ConnectionPool(
            connection_class=classes[connection_class],
            **{name: value for name, value in kwargs.items() if name in known},
        )
    )


def dismantle(connection: Redis) -> tuple[Any, ...]:
    """What another process needs to `assemble` the same connection: classes and plain values, fit for pickle."""
    client_class, connection_class, kwargs = parse_connection(connection)
    pool = connection.connection_pool
    if not isinstance(pool, SentinelConnectionPool):
        return client_class, connection_class, kwargs, None
    kwargs.pop('connection_pool', None)
    asked = pool.sentinel_manager
    sentinels = [dismantle(each) for each in asked.sentinels]
    words = (asked.min_other_sentinels, asked.sentinel_kwargs, asked.connection_kwargs)
    service = (type(pool), pool.service_name, pool.is_master, pool.check_connection, sentinels, *words)
    return client_class, connection_class, kwargs, service


def assemble(
    client_class: type[Redis], connection_class: type[RedisConnection], kwargs: dict[str, Any], service: Any = None
) -> Redis:
    """A new client from the parts that `dismantle` or `parse_connection` gave, with a pool of its own."""
    kwargs = dict(kwargs)
    pool: ConnectionPool
    if service is not None:
        pool_class, name, is_master, check_connection, sentinels, others, sentinel_kwargs, connection_kwargs = service
        make: Any = Sentinel  # it has no annotations
        asked = make([], others, sentinel_kwargs, **connection_kwargs)
        asked.sentinels = [assemble(*each) for each in sentinels]
        kwargs |= {'is_master': is_master, 'check_connection': check_connection, 'connection_class': connection_class}
        pool = pool_class(name, asked, **kwargs)
    elif hasattr(kwargs.get('connection_pool'), 'sentinel_manager'):  # the old pool's proxy, in a forked process
        pool = _sentinel_pool(
            kwargs['connection_pool'], {**kwargs, 'connection_class': connection_class}, None, retries=True
        )
    else:
        pool = ConnectionPool(connection_class=connection_class, **kwargs)
    client = client_class(connection_pool=pool)
    client.auto_close_connection_pool = True
    return client


def register_provider(scheme: str, provider: Provider) -> None:
    """Let `provider(url)` make the client of every URL that begins with `scheme://`."""
    providers[scheme] = provider


def from_url(url: str, client_class: type[Redis] = Redis) -> Redis:
    """A client for `url`: a scheme of redis-py, of a registered provider, or `embedded://[directory]`."""
    scheme, mark, rest = url.partition('://')
    if scheme in providers:
        return providers[scheme](url)
    if mark and scheme == 'embedded':
        return _embedded(rest or EMBEDDED_DIRECTORY, client_class)
    if not mark or scheme not in REDIS_SCHEMES:
        allowed = ', '.join(f'{each}://' for each in (*REDIS_SCHEMES, 'embedded', *providers))
        raise ValueError(f'the Redis URL {redact(url)!r} must begin with one of: {allowed}')
    try:
        return client_class.from_url(url)
    except ValueError:
        # Not chained: the message of urllib quotes what it took for a port, often a part of the password.
        raise ValueError(
            f'the Redis URL {redact(url)!r} cannot be read; it must look like '
            f'{scheme}://[user:password@]{"/path/to/socket?db=0" if scheme == "unix" else "host:port/db"}, '
            f'with special characters of user and password percent-encoded'
        ) from None


def _embedded(directory: str, client_class: type[Redis]) -> Redis:
    """A client of the private server of `directory`, which is started if need be."""
    from rq.devserver import serve  # an extra: who never says embedded:// must not need it

    return client_class.from_url(serve(directory).url)


def describe(connection: Any) -> str:
    """Where `connection` leads, as an address to print; it never shows a password."""
    if isinstance(connection, RedisCluster):
        return 'cluster://' + ','.join(
            node.name for node in connection.nodes_manager.get_nodes_by_server_type('primary')
        )
    pool = connection.connection_pool
    kwargs = pool.connection_kwargs
    database = kwargs.get('db') or 0
    if isinstance(pool, SentinelConnectionPool):
        sentinels = (each.connection_pool.connection_kwargs for each in pool.sentinel_manager.sentinels)
        addresses = ','.join(f'{each.get("host")}:{each.get("port")}' for each in sentinels)
        return f'sentinel://{addresses}/{pool.service_name}/{database}'
    if 'path' in kwargs:
        return f'unix://{kwargs["path"]}?db={database}'
    scheme = 'rediss' if issubclass(pool.connection_class, SSLConnection) else 'redis'
    return f'{scheme}://{kwargs.get("host", "localhost")}:{kwargs.get("port", 6379)}/{database}'


def redact(url: str) -> str:
    """`url` without its user, password and secrets, fit for a log line."""
    for pattern, instead in _SECRETS:
        url = pattern.sub(instead, url)
    return url
