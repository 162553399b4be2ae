"""`rq worker`: its options reach a real worker, and what cannot be is said in a sentence."""

import ast
import os
import signal
from pathlib import Path

import pytest
from redis import Redis

from rq import Queue, Retry
from tests.cli.conftest import Run, Shell, failed, refused
from tests.conftest import PrivateServer
from tests.waiting import wait_until

SECRET = 'sesame'


@pytest.fixture
def queue(redis: Redis) -> Queue:
    """The queue `default`."""
    return Queue('default', connection=redis)


def test_burst(shell: Shell, redis: Redis, redis_url: str, queue: Queue) -> None:
    good = queue.enqueue('tasks.keep', 1, a=2)
    bad = Queue('other', connection=redis).enqueue('tasks.fail')
    done = shell('worker', '-u', redis_url, '--burst', 'default', 'other')
    assert (done.returncode, done.stdout.count('*** Listening on default, other...')) == (0, 1), done.stderr
    assert good.return_value() == [(1,), {'a': 2}]
    assert 'ValueError: broken on purpose' in bad.latest_result().exc_string
    assert (queue.finished_job_registry.count, len(redis.smembers('rq:workers'))) == (1, 0)


def test_without_queues_it_is_default(shell: Shell, redis_url: str) -> None:
    assert 'Listening on default...' in shell('worker', '-u', redis_url, '-b').stdout


def test_exception_handlers_in_order(shell: Shell, redis: Redis, redis_url: str, queue: Queue, workplace: Path) -> None:
    job = queue.enqueue('tasks.fail')
    handlers = ['--exception-handler', 'tasks.note', '--exception-handler', 'tasks.swallow']
    assert shell('worker', '-u', redis_url, '-b', *handlers, '--exception-handler', 'tasks.note').returncode == 0
    # swallow ends the chain, so the third is not asked
    assert (workplace / 'handled').read_text().splitlines() == [f'note {job.id}', f'swallow {job.id}']
    assert queue.failed_job_registry.count == 1


def test_disable_default_exception_handler(shell: Shell, redis_url: str, queue: Queue) -> None:
    job = queue.enqueue('tasks.fail')
    assert shell('worker', '-u', redis_url, '-b', '-d').returncode == 0
    assert job.get_status().value == 'failed'
    assert queue.failed_job_registry.count == 0


def test_max_jobs(shell: Shell, redis_url: str, queue: Queue) -> None:
    for _ in range(3):
        queue.enqueue('tasks.keep')
    assert shell('worker', '-u', redis_url, '--max-jobs', '2').returncode == 0
    assert queue.count == 1


def test_max_idle_time(shell: Shell, redis_url: str) -> None:
    assert shell('worker', '-u', redis_url, '--max-idle-time', '1', '-s').returncode == 0


def test_results_ttl_and_serializer(shell: Shell, redis: Redis, redis_url: str) -> None:
    job = Queue('default', connection=redis, serializer='json').enqueue('tasks.keep')
    assert shell('worker', '-u', redis_url, '-b', '--results-ttl', '77', '-S', 'json').returncode == 0
    assert 70 < redis.ttl(job.key) <= 77


def test_path_and_worker_class(shell: Shell, redis_url: str, queue: Queue, workplace: Path) -> None:
    (workplace / 'deep').mkdir()
    (workplace / 'deep' / 'own.py').write_text(
        'import os, rq\n\n\nclass Inline(rq.SimpleWorker):\n    """Ours."""\n\n\ndef pid():\n    return os.getpid()\n'
    )
    job = queue.enqueue('own.pid')
    done = shell('worker', '-u', redis_url, '-b', '-P', 'deep', '-w', 'own.Inline')
    assert f'PID {job.return_value()},' in done.stdout


