"""Cron schedulers as processes: killed, frozen, signalled, and without their server for a while."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from redis import Redis

from rq import Queue
from rq.cron import CronScheduler
from tests.conftest import PrivateServer
from tests.launch import ROOT
from tests.waiting import wait_until

CONFIG = """
from rq import cron
from tests.jobs import add
cron.register(add, 'q', cron='* * * * * */1', name='each second')
cron.register(add, 'q', interval=2, name='interval')
"""


@pytest.fixture
def start(tmp_path):
    """start(url): a cron scheduler in a process of its own."""
    (tmp_path / 'config.py').write_text(CONFIG)
    started = []

    def start(url):
        log = (tmp_path / f'log{len(started)}').open('wb')
        started.append(
            subprocess.Popen(
                [sys.executable, '-m', 'rq.cli', 'cron', str(tmp_path / 'config.py'), '-u', url],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=ROOT,
                env={**os.environ, 'PYTHONPATH': os.pathsep.join([str(ROOT), str(ROOT / 'src')])},
            )  # fmt: skip
        )
        started[-1].log = Path(log.name)
        return started[-1]

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
            process.wait()


def seconds(redis, name='each second'):
    return [score for _, score in redis.zrange(f'rq:cron_job:{name}:jobs', 0, -1, withscores=True)]


def test_each_firing_once_though_some_are_killed_and_frozen(redis, redis_url, start):
    four = [start(redis_url) for _ in range(4)]
    wait_until(lambda: len(CronScheduler.all(redis)) == 4, what='all four are born')
    begun = time.time() // 1 + 1
    four[0].kill()
    os.kill(four[1].pid, signal.SIGSTOP)
    wait_until(lambda: time.time() > begun + 2.5)
    os.kill(four[1].pid, signal.SIGCONT)
    four[2].kill()
    wait_until(lambda: time.time() > begun + 4.9)
    fired = [int(score) for score in seconds(redis) if begun <= score < begun + 5]
    assert len(fired) == len(set(fired)), fired
    assert len(fired) >= 4  # a busy machine may sleep through one
    # the interval is kept by all together
    gaps = [b - a for a, b in zip(seconds(redis, 'interval'), seconds(redis, 'interval')[1:], strict=False)]
    assert len(gaps) >= 2
    assert all(1.8 < gap < 4 for gap in gaps), gaps
    assert Queue('q', connection=redis).count == len(seconds(redis)) + len(gaps) + 1


@pytest.mark.parametrize('signum', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly(redis, redis_url, start, signum):
    one = start(redis_url)
    wait_until(lambda: seconds(redis), what='it fires')
    (read,) = CronScheduler.all(redis)
    assert (read.pid, [job.name for job in read.get_jobs()]) == (one.pid, ['each second', 'interval'])
    wait_until(lambda: CronScheduler.fetch(read.name, redis).get_jobs()[0].latest_enqueue_time, what='it saves')
    one.send_signal(signum)
    assert one.wait(10) == 0
    assert (redis.zcard('rq:cron_schedulers'), redis.exists(read.key)) == (0, 1)
    assert 'shutdown complete' in one.log.read_text()


def it_serves_a_server_that_comes_and_goes(directory):
    server = PrivateServer(directory)
    try:
        with Redis(unix_socket_path=str(server.socket)) as redis:
            wait_until(lambda: server.answers() and seconds(redis), what='it fires')
            wait_until(lambda: CronScheduler.all(redis), what='it is in the books')
    finally:
        server.kill()


def test_it_waits_for_its_server(start):
    with tempfile.TemporaryDirectory(prefix='rq-test-') as directory:
        one = start(f'unix://{directory}/valkey.sock')
        wait_until(lambda: 'waiting for it' in one.log.read_text(), what='it waits at its start')
        for _ in range(2):
            it_serves_a_server_that_comes_and_goes(Path(directory))
        wait_until(lambda: one.log.read_text().count('waiting for it') == 2, what='it waits again')
        one.terminate()
        assert one.wait(15) == 0, one.log.read_text()
