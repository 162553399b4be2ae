"""Find, rebuild and share a connection.

Everything that knows how a redis-py client is put together stands here; nothing here knows of jobs.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from copy import copy
from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.connection import Connection, ConnectionPool, SSLConnection
from redis.retry import Retry
from redis.sentinel import SentinelConnectionPool

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

Provider = Callable[[str], Redis]

providers: dict[str, Provider] = {}
"""Who makes the client of a URL, by scheme; redis-py makes those of its own schemes."""


# All between "://" and "@", and the passwords of a query; greedy, because a bad URL is badly quoted.
_SECRETS = ((re.compile(r'://.*@', re.DOTALL), '://***@'), (re.compile(r'(password=)[^&#]*', re.I), r'\1***'))


class NoRedisConnectionException(Exception):
    """There is no connection to work with; old programs catch it."""


def get_connection_kwargs(connection: Redis) -> dict[str, Any]:
    """The arguments with which another process can build the same connection."""
    return {
        name: value
        for name, value in connection.connection_pool.connection_kwargs.items()
        # A bare object() is a "not given" mark of redis-py: equal to itself in this process only.
        if name not in REDIS_RUNTIME_CONNECTION_KWARGS and type(value) is not object
    }


def parse_connection(connection: Redis) -> tuple[type[Redis], type[Connection], dict[str, Any]]:
    """The client's class, the class of its connections, and their arguments."""
    pool = connection.connection_pool
    return type(connection), pool.connection_class, get_connection_kwargs(connection)


def rebuild(connection: Redis, socket_timeout: float | None = None, retries: bool = False) -> Redis:
    """A new client like `connection`, with its own pool, a bounded socket timeout and no hidden retries."""
    client_class, connection_class, kwargs = parse_connection(connection)
    _bound_timeout(kwargs, socket_timeout)
    if not retries:
        _stop_retrying(kwargs)
    old_pool = connection.connection_pool
    pool: ConnectionPool
    if isinstance(old_pool, SentinelConnectionPool):
        pool = _sentinel_pool(old_pool, kwargs, socket_timeout, retries)
    else:
        pool = ConnectionPool(connection_class=connection_class, **kwargs)
    # Not client_class(**kwargs): it takes a client's arguments, which are not those of a connection.
    client = client_class(connection_pool=pool)
    # Unlike from_pool, this also closes the sockets when the client goes, on every redis-py since 5.0.
    client.auto_close_connection_pool = True
    return client


def _bound_timeout(kwargs: dict[str, Any], limit: float | None) -> None:
    """Lower the socket timeouts of `kwargs` to `limit`; no timeout at all counts as longer."""
    if limit is None:
        return
    for name in ('socket_timeout', 'socket_connect_timeout'):
        given = kwargs.get(name)
        kwargs[name] = limit if given is None else min(given, limit)


def _stop_retrying(kwargs: dict[str, Any]) -> None:
    """Take redis-py's own repetition out of `kwargs`: who waits and repeats is ours to say."""
    kwargs['retry'] = Retry(NoBackoff(), 0)
    for name in ('retry_on_error', 'retry_on_timeout'):
        kwargs.pop(name, None)


def _sentinel_pool(
    old: SentinelConnectionPool, kwargs: dict[str, Any], socket_timeout: float | None, retries: bool
) -> SentinelConnectionPool:
    """A pool that asks the same sentinels for the same service; master or replica as before."""
    sentinel = copy(old.sentinel_manager)
    sentinel.sentinels = [rebuild(each, socket_timeout, retries) for each in sentinel.sentinels]
    kwargs.pop('connection_pool', None)  # the old pool's proxy; the new pool puts in its own
    return type(old)(
        old.service_name,
        sentinel,
        is_master=old.is_master,
        check_connection=old.check_connection,
        connection_class=old.connection_class,
        **kwargs,
    )


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


def describe(connection: Redis) -> str:
    """Where `connection` leads, as an address to print; it never shows a password."""
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
