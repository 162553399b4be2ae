"""Workers as real processes: start, kill with the whole tree, replace. And the witness: a log written by jobs."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from redis import Redis

from rq.store import keys
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]
PROC = Path('/proc')


class Line(NamedTuple):
    """One line of the witness."""

    who: str
    event: str
    pid: int
    at: float


class Witness:
    """An append-only file outside the server: what really ran."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.touch()

    def lines(self, event: str = '', who: str = '') -> list[Line]:
        """What was written so far, by event and by who."""
        found = (raw.split('\t') for raw in self.path.read_text().splitlines())
        lines = (Line(one[0], one[1], int(one[2]), float(one[3])) for one in found)
        return [line for line in lines if event in ('', line.event) and who in ('', line.who)]

    def count(self, event: str, who: str = '') -> int:
        """How often something happened."""
        return len(self.lines(event, who))

    def counts(self, event: str) -> Counter[str]:
        """How often it happened, by who."""
        return Counter(line.who for line in self.lines(event))

    def wait(self, event: str, who: str = '', times: int = 1, timeout: float = 15) -> Line:
        """Until it has happened so often; the last of these lines."""
        wait_until(lambda: self.count(event, who) >= times, timeout, f'{event} of {who or "anybody"}, {times} times')
        return self.lines(event, who)[times - 1]


def _stat(pid: int) -> tuple[str, int, int] | None:
    """State, parent and session of a process; None when it is gone."""
    try:
        raw = (PROC / str(pid) / 'stat').read_bytes()
    except OSError:
        return None
    state, parent, _, session = raw[raw.rindex(b')') + 2 :].split()[:4]
    return state.decode(), int(parent), int(session)


def _thread_states(pid: int) -> list[str]:
    tasks = (PROC / str(pid) / 'task').glob('*/stat')
    return [raw[raw.rindex(')') + 2] for raw in (task.read_text(errors='replace') for task in tasks)]


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    seen = _stat(pid)
    return seen is not None and seen[0] not in 'ZX'


def tree_of(root: int) -> list[int]:
    """A worker's descendants and everybody else of its session, itself left out."""
    seen = {int(entry.name): _stat(int(entry.name)) for entry in PROC.iterdir() if entry.name.isdigit()}
    found: set[int] = {pid for pid, stat in seen.items() if stat and stat[2] == root}
    layer = {root}
    while layer:
        layer = {pid for pid, stat in seen.items() if stat and stat[1] in layer} - found
        found |= layer
    return sorted(pid for pid in found - {root} if alive(pid))


def signal_all(pids: Sequence[int], signum: int) -> None:
    """Signal those that still live."""
    for pid in pids:
        try:
            os.kill(pid, signum)
        except ProcessLookupError:
            continue


