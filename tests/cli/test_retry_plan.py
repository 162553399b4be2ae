"""`rq retry-plan`, and the retries of `rq worker`."""

import json

import pytest
from redis import Redis

from rq import Queue, Retry
from tests.cli.conftest import Run, Shell, failed, refused

GROWS = """\
attempt  waits        after the first failure
      2  1 s to 10 s  1 s to 10 s
      3  1 s to 20 s  2 s to 30 s
      4  1 s to 40 s  3 s to 1 min 10 s        perhaps: the deadline is near
Given up when attempt 4 fails, 3 s to 1 min after the first failure; the time that attempts take comes on top.
"""
FIXED = """\
attempt  waits    after the first failure
      2  at once  at once
      3  1 min    1 min
      4  2 h      2 h 1 min                not made: after the deadline
Given up when attempt 3 fails, 1 min after the first failure; the time that attempts take comes on top.
"""


def test_options_to_try_out(run: Run) -> None:
    grows = run('retry-plan', '--max', '3', '--exponential', '--base', '10', '--cap', '60', '--deadline', '1m')
    assert (grows.exit_code, grows.stdout) == (0, GROWS)
    fixed = run('retry-plan', '--max', '3', '--interval', '0,60,7200', '--deadline', '1h')
    assert fixed.stdout == FIXED
    plain = run('retry-plan', '--max', '2')
    assert plain.stdout.endswith('Given up when attempt 3 fails.\n')


def test_very_many(run: Run) -> None:
    lines = run('retry-plan', '--max', '1000000', '--exponential', '--no-jitter').stdout.splitlines()
    assert len(lines) == 102 and lines[-1] == '... and 999,900 more'


def test_for_programs(run: Run) -> None:
    document = json.loads(run('retry-plan', '--max', '2', '--exponential', '--base', '3', '--json').stdout)
    assert document == {
        'job_id': None, 'retries_left': 2, 'on': [], 'never': [], 'function': '', 'seconds_to_deadline': None,
        'attempts': [
            {'number': 2, 'wait': [1, 3], 'after': [1, 3], 'is_made': 'yes'},
            {'number': 3, 'wait': [1, 6], 'after': [2, 9], 'is_made': 'yes'},
        ],
    }  # fmt: skip


def test_a_stored_job(run: Run, redis: Redis, redis_url: str) -> None:
    queue = Queue(connection=redis)
    retry = Retry(4, interval='tasks.seconds', on='tasks.Slow', never=OSError)
    job = queue.enqueue('tasks.fail', job_id='a', retry=retry)
    redis.hset(job.key, 'retries_left', 2)  # two are used up
    redis.hset(job.key, 'data', b'this cannot be loaded, and need not be')
    done = run('retry-plan', '-u', redis_url, 'a')
    assert done.stdout.splitlines() == [
        'Job a: 2 retries left',
        'Only after tasks.Slow',
        'Never after builtins.OSError',
        'How long it waits says tasks.seconds; this is what counts when that fails:',
        'attempt  waits  from now',
        '      4  4 s    4 s',
        '      5  8 s    12 s',
        'Given up when attempt 5 fails, 12 s from now; the time that attempts take comes on top.',
    ]
    redis.hset(job.key, 'retries_left', 0)
    assert run('retry-plan', '-u', redis_url, 'a').stdout.endswith('The next failure is final.\n')


def test_a_hostile_record_forges_no_line(run: Run, redis: Redis, redis_url: str) -> None:
    job = Queue(connection=redis).enqueue('tasks.fail', job_id='a', retry=Retry(1))
    redis.hset(job.key, 'retry_policy', '{"m":1,"o":["a\\nb\\u001b[2J"]}')
    assert 'Only after a\\nb\\x1b[2J\n' in run('retry-plan', '-u', redis_url, 'a').stdout


def test_past_its_deadline(run: Run, redis: Redis, redis_url: str) -> None:
    job = Queue(connection=redis).enqueue('tasks.fail', job_id='a', retry=Retry(3, deadline=60))
    redis.hset(job.key, 'retry_policy', '{"m":3,"d":60,"u":1000}')
    lines = run('retry-plan', '-u', redis_url, 'a').stdout.splitlines()
    assert lines[-2].endswith('not made: after the deadline') and lines[-1] == 'The next failure is final.'


@pytest.mark.parametrize(
    ('words', 'names'),
    [
        ([], '--max'),
        (['--max', '0'], '--max'),
        (['--max', '3', '--cap', '5'], '--cap'),
        (['--max', '3', '--no-jitter'], '--jitter'),
        (['--max', '3', '--exponential', '--interval', '5'], '--interval'),
        (['--max', '3', '--exponential', '--cap', '0.5'], 'cap=0.5'),
        (['--max', '3', '--interval', '5,x'], '--interval'),
        (['--max', '3', '--interval', '-5'], 'negative'),
        (['--max', '3', '--deadline', 'soon'], '--deadline'),
        (['a', '--max', '3'], 'either JOB or options'),
    ],
)
def test_wrong_words(run: Run, words: list[str], names: str) -> None:
    refused(run('retry-plan', *words), names)


def test_jobs_that_say_nothing(run: Run, redis: Redis, redis_url: str) -> None:
    Queue(connection=redis).enqueue('tasks.fail', job_id='a')
    failed(run('retry-plan', '-u', redis_url, 'a'), 'says nothing of retries')
    failed(run('retry-plan', '-u', redis_url, 'b'), "no job is called 'b'")


@pytest.mark.parametrize('command', ['worker', 'worker-pool'])
def test_retries_of_a_worker(shell: Shell, redis: Redis, redis_url: str, command: str) -> None:
    queue = Queue(connection=redis)
    plain, own = queue.enqueue('tasks.fail'), queue.enqueue('tasks.fail', retry=False)
    more = ['-n', '1'] if command == 'worker-pool' else []
    words = ['--burst', '-u', redis_url, '--retry-max', '2', '--retry-interval', '0', '--retry-interval', '90']
    shell(command, *more, *words)
    assert (len(plain.attempts), len(own.attempts)) == (2, 1) and plain.get_status() == 'scheduled'
    plain.refresh()
    assert (plain.retries_left, plain.retry_intervals) == (0, [0, 90])


@pytest.mark.parametrize('command', ['worker', 'worker-pool'])
def test_an_interval_needs_a_number(run: Run, redis_url: str, command: str) -> None:
    refused(run(command, '-u', redis_url, '--retry-interval', '5'), '--retry-max')
