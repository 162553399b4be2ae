"""Shared options: classes, the settings module, and which connection they lead to. Nothing is sent to a server."""

from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from redis import Redis, SSLConnection
from redis.sentinel import SentinelConnectionPool

import rq
from rq.cli.helpers import CliConfig, get_redis_from_config, pass_cli_config, read_config_file
from rq.connections import describe
from rq.job import Job
from rq.queue import Queue
from rq.timeouts import UnixSignalDeathPenalty
from tests.cli.conftest import Run, refused


class OwnRedis(Redis):
    """Somebody's client class."""


def test_defaults() -> None:
    config = CliConfig()
    assert (config.worker_class, config.job_class, config.queue_class) == (rq.Worker, Job, Queue)
    assert (config.connection_class, config.death_penalty_class) == (Redis, UnixSignalDeathPenalty)
    assert (config.url, config.config, config.settings) == (None, None, {})
    assert describe(config.connection) == 'redis://localhost:6379/0'


def test_own_classes_are_found_on_the_path(workplace: Path) -> None:
    (workplace / 'deep').mkdir()
    (workplace / 'deep' / 'own.py').write_text(
        'import redis, rq, rq.job\nclass W(rq.SimpleWorker): ...\nclass J(rq.job.Job): ...\n'
        'class Q(rq.Queue): ...\nclass R(redis.Redis): ...\n'
    )
    config = CliConfig(
        'unix:///s', worker_class='own.W', job_class='own.J', queue_class='own.Q', connection_class='own.R',
        path=['deep'],
    )  # fmt: skip
    assert [cls.__name__ for cls in (config.worker_class, config.job_class, config.queue_class)] == ['W', 'J', 'Q']
    assert type(config.connection).__name__ == 'R'
    queue = config.queue('q')
    assert (type(queue).__name__, queue.job_class.__name__, queue.connection) == ('Q', 'J', config.connection)


@pytest.mark.parametrize(
    'option, value',
    [
        ('--worker-class', 'nosuch.Worker'),
        ('--worker-class', 'rq.NoSuchWorker'),
        ('--worker-class', 'rq.Queue'),
        ('--worker-class', 'tasks.fail'),
        ('--worker-class', ''),
        ('--job-class', 'rq.Queue'),
        ('--job-class', 'a..b'),
        ('--queue-class', 'rq.job.Job'),
        ('--queue-class', 'broken.Queue'),
        ('--connection-class', 'os.path'),
        ('--connection-class', 'rq.Queue'),
        ('--serializer', 'nosuch'),
        ('--serializer', 'os.path'),
        ('--config', 'nosuch'),
        ('--config', 'broken'),
        ('--config', 'tasks.py'),
    ],
)
def test_wrong_classes_and_modules(run: Run, workplace: Path, option: str, value: str) -> None:
    (workplace / 'broken.py').write_text('1 / 0\n')
    for command in (['info'], ['enqueue', 'tasks.keep'], ['empty'], ['requeue', '--queue', 'q'], ['worker']):
        refused(run(*command, '--url', 'unix:///nosuch', option, value), option)


def test_pass_cli_config() -> None:
    @click.command()
    @click.option('--own')
    @pass_cli_config
    def command(cli_config: CliConfig, own: str, **options: object) -> None:
        click.echo(f'{own} {describe(cli_config.connection)} {options["serializer"]}')

    words = ['--own', 'word', '-u', 'redis://h:1/2', '-S', 'json']
    assert CliRunner().invoke(command, words).output == 'word redis://h:1/2 json\n'


# --- which connection -----------------------------------------------------------------------------------------


