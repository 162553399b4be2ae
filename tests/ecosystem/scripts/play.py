"""What every script shares: the server of the test, workers, and how the script tells the test what it saw."""

import json
import os
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

from redis import Redis

URL = os.environ['ECOSYSTEM_URL']
GIVEN = json.loads(os.environ.get('ECOSYSTEM_GIVEN', '{}'))  # what the test passed
BIN = Path(sys.executable).parent

redis = Redis.from_url(URL)
_PAUSE = threading.Event()


def tell(**facts):
    """The last line of a script: the facts that its test looks at."""
    print('\n' + json.dumps(facts, default=str))


def burst(*queues, worker_class=None, **words):
    """A real worker of the class that the test has given, in this process, until the queues are empty."""
    import rq

    worker_class = worker_class or getattr(rq, GIVEN.get('worker', 'Worker'))
    worker = worker_class(list(queues) or ['default'], connection=redis, **words)
    worker.work(burst=True)
    return worker


def command(*words, timeout=40, **environment):
    """Run a command of this environment to its end; everything that it says."""
    done = subprocess.run(
        [str(BIN / words[0]), *words[1:]],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout,
        env=os.environ | environment,
    )  # fmt: skip
    if done.returncode:
        raise AssertionError(f'{words} left with {done.returncode}:\n{done.stdout}')
    return done.stdout


@contextmanager
def at_work(*words, gate='gate', **environment):
    """While the body runs, a worker of the command line is in the middle of the job `jobs.gate`, enqueued before."""
    words = words or ('rq', 'worker', '--burst', '--name', 'busy', '--url', URL, 'default')
    worker = subprocess.Popen(
        [str(BIN / words[0]), *words[1:]],
        stdin=subprocess.DEVNULL, stdout=sys.stderr, stderr=sys.stderr, env=os.environ | environment,
    )  # fmt: skip
    try:
        until(lambda: redis.lpop('test:at') or worker.poll() is not None, 'the worker comes to the gate')
        assert worker.poll() is None, f'the worker has left with {worker.poll()}'
        yield worker
        redis.rpush(f'test:{gate}', 'open')
        assert worker.wait(30) == 0
    finally:
        if worker.poll() is None:
            worker.kill()
            worker.wait()


@contextmanager
def ticking(*words, **environment):
    """While the body runs, a cron scheduler of the command line is awake; it has fired once into the queue `clock`."""
    words = words or ('rq', 'cron', '--url', URL, 'clock')
    process = subprocess.Popen(
        [str(BIN / words[0]), *words[1:]],
        stdin=subprocess.DEVNULL, stdout=sys.stderr, stderr=sys.stderr, env=os.environ | environment,
    )  # fmt: skip
    try:
        until(lambda: redis.llen('rq:queue:clock'), 'the cron scheduler fires')
        yield process
        process.terminate()
        process.wait(20)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def until(condition, what, timeout=20):
    """Poll a condition until it holds."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f'in vain: {what}'
        _PAUSE.wait(0.02)


def status(job):
    """The status of a job, as the server has it."""
    return (redis.hget(f'rq:job:{getattr(job, "id", job)}', 'status') or b'').decode()


def jobs_left():
    """The ids of all jobs that the server still has."""
    keys = [key.decode() for key in redis.keys('rq:job:[^:]*')]
    return sorted(key.split(':')[2] for key in keys if not key.endswith((':dependents', ':dependencies')))
