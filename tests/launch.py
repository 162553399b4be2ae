"""Workers for tests: here, in burst; or as a process of their own that the test may signal and must end."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from redis import Redis

from rq import Queue, SimpleWorker, Worker
from rq.connections import from_url
from rq.utils import import_attribute
from tests.waiting import wait_until

ROOT = Path(__file__).parent.parent
CLASSES = {'Worker': Worker, 'SimpleWorker': SimpleWorker}


def burst(redis: Redis, *queues: Any, cls: Any = Worker, max_jobs: int | None = None, **words: Any) -> Any:
    """A worker that has worked its queues off."""
    worker = cls(list(queues) or [Queue(connection=redis)], connection=redis, **words)
    worker.work(burst=True, max_jobs=max_jobs)
    return worker


def told(redis: Redis, key: str = 'test:told') -> list[str]:
    """What callbacks, handlers or jobs have left."""
    return [word.decode('utf-8', 'replace') for word in redis.lrange(key, 0, -1)]


def marks(redis: Redis) -> list[str]:
    """What jobs have left by `mark`."""
    return told(redis, 'test:marks')


def marked(redis: Redis, word: str, timeout: float = 15.0) -> str:
    """The rest of the first mark that begins with a word, as soon as it is there."""

    def find() -> str | None:
        return next((mark for mark in marks(redis) if mark.startswith(word)), None)

    return wait_until(find, timeout, f'a job marks {word!r}').removeprefix(word).strip()


def lives(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        stat = Path(f'/proc/{pid}/stat').read_text()
    except OSError:
        return False
    return stat.rpartition(')')[2].split()[0] != 'Z'


def expire(redis: Redis, queue: str = 'default') -> None:
    """Let every claim of a queue run out.

    By its wip score, and without its lease row: leases are not looked at while a server is younger than one.
    """
    for member in redis.zrange(f'rq:wip:{queue}', 0, -1):
        redis.zrem(f'rq:leases:{queue}', member)
        redis.zadd(f'rq:wip:{queue}', {member: 1})


class Launched:
    """A worker in a process of its own; its log is in `log`."""

    def __init__(self, url: str, log: Path, queues: list[str], words: dict[str, Any], work: dict[str, Any]) -> None:
        self.log = log
        brief = json.dumps({'url': url, 'queues': queues, 'words': words, 'work': work})
        environment = {**os.environ, 'PYTHONPATH': os.pathsep.join([str(ROOT), str(ROOT / 'src')])}
        with log.open('wb') as file:
            self.process = subprocess.Popen(
                [sys.executable, '-c', 'from tests.launch import main; main()', brief],
                stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=environment, cwd=ROOT,
                start_new_session=True,
            )  # fmt: skip
        self.pid = self.process.pid

    @property
    def text(self) -> str:
        """Its log so far."""
        return self.log.read_text(errors='replace')

    def said(self, words: str, timeout: float = 15.0) -> None:
        """Wait until it has logged these words."""

        def find() -> bool:
            if self.process.poll() is not None and words not in self.text:
                raise AssertionError(f'the worker ended with {self.process.returncode}:\n{self.text}')
            return words in self.text

        wait_until(find, timeout, f'the worker logs {words!r}')

    def ready(self) -> 'Launched':
        """It listens."""
        self.said('*** Listening on')
        return self

    def signal(self, signum: int) -> None:
        """Send it a signal, to this process alone."""
        os.kill(self.pid, signum)

    def wait(self, timeout: float = 20.0) -> int:
        """Its exit code."""
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f'the worker does not leave:\n{self.text}') from None

    def end(self) -> None:
        """For the fixture: no process of ours survives the test."""
        if self.process.poll() is None:
            os.kill(self.pid, signal.SIGKILL)
            self.process.wait()


Launch = Callable[..., Launched]


def cold(launched: Launched) -> None:
    """Signal it until it says that this was the second time: one within a second of the first is an echo."""

    def again() -> bool:
        if 'cold shut down' not in launched.text:
            launched.signal(signal.SIGTERM)
        return 'cold shut down' in launched.text

    wait_until(again, 10, 'a later second signal ends it')


def main() -> None:
    """The process: build the worker that the brief describes, and work."""
    brief = json.loads(sys.argv[1])
    words, work = brief['words'], brief['work']
    cls = words.pop('cls', 'Worker')
    worker_class: Any = CLASSES.get(cls) or import_attribute(cls)
    for constant, value in words.pop('constants', {}).items():
        module, _, name = constant.rpartition('.')
        setattr(import_attribute(module), name, value)
    if 'exception_handlers' in words:
        words['exception_handlers'] = [import_attribute(name) for name in words['exception_handlers']]
    if 'work_horse_killed_handler' in words:
        words['work_horse_killed_handler'] = import_attribute(words['work_horse_killed_handler'])
    worker = worker_class(brief['queues'], connection=from_url(brief['url']), **words)
    worker.work(logging_level='DEBUG', **work)