def test_url_wins_over_settings_over_environment(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (workplace / 'settings.py').write_text("REDIS_HOST = 'module'\n")
    monkeypatch.setenv('REDIS_URL', 'redis://environment:1/1')
    assert describe(CliConfig('redis://url', 'settings', path=['.']).connection) == 'redis://url:6379/0'
    assert describe(CliConfig(None, 'settings', path=['.']).connection) == 'redis://module:6379/0'
    assert describe(CliConfig().connection) == 'redis://environment:1/1'


def test_the_environment_may_name_url_and_module(run: Run, workplace: Path) -> None:
    refused(run('info', env={'RQ_REDIS_URL': 'bogus://x'}), "'--url'", 'bogus')
    refused(run('info', env={'RQ_CONFIG': 'nosuch'}), "'--config'", 'nosuch')


def test_read_config_file(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (workplace / 'settings.py').write_text("import os\nQUEUES = ['a']\nSENTRY_DSN = 'x'\nname = 1\n_HIDDEN = 2\n")
    monkeypatch.syspath_prepend(str(workplace))
    assert read_config_file('settings') == {'QUEUES': ['a'], 'SENTRY_DSN': 'x', '_HIDDEN': 2}


def arguments(settings: dict[str, object]) -> dict[str, object]:
    found: dict[str, object] = get_redis_from_config(settings).connection_pool.connection_kwargs
    return found


def test_host_and_port() -> None:
    found = arguments({'REDIS_HOST': 'h', 'REDIS_PORT': '7', 'REDIS_DB': '3', 'REDIS_PASSWORD': 'pw'})
    assert (found['host'], found['port'], found['db'], found['password']) == ('h', 7, 3, 'pw')
    assert found['retry'] is None  # who has no server shall know at once


@pytest.mark.parametrize('value', ['y', 'YES', 't', 'True', True, 1])
def test_tls(value: object) -> None:
    client = get_redis_from_config({'REDIS_SSL': value, 'REDIS_SSL_CERTFILE': 'c', 'REDIS_SSL_CERT_REQS': 'none'})
    connection = client.connection_pool.connection_class(**client.connection_pool.connection_kwargs)
    assert isinstance(connection, SSLConnection)
    assert (connection.certfile, connection.cert_reqs.name) == ('c', 'CERT_NONE')


@pytest.mark.parametrize('value', ['n', 'NO', 'f', 'False', '', False, None, 0])
def test_no_tls(value: object) -> None:
    assert not issubclass(get_redis_from_config({'REDIS_SSL': value}).connection_pool.connection_class, SSLConnection)


@pytest.mark.parametrize(
    'settings, words',
    [
        ({'REDIS_SSL': '1'}, 'REDIS_SSL must be True or False'),
        ({'REDIS_SSL': 'True', 'REDIS_SSL_CERT_REQS': 'perhaps'}, 'no connection can be made'),
        ({'REDIS_PORT': 'x'}, 'REDIS_PORT must be a whole number'),
        ({'REDIS_DB': '1.5'}, 'REDIS_DB must be a whole number'),
        ({'REDIS_URL': 'localhost:6379'}, 'a URL begins with redis://'),
        ({'REDIS_URL': 'redis://:sesame@h:x'}, 'cannot be read'),
    ],
)
def test_wrong_settings(run: Run, settings: dict[str, str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        get_redis_from_config(settings)
    result = run('info', env=settings)
    refused(result, 'settings in the environment', words)
    assert 'sesame' not in result.output


def test_a_module_with_wrong_settings_is_named(run: Run, workplace: Path) -> None:
    (workplace / 'settings.py').write_text("REDIS_PORT = 'x'\n")
    refused(run('info', '-c', 'settings'), "the settings module 'settings'", 'REDIS_PORT')
    (workplace / 'sentinels.py').write_text("SENTINEL = {'INSTANCES': 5}\n")
    refused(run('info', '-c', 'sentinels'), "the settings module 'sentinels'")


def test_url_in_settings_wins() -> None:
    settings = {'REDIS_URL': 'redis://a:1/2', 'REDIS_HOST': 'h', 'SENTINEL': {}}
    assert describe(get_redis_from_config(settings)) == 'redis://a:1/2'


def test_sentinel() -> None:
    client = get_redis_from_config(
        {
            'REDIS_HOST': 'h',
            'SENTINEL': {
                'INSTANCES': [('a', 1), ('b', 2)],
                'MASTER_NAME': 'm',
                'DB': 2,
                'USERNAME': 'u',
                'PASSWORD': 'pw',
                'SSL': True,
                'SOCKET_TIMEOUT': 1,
                'CONNECTION_KWARGS': {'health_check_interval': 5},
                'SENTINEL_KWARGS': {'password': 'other'},
            },
        },
        OwnRedis,
    )
    assert type(client) is OwnRedis
    assert describe(client) == 'sentinel://a:1,b:2/m/2'
    pool = client.connection_pool
    assert isinstance(pool, SentinelConnectionPool)
    found = pool.connection_kwargs
    assert (found['username'], found['password'], found['db']) == ('u', 'pw', 2)
    assert (found['socket_timeout'], found['health_check_interval']) == (1, 5)
    assert issubclass(pool.connection_class, SSLConnection)
    sentinel = pool.sentinel_manager.sentinels[0].connection_pool.connection_kwargs
    assert sentinel['password'] == 'other'


def test_sentinel_defaults() -> None:
    assert describe(get_redis_from_config({'SENTINEL': {}})) == 'sentinel://localhost:26379/mymaster/0'


def test_sentinel_in_the_environment_is_somebody_elses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('SENTINEL', 'yes')
    assert describe(CliConfig().connection) == 'redis://localhost:6379/0'


# --- wrong URLs, and the secrets in them ----------------------------------------------------------------------


@pytest.mark.parametrize(
    'url',
    [
        'bogus://:sesame@h',
        ':sesame@h',
        'redis:/:sesame@h',
        'redis://:sesame@h:x',
        'redis://:sesame@h:99999',
        'redis://:sesame@[::1',
        'redis://:se/same@h',
        'redis://user:12/sesame@h',
        'redis://:12#sesame@h',
        'redis://:12?sesame@h',
        'redis://:sesame@h/name',
        'redis://h?password=sesame&nosuch=1',
        'redis://h?socket_timeout=sesame',
        'rediss://:sesame@h?ssl_cert_reqs=perhaps',
        'embedded:///etc/passwd',
        'embedded:///proc/nosuch',
    ],
)
def test_wrong_urls(run: Run, url: str) -> None:
    for command in (['info'], ['enqueue', 'tasks.keep'], ['empty', '-a'], ['requeue', '--queue', 'q', 'x'], ['worker']):
        result = run(*command, '--url', url)
        refused(result, "'--url'")
        assert 'sesame' not in result.output.replace('socket_timeout=sesame', '')


@pytest.mark.parametrize(
    'url, address',
    [
        ('redis://h', 'redis://h:6379/0'),
        ('redis://:p%2Fw%23@h:1/', 'redis://h:1/0'),
        ('redis://:p@w@h:1/3', 'redis://h:1/3'),
        ('rediss://u:pw@h/5?ssl_cert_reqs=none&socket_timeout=3', 'rediss://h:6379/5'),
        ('unix:///a/b.sock?db=2', 'unix:///a/b.sock?db=2'),
    ],
)
def test_good_urls(url: str, address: str) -> None:
    assert describe(CliConfig(url).connection) == address