@pytest.mark.parametrize('strategy', ['default', 'round_robin', 'random'])
def test_dequeue_strategies(shell: Shell, redis: Redis, redis_url: str, strategy: str) -> None:
    order = '\n'.join(Queue(name, connection=redis).enqueue('tasks.keep').id for name in 'aabb')
    done = shell('worker', '-u', redis_url, '-b', '-ds', strategy, 'a', 'b', '--disable-job-desc-logging')
    announced = [line.split()[1:] for line in done.stdout.splitlines() if line.split()[1:][:1] in (['a:'], ['b:'])]
    assert sorted(words[1] for words in announced) == sorted(order.splitlines())
    expected = {'default': ['a:', 'a:', 'b:', 'b:'], 'round_robin': ['a:', 'b:', 'a:', 'b:']}
    assert [words[0] for words in announced] == expected.get(strategy, [words[0] for words in announced])


# --- settings module and log ----------------------------------------------------------------------------------

SETTINGS = f"""
REDIS_URL = {{url!r}}
QUEUES = ['high', 'low']
NAME = 'from-settings'
SENTRY_DSN = 'https://{SECRET}@nowhere'
DICT_CONFIG = {{{{
    'version': 1,
    'disable_existing_loggers': False,
    'formatters': {{{{'own': {{{{'format': 'OWN %(message)s'}}}}}}}},
    'handlers': {{{{'own': {{{{'class': 'logging.StreamHandler', 'formatter': 'own'}}}}}}}},
    'root': {{{{'handlers': ['own']}}}},
}}}}
"""


def test_settings_module(shell: Shell, redis_url: str, workplace: Path) -> None:
    (workplace / 'settings.py').write_text(SETTINGS.format(url=redis_url))
    done = shell('worker', '-b', '-c', 'settings')
    assert done.returncode == 0, done.stderr
    assert 'OWN Worker from-settings: started' in done.stderr
    assert 'OWN *** Listening on high, low...' in done.stderr
    assert SECRET not in done.stderr + done.stdout


def test_words_win_over_settings(shell: Shell, redis_url: str, workplace: Path) -> None:
    (workplace / 'settings.py').write_text(SETTINGS.format(url='redis://nowhere'))
    done = shell('worker', '-b', '-c', 'settings', '-u', redis_url, '-n', 'by-hand', 'urgent')
    assert 'OWN Worker by-hand: started' in done.stderr
    assert 'Listening on urgent...' in done.stderr


def test_one_queue_may_stand_alone(shell: Shell, redis_url: str, workplace: Path) -> None:
    (workplace / 'settings.py').write_text("QUEUES = 'high'\n")
    assert 'Listening on high...' in shell('worker', '-b', '-c', 'settings', '-u', redis_url).stdout


def test_how_much_is_said(shell: Shell, redis_url: str) -> None:
    burst = ('worker', '-u', redis_url, '-b')
    quiet = shell(*burst, '-q')
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, '', '')
    assert shell(*burst, '--logging_level', 'warning').stdout == ''
    formed = shell(*burst, '-v', '--log-format', '%(asctime)s|%(message)s', '--date-format', 'noon')
    assert all(line.startswith('noon|') for line in formed.stdout.splitlines())
    assert 'noon|*** Listening' in formed.stdout


# --- pid, name, signals ---------------------------------------------------------------------------------------


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_code_0(start, redis: Redis, redis_url: str, workplace: Path, number: int) -> None:
    process = start('worker', '-u', redis_url, '--name', 'one', '--pid', 'pid-file')
    wait_until(lambda: redis.sismember('rq:workers', 'rq:worker:one'), what='the worker is in the books')
    assert (workplace / 'pid-file').read_text() == str(process.pid)
    process.send_signal(number)
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 0, output
    assert not redis.exists('rq:workers')


def test_a_name_in_use(start, shell: Shell, redis: Redis, redis_url: str) -> None:
    start('worker', '-u', redis_url, '--name', 'one')
    wait_until(lambda: redis.exists('rq:worker:one'), what='the first worker is born')
    second = shell('worker', '-u', redis_url, '--name', 'one')
    assert (second.returncode, second.stdout) == (1, '')
    assert second.stderr.startswith("Error: There exists an active worker named 'one' already")
    assert second.stderr.count('\n') == 1


