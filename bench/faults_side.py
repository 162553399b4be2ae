"""One implementation under a fault: its own server, workers and witness, and what can be seen of them from outside."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from redis.exceptions import RedisError  # noqa: E402

from tests.crash.driver import Witness, signal_all, tree_of  # noqa: E402
from tests.crash.servers import Mortal  # noqa: E402

ENQUEUE = """
import json, sys
from redis import Redis
from rq import Callback, Queue, Retry
url, words = sys.argv[1], json.loads(sys.argv[2])
for word in ('on_success', 'on_failure'):
    if words.get(word):
        words[word] = Callback(words[word])
if words.get('retry'):
    words['retry'] = Retry(**words['retry'])
delay = words.pop('delay', None)
queue = Queue(words.pop('queue', 'q'), connection=Redis.from_url(url))
func, args = words.pop('func'), words.pop('args', [])
if delay:
    from datetime import timedelta
    job = queue.enqueue_in(timedelta(seconds=delay), func, *args, **words)
else:
    job = queue.enqueue(func, *args, **words)
print(job.id)
"""
CALL = """
import json, sys
from redis import Redis
from rq.job import Job
from rq.queue import Queue
job = Job.fetch(sys.argv[2], connection=Redis.from_url(sys.argv[1]))
try:
    if sys.argv[3] == 'enqueue':
        Queue('q', connection=job.connection).enqueue_job(job)
    else:
        getattr(job, sys.argv[3])()
    print('ok')
except Exception as error:
    print(type(error).__name__)
"""


class Side:
    """One implementation with its server, workers and witness, for one case."""

    def __init__(self, name: str, python: str, directory: Path) -> None:
        self.name, self.python, self.directory = name, python, directory
        directory.mkdir()
        self.server = Mortal(directory / 'server', port=True).start()
        self.url = self.server.url
        self.witness = Witness(directory / 'witness')
        self.redis = self.server.client()
        self.workers: list[subprocess.Popen[bytes]] = []

    def worker(self, *options: str, name: str = '', url: str = '', out: Any = None) -> subprocess.Popen[bytes]:
        """Start a worker of the queue `q`."""
        number = len(self.workers)
        environment = {
            **os.environ,
            'PYTHONPATH': str(ROOT / 'bench'),
            'WITNESS': str(self.witness.path),
            'WORKER_PID_FILE': str(self.directory / 'pid'),
        }
        command = [str(Path(self.python).with_name('rq')), 'worker', '--url', url or self.url]
        command += ['--name', name or f'w{number}', '--pid', str(self.directory / 'pid'), *options, 'q']
        log = out or (self.directory / f'log{number}').open('wb')
        process = subprocess.Popen(
            command, cwd=self.directory, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip
        self.workers.append(process)
        return process

    def up(self, number: int = 1, limit: float = 20) -> None:
        """Until so many workers are in the books."""
        seconds(lambda: self.redis.scard('rq:workers') >= number, limit)

    def _run(self, script: str, *words: str) -> str:
        environment = {**os.environ, 'PYTHONPATH': str(ROOT / 'bench')}
        return subprocess.run(
            [self.python, '-c', script, self.url, *words], env=environment, capture_output=True, text=True, timeout=30
        ).stdout.strip()

    def enqueue(self, func: str, *args: Any, **words: Any) -> str:
        """Put a job in, by the implementation's own producer."""
        return self._run(ENQUEUE, json.dumps({'func': f'faults_jobs.{func}', 'args': args, **words}))

    def call(self, job_id: str, verb: str) -> str:
        """A method of the job; `ok`, or the exception's name."""
        return self._run(CALL, job_id, verb)

    def status(self, job_id: str) -> str:
        """As stored."""
        try:
            return (self.redis.hget(f'rq:job:{job_id}', 'status') or b'missing').decode()
        except RedisError:
            return 'no answer'

    def until(self, job_id: str, *statuses: str, limit: float = 60) -> float | None:
        """Seconds until the job has one of these statuses."""
        return seconds(lambda: self.status(job_id) in (statuses or ('failed', 'finished')), limit)

    def begun(self, job_id: str, times: int = 1, limit: float = 30) -> None:
        """Until the job has begun so often."""
        seconds(lambda: self.witness.count('begin', job_id) >= times, limit)

    def ended(self, job_id: str, limit: float = 60) -> str:
        """How long after its begin the job had its outcome, in words; the producer's own end counts in, some 0.3 s."""
        self.begun(job_id)
        if self.until(job_id, limit=limit) is None:
            return took(None, limit)
        return f'{time.time() - self.witness.lines("begin", job_id)[-1].at:.1f} s'

    def heard(self, job_id: str) -> str:
        """Who was told of a failure."""
        told = [line for line in self.witness.lines(who=job_id) if line.event.startswith('told')]
        return f'handler {len(told)}×, on_failure {self.witness.count("on_failure", job_id)}×'

    def next_job(self, limit: float = 30) -> str:
        """Whether the worker still works."""
        took = self.until(self.enqueue('work'), 'finished', limit=limit)
        return f'next job after {took:.1f} s' if took is not None else f'next job not within {limit:.0f} s'

    def close(self) -> None:
        """The end of everybody."""
        for process in self.workers:
            met = [*tree_of(process.pid), process.pid]
            signal_all(met, signal.SIGKILL)
            process.wait()
        self.server.close()


def seconds(condition: Callable[[], bool], limit: float) -> float | None:
    """How long it took until something held; None when it did not in time."""
    began = time.monotonic()
    while time.monotonic() - began < limit:
        if condition():
            return time.monotonic() - began
        time.sleep(0.02)
    return None


def took(value: float | None, limit: float) -> str:
    """In words."""
    return f'not within {limit:.0f} s' if value is None else f'{value:.1f} s'
