"""What every command shares: its options, the settings module, and the connection they lead to."""

from __future__ import annotations

import functools
import importlib
import math
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import click

from rq.cli.errors import wrong_option
from rq.connections import from_url, redact
from rq.defaults import (
    DEFAULT_CONNECTION_CLASS,
    DEFAULT_DEATH_PENALTY_CLASS,
    DEFAULT_JOB_CLASS,
    DEFAULT_QUEUE_CLASS,
    DEFAULT_SERIALIZER_CLASS,
    DEFAULT_WORKER_CLASS,
)
from rq.devserver import ServerBinaryNotFound, ServerFailed
from rq.serializers import resolve_serializer
from rq.store.call import RedisError
from rq.utils import import_attribute, import_job_class, import_queue_class, import_worker_class


class WholeNumber(click.IntRange):
    """A whole number from a least one on; it goes by click's name of any integer."""

    name = 'integer'


class FiniteNumber(click.FloatRange):
    """A number within bounds, neither `nan` nor `inf`; it goes by click's name of a number."""

    name = 'float'

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read it."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f'{value!r} is no finite number.', param, ctx)
        return number


_YES, _NO = ('y', 'yes', 't', 'true'), ('n', 'no', 'f', 'false', '')

SHARED_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option(
        '--url',
        '-u',
        envvar='RQ_REDIS_URL',
        help='Redis URL, or embedded://[DIRECTORY] for a private server.',
    ),
    click.option('--config', '-c', envvar='RQ_CONFIG', help='Dotted name of a module with settings.'),
    click.option(
        '--worker-class',
        '-w',
        envvar='RQ_WORKER_CLASS',
        default=DEFAULT_WORKER_CLASS,
        help='Worker class to use.',
    ),
    click.option('--job-class', '-j', envvar='RQ_JOB_CLASS', default=DEFAULT_JOB_CLASS, help='Job class to use.'),
    click.option('--queue-class', envvar='RQ_QUEUE_CLASS', default=DEFAULT_QUEUE_CLASS, help='Queue class to use.'),
    click.option(
        '--connection-class',
        envvar='RQ_CONNECTION_CLASS',
        default=DEFAULT_CONNECTION_CLASS,
        help='Client class to use.',
    ),
    click.option('--path', '-P', multiple=True, default=['.'], help='Where to look for modules; repeatable.'),
    click.option(
        '--serializer',
        '-S',
        default=DEFAULT_SERIALIZER_CLASS,
        help='json, pickle, or the dotted name of a serializer.',
    ),
)


def pass_cli_config(func: Callable[..., Any]) -> Callable[..., Any]:
    """Add the shared options to a command and pass it, before its own, a CliConfig made of them."""

    @functools.wraps(func)
    def command(*args: Any, **options: Any) -> Any:
        cli_config = CliConfig(**options)
        cli_config.settings  # noqa: B018 - a wrong module is refused, be it needed or not
        return func(cli_config, *args, **options)

    for option in SHARED_OPTIONS:
        command = option(command)
    return command