def test_it_waits_for_its_server(start, tmp_path: Path) -> None:
    process = start('worker', '-u', f'unix://{tmp_path}/valkey.sock', '-n', 'early')
    assert f'unix://{tmp_path}/valkey.sock' in process.stdout.readline()  # it says for what it waits
    server = PrivateServer(tmp_path)
    try:
        wait_until(server.answers, what='the server answers')
        with Redis(unix_socket_path=str(server.socket)) as client:
            wait_until(lambda: client.exists('rq:worker:early'), 20, 'the worker has arrived')
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=20)
    finally:
        server.kill()
    assert process.returncode == 0


# --- refusals -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    'words, named',
    [
        (['--logging_level', 'loud'], "'--logging_level'"),
        (['--log-format', '%(nosuch'], "'--log-format'"),
        (['--exception-handler', 'nosuch.handler'], "'--exception-handler'"),
        (['--exception-handler', 'tasks'], "'--exception-handler'"),
        (['--pid', 'nosuch/pid'], "'--pid'"),
        (['--pid', '.'], "'--pid'"),
        (['--pid', '~nosuchuser/pid'], "'--pid'"),
        (['--max-jobs', '0'], "'--max-jobs'"),
        (['--max-idle-time', '-1'], "'--max-idle-time'"),
        (['--worker-ttl', '0'], "'--worker-ttl'"),
        (['--job-monitoring-interval', '0'], "'--job-monitoring-interval'"),
        (['--results-ttl', '1h'], "'--results-ttl'"),
        (['x:intermediate'], 'x:intermediate'),
        (['--nosuch'], '--nosuch'),
    ],
)
def test_refused(run: Run, redis: Redis, redis_url: str, words: list[str], named: str) -> None:
    refused(run('worker', '-u', redis_url, '-b', *words), named)
    assert redis.keys('*') == []


def test_an_unknown_strategy_ends_with_code_1(run: Run, redis_url: str) -> None:
    failed(run('worker', '-u', redis_url, '-ds', 'by-mood'), 'by-mood', 'default, round_robin, random')


def test_a_wrong_log_configuration(run: Run, redis_url: str, workplace: Path) -> None:
    for number, wrong in enumerate(["{'version': 99}", "'text'", "{'version': 1, 'root': {'handlers': ['x']}}"]):
        (workplace / f'settings{number}.py').write_text(f'DICT_CONFIG = {wrong}\n')
        refused(run('worker', '-u', redis_url, '-b', '-c', f'settings{number}'), "'--config'", 'DICT_CONFIG')


OPEN_WORKER = """
import rq


class Open(rq.Worker):
    def __init__(self, queues, **words):
        self.words = words
        super().__init__(queues, **words)

    def work(self, **words):
        for word, value in sorted((self.words | words).items()):
            print(f'{word}={getattr(value, "__name__", value)!r}')
        return False
"""


@pytest.fixture
def handed_over(run: Run, redis_url: str, workplace: Path):
    """`handed_over('-b')` gives what `rq worker -b` hands to the worker class and to its `work`."""

    def handed_over(*words: str) -> dict[str, object]:
        (workplace / 'own.py').write_text(OPEN_WORKER)
        result = run('worker', '-u', redis_url, '-w', 'own.Open', *words)
        assert result.exit_code == 0, result.output
        pairs = (line.partition('=') for line in result.stdout.splitlines() if '=<' not in line)
        return {word: ast.literal_eval(value) for word, _, value in pairs if value[:1] not in ('<', '[')}

    return handed_over


DEFAULTS = {
    'name': None, 'default_result_ttl': 500, 'worker_ttl': 420, 'maintenance_interval': 600,
    'job_monitoring_interval': 30, 'log_job_description': True, 'disable_default_exception_handler': False,
    'exception_handlers': None, 'burst': False, 'logging_level': None, 'date_format': '%H:%M:%S',
    'log_format': '%(asctime)s %(message)s', 'max_jobs': None, 'max_idle_time': None, 'with_scheduler': False,
    'job_class': 'Job', 'queue_class': 'Queue', 'serializer': 'rq.serializers.DefaultSerializer',
}  # fmt: skip


def test_defaults(handed_over) -> None:
    assert handed_over() == DEFAULTS