@dataclass
class Crew:
    """One worker process and what belongs to it. It leads a session of its own, so no part of it can hide."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    options: tuple[str, ...] = field(default=())

    @property
    def pid(self) -> int:
        """The worker itself."""
        return self.process.pid

    def text(self) -> str:
        """What it logged."""
        return self.log.read_text(errors='replace')

    def kill(self) -> list[int]:
        """SIGKILL the worker with its whole tree, at one blow; tells whom it met."""
        met = [self.pid, *tree_of(self.pid)]
        signal_all(met, signal.SIGKILL)
        self.process.wait()
        rest = tree_of(self.pid)  # forked between our look and our blow
        signal_all(rest, signal.SIGKILL)
        return met + rest

    def signal(self, signum: int) -> None:
        """Signal the worker alone; back from SIGSTOP when the last of its threads has stopped."""
        self.process.send_signal(signum)
        if signum == signal.SIGSTOP:
            wait_until(lambda: set(_thread_states(self.pid)) <= {'T'}, 5, f'worker {self.name} stands still')

    def signal_one(self, pid: int, signum: int) -> None:
        """Signal one process of its tree."""
        assert pid in (self.pid, *tree_of(self.pid))
        os.kill(pid, signum)

    def wait(self, timeout: float = 15) -> int:
        """Its exit code, when it has left in time."""
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f'worker {self.name} has not left in {timeout} s:\n{self.text()}') from None


class Fleet:
    """The workers of one test. None of them, nor a child of theirs, outlives it."""

    def __init__(self, url: str, redis: Redis, directory: Path, witness: Witness) -> None:
        self.url, self.redis, self.directory, self.witness = url, redis, directory, witness
        self.where: Sequence[str] = ('--url', url)  # words that tell a worker its server
        self.environment: dict[str, str] = {}
        self.crews: list[Crew] = []
        self.expected: list[Callable[[], bool]] = []  # what the next wait for a worker waits for as well
        self._number = 0

    def start(
        self, *options: str, name: str = '', worker: str = 'Quick', queues: Sequence[str] = ('q',), wait: bool = True
    ) -> Crew:
        """A new worker; `worker` names a class of tests/crash/workers.py."""
        name = name or f'w{self._number + 1}'
        crew = self._launch(name, options, 'worker', *self.where, '--name', name, *_of_class(worker), *options, *queues)
        if wait:
            self.wait_for(crew)
        return crew

    def start_some(self, number: int, *options: str, **words: Any) -> list[Crew]:
        """So many new workers at once; back when all of them are up."""
        crews = [self.start(*options, **words, wait=False) for _ in range(number)]
        self.wait_for(*crews)
        return crews

    def wait_for(self, *crews: Crew) -> None:
        """Until these are up, and whatever was begun before has come to its end."""
        for crew in crews:
            wait_until(lambda crew=crew: self.is_up(crew), 20, f'worker {crew.name} is up')
        while self.expected:
            wait_until(self.expected.pop(), 20, 'what was begun before is done')

    def start_pool(self, *options: str, worker: str = 'Quick') -> Crew:
        """A new pool of workers of the queue `q`."""
        return self._launch('pool', options, 'worker-pool', *self.where, *_of_class(worker), *options, 'q')

    def _launch(self, name: str, options: tuple[str, ...], *words: str) -> Crew:
        self._number += 1
        command = [sys.executable, '-m', 'rq.cli', *words]
        environment = {**os.environ, 'PYTHONPATH': str(ROOT), 'RQ_WITNESS': str(self.witness.path)}
        environment |= self.environment
        log = self.directory / f'{self._number}-{name}.log'
        with log.open('wb') as out:
            process = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                start_new_session=True,
            )  # fmt: skip
        crew = Crew(name, process, log, options)
        self.crews.append(crew)
        return crew

    def run_python(self, script: str, *words: str, environment: dict[str, str]) -> str:
        """What a producer prints that runs in a process, and perhaps a time, of its own."""
        everything = {**os.environ, 'PYTHONPATH': str(ROOT), **environment}
        done = subprocess.run(
            [sys.executable, '-c', script, *words], cwd=ROOT, env=everything, capture_output=True, text=True, timeout=30
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def is_up(self, crew: Crew) -> bool:
        """Whether it is in the books, by its own pid."""
        if crew.process.poll() is not None:
            raise AssertionError(f'worker {crew.name} left with code {crew.process.returncode}:\n{crew.text()}')
        return self.redis.hget(keys.worker(crew.name), 'pid') == str(crew.pid).encode()

    def replace(self, crew: Crew, **more: str) -> Crew:
        """Kill a worker with its tree, start another at once."""
        crew.kill()
        return self.start(*crew.options, wait=False, **more)

    @property
    def living(self) -> list[Crew]:
        """Who runs now."""
        return [crew for crew in self.crews if crew.process.poll() is None]

    def innocent_deaths(self, *killed: Crew) -> list[str]:
        """Workers that ended though nobody killed them."""
        return [
            f'{c.name}: {c.process.returncode}' for c in self.crews if c.process.poll() is not None and c not in killed
        ]

    def close(self) -> list[int]:
        """End everybody; tells which processes a dead worker had left behind."""
        gone = [crew for crew in self.crews if crew.process.poll() is not None]
        left = [pid for crew in gone for pid in tree_of(crew.pid)]
        for crew in self.crews:
            crew.kill()
        signal_all(left, signal.SIGKILL)
        return left

    def logs(self) -> str:
        """All logs, for a failed test."""
        return '\n'.join(f'--- {crew.log.name}\n{crew.text()[-4000:]}' for crew in self.crews)


def _of_class(worker: str) -> tuple[str, str]:
    return '--worker-class', f'tests.crash.workers.{worker}'


def every(seconds: float, until: float) -> 'Ticks':
    """Moments one after another, until `until` seconds are over."""
    return Ticks(seconds, until)


class Ticks:
    """`next()` waits for the next tick; AssertionError when the time is over."""

    def __init__(self, seconds: float, until: float) -> None:
        self._period, self._start, self._until = seconds, time.monotonic(), until
        self.number = 0

    def next(self) -> int:
        """Sleep to the next tick."""
        self.number += 1
        now = time.monotonic()
        if now - self._start > self._until:
            raise AssertionError(f'not done after {self._until:g} s')
        time.sleep(max(self._start + self.number * self._period - now, 0))
        return self.number
