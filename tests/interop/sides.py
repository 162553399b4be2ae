"""The test's end of the conversation: a side that runs program text, its workers as real processes, and its CLI."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from redis import Redis

from tests.crash.driver import alive, signal_all, tree_of
from tests.interop.environment import ROOT, rq3_python
from tests.waiting import wait_until

HERE = Path(__file__).parent


class Refused(Exception):
    """The program text raised on its side; `name` is the class of what it raised."""

    def __init__(self, side: str, name: str, text: str) -> None:
        super().__init__(f'{side}: {name}: {text}')
        self.name = name


class Agent:
    """The process of tests/interop/side.py, under the interpreter of a side."""

    def __init__(self, side: str, **more: str) -> None:
        python = sys.executable if side == 'ours' else str(rq3_python())
        environment = {name: value for name, value in os.environ.items() if not name.startswith('RQ_')}
        # No src on the path: it would hide RQ 3.0 from its own interpreter. Ours is installed.
        environment |= {'PYTHONPATH': str(HERE), 'PYTHONWARNINGS': 'ignore'}
        environment |= more
        self.side = side
        self.process = subprocess.Popen(
            [python, str(HERE / 'side.py')],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT,
        )  # fmt: skip

    def ask(self, **order: Any) -> Any:
        """One line there, one line back."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(order) + '\n')
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(f'the process of {self.side} is gone: {self.process.wait()}')
        reply = json.loads(line)
        if 'error' in reply:
            raise Refused(self.side, reply['error'], reply['text'])
        return reply['value']

    def close(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()


class Forked:
    """A process that a side has started; its log is in `log`."""

    def __init__(self, agent: Agent, pid: int, log: Path, name: str) -> None:
        self.agent, self.pid, self.log, self.name = agent, pid, log, name
        self.code: int | None = None

    @property
    def text(self) -> str:
        """What it has written so far."""
        return self.log.read_text(errors='replace')

    def poll(self) -> int | None:
        """Its exit code, or None while it runs."""
        if self.code is None:
            self.code = self.agent.ask(do='poll', pid=self.pid)
        return self.code

    def wait(self, timeout: float = 20) -> int:
        """Its exit code."""
        wait_until(lambda: self.poll() is not None, timeout, f'{self.name} leaves; it has said:\n{self.text}')
        assert self.code is not None
        return self.code

    def said(self, words: str, timeout: float = 15) -> 'Forked':
        """Wait until it has said this."""

        def find() -> bool:
            return words in self.text or self.poll() is not None

        wait_until(find, timeout, f'{self.name} says {words!r}')
        assert words in self.text, f'{self.name} left with {self.code}:\n{self.text}'
        return self

    def signal(self, signum: int) -> None:
        """Signal this process alone."""
        os.kill(self.pid, signum)

    def kill(self) -> None:
        """SIGKILL it with its whole tree, at one blow."""
        met = tree_of(self.pid)
        if self.poll() is None:
            signal_all([self.pid, *met], signal.SIGKILL)
            self.wait()
        met += tree_of(self.pid)  # forked between our look and our blow
        signal_all(met, signal.SIGKILL)
        # They share the worker's connection: while one of them is still dying, its blocked pop can take a job.
        wait_until(lambda: not any(map(alive, met)), 10, f'everybody of {self.name} is gone')


class Side:
    """One of the two, on the server of a test."""

    def __init__(self, agent: Agent, url: str, redis: Redis, directory: Path) -> None:
        self.agent, self.url, self.redis, self.directory = agent, url, redis, directory
        self.name = agent.side
        self.forked: list[Forked] = []

    def __repr__(self) -> str:
        return self.name

    @property
    def is_ours(self) -> bool:
        """Ours, not RQ 3.0."""
        return self.name == 'ours'

    def run(self, text: str, **given: Any) -> Any:
        """Run program text on this side; the value of its last expression."""
        return self.agent.ask(do='run', url=self.url, text=textwrap.dedent(text).strip(), given=given)

    def picture(self, job_id: str) -> dict[str, Any]:
        """What this side sees of a job."""
        return self.run('picture(job_id)', job_id=job_id)

    def status(self, job_id: str) -> str:
        """The status of a job, as this side reads it."""
        return self.run('Job.fetch(job_id, connection=redis).get_status()', job_id=job_id)

    def _fork(self, name: str, **order: Any) -> Forked:
        log = self.directory / f'{self.name}-{len(self.forked)}-{name}.log'
        log.touch()
        pid = self.agent.ask(url=self.url, log=str(log), **order)
        self.forked.append(Forked(self.agent, pid, log, name))
        return self.forked[-1]

    def start(self, *queues: str, work: dict[str, Any] | None = None, ready: bool = True, **words: Any) -> Forked:
        """A worker that stays, as a process of its own."""
        name = words.setdefault('name', f'{self.name}-{len(self.forked)}')
        words['queues'] = list(queues) or ['q']
        worker = self._fork(name, do='start', words=words, work=work or {})
        return worker.said('*** Listening on') if ready else worker

    def burst(self, *queues: str, work: dict[str, Any] | None = None, **words: Any) -> str:
        """A worker that works its queues off; its log."""
        worker = self.start(*queues, work={'burst': True, **(work or {})}, ready=False, **words)
        assert worker.wait() == 0, worker.text
        return worker.text

    def cli(self, *arguments: str, code: int = 0) -> str:
        """What a command prints."""
        command = self._fork('cli', do='cli', arguments=list(arguments))
        assert command.wait() == code, command.text
        return command.text

    def close(self) -> None:
        """End every process of this test."""
        for one in self.forked:
            one.kill()

    def logs(self) -> str:
        """All logs, for a failed test."""
        return '\n'.join(f'--- {one.log.name}\n{one.text[-3000:]}' for one in self.forked)


def unblocked(redis: Redis) -> None:
    """Wait until the server has seen that those who were killed listen no more."""
    wait_until(lambda: redis.info('clients')['blocked_clients'] == 0, 10, 'no client is blocked')


def lines(redis: Redis, key: str) -> list[str]:
    """What jobs or callbacks have left."""
    return [line.decode() for line in redis.lrange(f'test:{key}', 0, -1)]


def runs(redis: Redis) -> Counter[str]:
    """Job -> how often it has run."""
    return Counter(line.split()[0] for line in lines(redis, 'ran'))


def overdue(redis: Redis, queue: str = 'q') -> None:
    """Let every claim of a queue run out, in the books of either side."""
    for member in redis.zrange(f'rq:wip:{queue}', 0, -1):
        redis.zrem(f'rq:leases:{queue}', member)
        redis.zadd(f'rq:wip:{queue}', {member: 1})


def due(redis: Redis, queue: str = 'q') -> None:
    """Let the time of every scheduled job of a queue have come."""
    for member in redis.zrange(f'rq:scheduled:{queue}', 0, -1):
        redis.zadd(f'rq:scheduled:{queue}', {member: 1})


def jobs_in(redis: Redis, place: str, queue: str = 'q') -> Sequence[str]:
    """The members of a registry, as they are stored."""
    return [member.decode() for member in redis.zrange(f'rq:{place}:{queue}', 0, -1)]


def everything(redis: Redis) -> str:
    """Every key, for a failed test."""
    readers: dict[bytes, Callable[[bytes], Any]] = {
        b'hash': redis.hgetall,
        b'list': lambda key: redis.lrange(key, 0, 20),
        b'set': redis.smembers,
        b'zset': lambda key: redis.zrange(key, 0, 20, withscores=True),
        b'string': redis.get,
    }
    keys = sorted(key for key in redis.scan_iter(count=1000) if not key.startswith(b'test:began'))[:60]
    return '\n'.join(f'{key!r} {str(readers.get(redis.type(key), lambda key: "")(key))[:900]}' for key in keys)