@pytest.mark.parametrize(
    'words, changed',
    [
        (['-b'], {'burst': True}),
        (['-n', 'one'], {'name': 'one'}),
        (['--results-ttl', '7'], {'default_result_ttl': 7}),
        (['--worker-ttl', '7'], {'worker_ttl': 7}),
        (['--maintenance-interval', '7'], {'maintenance_interval': 7}),
        (['--job-monitoring-interval', '7'], {'job_monitoring_interval': 7}),
        (['--disable-job-desc-logging'], {'log_job_description': False}),
        (['--disable-default-exception-handler'], {'disable_default_exception_handler': True}),
        (['--logging_level', 'debug'], {'logging_level': 'DEBUG'}),
        (['--log-format', '%(message)s', '--date-format', 'y'], {'log_format': '%(message)s', 'date_format': 'y'}),
        (['--max-jobs', '7', '--max-idle-time', '8'], {'max_jobs': 7, 'max_idle_time': 8}),
        (['-s'], {'with_scheduler': True}),
        (['-S', 'json'], {'serializer': 'json'}),
    ],
)
def test_each_option_arrives(handed_over, words: list[str], changed: dict[str, object]) -> None:
    assert handed_over(*words) == DEFAULTS | changed


@pytest.mark.parametrize('name, strategy', [('RoundRobinWorker', 'round_robin'), ('RandomWorker', 'random')])
def test_old_classes_come_with_a_warning(shell: Shell, redis: Redis, redis_url: str, name: str, strategy: str) -> None:
    jobs = [Queue(queue, connection=redis).enqueue('tasks.keep') for queue in 'aab']
    done = shell('worker', '-u', redis_url, '-b', '-q', '-w', f'rq.worker.{name}', 'a', 'b')
    assert (done.returncode, done.stderr, done.stdout.count('\n')) == (0, '', 1)
    assert name in done.stdout
    assert f'--dequeue-strategy {strategy}' in done.stdout
    assert all(job.get_status().value == 'finished' for job in jobs)


OWN_WORKERS = """
import rq
from rq.worker.claiming import GaveUp


class Impatient(rq.Worker):
    def work(self, **words):
        raise GaveUp('redis://h:1/0 cannot be used: no route')


class Stopped(rq.Worker):
    def work(self, **words):
        self._stop_requested = True
        raise GaveUp('redis://h:1/0 cannot be used: no route')


class Narrow(rq.Worker):
    def __init__(self, queues):
        pass
"""


def test_ends_without_having_worked(run: Run, redis_url: str, workplace: Path) -> None:
    (workplace / 'own.py').write_text(OWN_WORKERS)
    words = ('worker', '-u', redis_url, '-b', '-w')
    failed(run(*words, 'own.Impatient'), 'redis://h:1/0 cannot be used', '--url embedded://')
    failed(run(*words, 'own.Narrow'), 'cannot be made')
    stopped = run(*words, 'own.Stopped')  # told to leave while it waits for its server: an orderly end
    assert (stopped.exit_code, stopped.output) == (0, '')


def test_the_pid_may_lie_at_home(shell: Shell, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('HOME', str(tmp_path))
    assert shell('worker', '-u', redis_url, '-b', '--pid', '~/pid').returncode == 0
    assert int((tmp_path / 'pid').read_text()) != os.getpid()


@pytest.mark.parametrize('command', ['worker', 'worker-pool'])
def test_both_levels(run: Run, redis_url: str, command: str) -> None:
    failed(run(command, '-u', redis_url, '-b', '-v', '-q'), '--verbose and --quiet')


@pytest.mark.parametrize('command', ['worker', 'worker-pool'])
def test_final_failure_handlers(
    shell: Shell, run: Run, redis: Redis, redis_url: str, workplace: Path, command: str
) -> None:
    job = Queue(connection=redis).enqueue('tasks.fail', retry=Retry(max=1))
    handlers = ['--final-failure-handler', 'tasks.swallow', '--final-failure-handler', 'tasks.note']
    done = shell(command, '-u', redis_url, '--burst', *handlers)
    assert done.returncode == 0, done.stderr
    assert (workplace / 'handled').read_text() == f'swallow {job.id}\nnote {job.id}\n'
    refused(run(command, '-u', redis_url, handlers[0], 'tasks.nowhere'), handlers[0])