class CliConfig:
    """What the shared options resolve to; the connection is made when it is first used."""

    def __init__(
        self,
        url: str | None = None,
        config: str | None = None,
        worker_class: str = DEFAULT_WORKER_CLASS,
        job_class: str = DEFAULT_JOB_CLASS,
        death_penalty_class: str = DEFAULT_DEATH_PENALTY_CLASS,
        queue_class: str = DEFAULT_QUEUE_CLASS,
        connection_class: str = DEFAULT_CONNECTION_CLASS,
        path: Sequence[str] | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        sys.path.extend(each for each in path or () if each not in sys.path)
        self._connection: Any = None
        self.url = url
        self.config = config
        self.worker_class: type[Any] = imported('--worker-class', worker_class, import_worker_class)
        self.job_class: type[Any] = imported('--job-class', job_class, import_job_class)
        self.queue_class: type[Any] = imported('--queue-class', queue_class, import_queue_class)
        self.death_penalty_class: type[Any] = imported('--death-penalty-class', death_penalty_class, import_attribute)
        self.connection_class: type[Any] = imported('--connection-class', connection_class, _import_client_class)
        # By keyword only: the signature is RQ's, which has no place for it.
        self.serializer: str = kwargs.get('serializer') or DEFAULT_SERIALIZER_CLASS
        imported('--serializer', self.serializer, resolve_serializer)

    @functools.cached_property
    def settings(self) -> dict[str, Any]:
        """The settings module's upper-case names; nothing without a module."""
        if not self.config:
            return {}
        try:
            return read_config_file(self.config)
        except Exception as error:  # the module is the user's, and may raise anything
            why = f'the module {self.config!r} cannot be imported: {error!r}'
            raise wrong_option('--config', why) from error

    @property
    def connection(self) -> Any:
        """The client: by URL, else by the settings module, else by the process environment."""
        if self._connection is None:
            self._connection = self._connect()
        return self._connection

    def _connect(self) -> Any:
        if self.url:
            try:
                return _open_url(self.url, self.connection_class)
            except ValueError as error:
                raise wrong_option('--url', error) from None
        where = f'the settings module {self.config!r}' if self.config else 'the environment'
        try:
            return get_redis_from_config(self.settings if self.config else os.environ, self.connection_class)
        except (ValueError, TypeError) as error:
            raise click.UsageError(f'the connection settings in {where} are wrong: {error}') from None

    def queue(self, name: str) -> Any:
        """The queue of a name, of the class and with the serializer that were asked for."""
        try:
            name.encode()
            return self.queue_class(
                name, connection=self.connection, job_class=self.job_class, serializer=self.serializer,
                death_penalty_class=self.death_penalty_class,
            )  # fmt: skip
        except ValueError as error:
            raise click.UsageError(f'{name!r} is no name for a queue: {error}') from error


def imported(option: str, name: str, importer: Callable[[str], Any]) -> Any:
    """What a dotted name leads to; a usage error naming the option when that is nothing, or unfit."""
    try:
        return importer(name)
    except (ImportError, AttributeError, ValueError, RuntimeError) as error:  # the last: an unfit serializer
        raise wrong_option(option, error) from error


def _import_client_class(name: str) -> Any:
    found: Any = import_attribute(name)
    if not (isinstance(found, type) and hasattr(found, 'from_url')):
        raise ValueError(f'{name!r} is {found!r}, but a client class like redis.Redis is needed')
    return found


# --- settings and connection ----------------------------------------------------------------------------------


def read_config_file(module: str) -> dict[str, Any]:
    """The upper-case names of a module."""
    settings = importlib.import_module(module)
    return {name: getattr(settings, name) for name in dir(settings) if name.isupper()}


_Redis: Any = import_attribute(DEFAULT_CONNECTION_CLASS)


def get_redis_from_config(settings: Mapping[str, Any], connection_class: Any = _Redis) -> Any:
    """The client that REDIS_URL, else SENTINEL, else REDIS_HOST and its companions ask for."""
    if settings.get('REDIS_URL'):
        return _open_url(str(settings['REDIS_URL']), connection_class)
    sentinel = settings.get('SENTINEL')
    if isinstance(sentinel, Mapping):  # a text is an environment variable of somebody else
        return _open_sentinel(sentinel, connection_class)
    words: dict[str, Any] = {
        'host': settings.get('REDIS_HOST') or 'localhost',
        'port': _whole_number(settings, 'REDIS_PORT', 6379),
        'db': _whole_number(settings, 'REDIS_DB', 0),
        'password': settings.get('REDIS_PASSWORD'),
        'retry': None,  # by default redis-py repeats for four seconds before it says that nobody is there
    }
    if _truth(settings, 'REDIS_SSL'):
        words |= {
            'ssl': True,
            'ssl_ca_certs': settings.get('REDIS_SSL_CA_CERTS'),
            'ssl_cert_reqs': settings.get('REDIS_SSL_CERT_REQS', 'required'),
            'ssl_ca_data': settings.get('REDIS_SSL_CA_DATA'),
            'ssl_keyfile': settings.get('REDIS_SSL_KEYFILE'),
            'ssl_certfile': settings.get('REDIS_SSL_CERTFILE'),
        }
    return _checked(connection_class(**words))


def _open_sentinel(sentinel: Mapping[str, Any], connection_class: Any) -> Any:
    """The client of the service's primary, wherever the sentinels say it is."""
    # By name, as the client class: only rq.connections and the store know redis-py by import.
    sentinel_class: Any = import_attribute('redis.sentinel.Sentinel')
    manager = sentinel_class(
        sentinel.get('INSTANCES', [('localhost', 26379)]),
        sentinel_kwargs=sentinel.get('SENTINEL_KWARGS', {}),
        db=sentinel.get('DB', 0),
        username=sentinel.get('USERNAME'),
        password=sentinel.get('PASSWORD'),
        socket_timeout=sentinel.get('SOCKET_TIMEOUT'),
        ssl=sentinel.get('SSL', False),
        **sentinel.get('CONNECTION_KWARGS', {}),
    )
    return manager.master_for(sentinel.get('MASTER_NAME', 'mymaster'), redis_class=connection_class)


def _open_url(url: str, connection_class: Any) -> Any:
    """The client of a URL; `ValueError`, without any secret, for one that leads nowhere."""
    if '://' not in url:
        # Not quoted: what is no URL cannot be cut, and may be a password.
        raise ValueError('a URL begins with redis://, rediss://, unix:// or embedded://')
    _refuse_misquoted(url)
    try:
        return _checked(from_url(url, connection_class))
    except (ServerBinaryNotFound, ServerFailed) as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise ValueError(f'no private server can be started there: {error}') from error


def _refuse_misquoted(url: str) -> None:
    """An unquoted / or # in a password ends the host early: a part would be printed as an address."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return  # from_url says what is wrong
    if parts.scheme not in ('redis', 'rediss'):
        return
    words = parts.query.split('&') if parts.query else []
    if not re.fullmatch(r'/?\d*/?', parts.path) or parts.fragment or any('=' not in word for word in words):
        raise ValueError(
            'after host and port of the URL only the number of a database may follow; '
            'special characters of user and password must be percent-encoded'
        )


def _checked(connection: Any) -> Any:
    """The client, if connections can be made with the arguments it was given; nothing is sent yet."""
    pool = getattr(connection, 'connection_pool', None)
    if pool is not None:
        try:
            pool.connection_class(**pool.connection_kwargs)
        except (TypeError, ValueError, RedisError) as error:
            raise ValueError(f'no connection can be made like this: {redact(str(error))}') from None
    return connection


def _whole_number(settings: Mapping[str, Any], name: str, default: int) -> int:
    value = settings.get(name)
    if value is None or value == '':
        return default
    try:
        return int(value)
    except ValueError:
        raise ValueError(f'{name} must be a whole number, not {value!r}') from None


def _truth(settings: Mapping[str, Any], name: str) -> bool:
    value = settings.get(name)
    if not isinstance(value, str):
        return bool(value)
    if value.lower() in _YES:
        return True
    if value.lower() in _NO:
        return False
    raise ValueError(f'{name} must be True or False, not {value!r}')
