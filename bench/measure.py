"""One run of one setting: fill the queue, let the worker work it off, and read in the jobs' records what happened."""

from __future__ import annotations

import json
import os
import statistics
import struct
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from catalog import KINDS, PRODUCERS, Peer, Variant
from servers import Server
from trees import Tree, calibrate

HERE = Path(__file__).parent
RECORD = struct.Struct('<QII')  # as peers/body.py writes it
EXECUTIONS = {'retry': 3}
START = 40.0  # seconds until the first job must have begun
STALL = 12.0  # seconds without any progress that end a run
LIMIT = 60.0  # of one run: on a machine that others load, what was done by then is the figure
SETTLED = 1.5  # seconds of quiet before the memory of an idle worker is taken
FOREIGN = ('RQ_', 'CELERY', 'POTATOQ', 'BENCH_', 'HUEY', 'TASKIQ', 'dramatiq_')


class Failed(Exception):
    """A run came to nothing; the text says why, the end of the worker's log follows."""


@dataclass
class Run:
    """What one run needs."""

    peer: Peer
    variant: Variant
    suite: str
    number: int
    bin: Path
    folder: Path
    server: Server

    @property
    def kind(self) -> str:
        """What the jobs do."""
        return KINDS.get(self.suite, 'noop')

    @property
    def records(self) -> Path:
        """Where the jobs leave their records."""
        return self.folder / 'records'

    @property
    def log(self) -> Path:
        """The output of worker and producer."""
        return self.folder / 'log'

    def environment(self, **more: str) -> dict[str, str]:
        """What worker and producer see."""
        kept = {name: word for name, word in os.environ.items() if not name.startswith(FOREIGN)}
        path = f'{self.bin}{os.pathsep}{kept.get("PATH", "")}'
        ours = {'BENCH_URL': self.server.url, 'BENCH_RECORDS': str(self.records), 'PYTHONPATH': str(HERE / 'peers')}
        if self.peer.adapter == 'on_rq':
            ours['RQ_REDIS_URL'] = self.server.url
        return {**kept, 'PATH': path, **ours, **self.variant.settings, **more}

    def produce(self, mode: str, number: int, **more: str) -> dict[str, Any]:
        """Run the producer to its end; its figures."""
        out = self.folder / 'out'
        out.unlink(missing_ok=True)
        command = [str(self.bin / 'python'), str(HERE / 'peers' / 'produce.py')]
        command += [self.peer.adapter, mode, self.kind, str(number)]
        producer = Tree(command, self.environment(BENCH_OUT=str(out), **more), self.folder, self.log)
        try:
            code = producer.process.wait(timeout=LIMIT)
        finally:
            producer.end()
        if code or not out.exists():
            raise Failed(f'the producer ended with code {code}')
        found: dict[str, Any] = json.loads(out.read_text())
        return found

    @contextmanager
    def worker(self) -> Iterator[Tree]:
        """The worker service, ended at the end."""
        program, *words = self.variant.command.split()
        tree = Tree([str(self.bin / program), *words], self.environment(), self.folder, self.log)
        try:
            yield tree
        finally:
            tree.end()

    def begun(self) -> int:
        """How many starts of jobs there were."""
        return self.records.stat().st_size // RECORD.size


def measure(peer: Peer, variant: Variant, suite: str, number: int, bin_folder: Path) -> dict[str, Any]:
    """One run on a server of its own; the figures, or `error`."""
    memory = Path('/dev/shm')
    place = memory if memory.is_dir() and os.access(memory, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix='rq-bench-', dir=place) as name, Server(Path(name)) as server:
        run = Run(peer, variant, suite, number, bin_folder, Path(name), server)
        run.records.touch()
        Path(f'{run.records}.tries').write_bytes(bytes(number + 1000))
        head: dict[str, Any] = {'number': number, 'calibration_ms': round(calibrate(), 2)}
        try:
            return head | (producing(run) if suite in PRODUCERS else latency(run) if suite == 'latency' else drain(run))
        except Failed as failed:
            tail = run.log.read_text(errors='replace')[-1500:] if run.log.exists() else ''
            print(f'{failed}\n{tail}', flush=True)
            return head | {'error': str(failed)}


def producing(run: Run) -> dict[str, Any]:
    """Rate and cost of putting jobs in, and what one takes in the server."""
    mode = 'bulk' if run.suite == 'bulk' else 'each'
    run.produce(mode, 20)  # whatever is set up once on a server is there now
    memory, used = run.server.memory(), run.server.cpu()
    found = run.produce(mode, run.number, BENCH_WARM_UP='20')
    used, memory = run.server.cpu() - used, run.server.memory() - memory
    return {
        'rate': run.number / found['seconds'],
        'producer_cpu': found['cpu'] * 1000 / run.number,
        'server_cpu': used * 1000 / (run.number + 20),
        'bytes': memory / (run.number + 20),
    }


def latency(run: Run) -> dict[str, Any]:
    """From the call to the start of a job, when the worker is idle; and the worker's memory then."""
    with run.worker() as worker:
        run.produce('each', 1)
        wait_for_start(run, worker)
        time.sleep(SETTLED)
        pss = worker.pss()
        found = run.produce('spaced', run.number)
    times = sorted(found['milliseconds'])
    if not times:
        raise Failed('no job of an idle worker began in time')
    return {
        'p50': statistics.median(times),
        'p99': times[min(len(times) - 1, int(len(times) * 0.99))],
        'late': found['late'],
        'pss': pss,
    }


def wait_for_start(run: Run, worker: Tree) -> None:
    """Until the first job has begun."""
    until = time.monotonic() + START
    while not run.begun():
        if worker.ended() or time.monotonic() > until:
            raise Failed(f'no job began within {START:.0f} s' if not worker.ended() else 'the worker ended at once')
        time.sleep(0.002)


def drain(run: Run) -> dict[str, Any]:
    """Work a filled queue off."""
    run.produce('bulk' if run.peer.bulk and run.kind != 'retry' else 'each', run.number)
    expected = run.number * EXECUTIONS.get(run.kind, 1)
    with run.worker() as worker:
        wait_for_start(run, worker)
        cpu, server_cpu, before = worker.cpu(), run.server.cpu(), run.begun()
        recorded, ended = settle(run, expected)
        cpu, server_cpu = worker.cpu() - cpu, run.server.cpu() - server_cpu
        pss = worker.pss()
    starts = read(run.records)
    per_thousand = 1000 / max(1, len(starts) - before)
    found = {'rate': rate_of(starts, ended), 'worker_cpu': cpu * per_thousand, 'server_cpu': server_cpu * per_thousand}
    return found | {'pss': pss, 'recorded': recorded} | judged(run, starts)


def settle(run: Run, expected: int) -> tuple[int | None, int]:
    """Until every outcome is recorded, or nothing moves any more: the number recorded, and the time of the last."""
    count = run.peer.counts.get(run.kind, run.peer.counts.get(''))
    seen, recorded = -1, None
    moved = began = time.monotonic()
    ended = time.time_ns()
    while True:
        starts = run.begun()
        if starts >= expected or time.monotonic() - moved > 0.5:
            recorded = run.server.outcomes(count, run.number)
        if seen != starts + (recorded or 0):
            seen, moved, ended = starts + (recorded or 0), time.monotonic(), time.time_ns()
        if starts >= expected and (recorded is None or recorded >= run.number):
            return recorded, ended
        if time.monotonic() - moved > STALL or time.monotonic() - began > LIMIT:
            return run.server.outcomes(count, run.number), ended
        time.sleep(0.002 if starts >= expected else 0.01)


def read(path: Path) -> list[tuple[int, int, int]]:
    """The records of a run: time, number, process; in the order of time."""
    return sorted(RECORD.iter_unpack(path.read_bytes()))


def rate_of(starts: list[tuple[int, int, int]], ended: int) -> float:
    """Jobs per second from the first start to the last outcome.

    Where a few processes work, from the first start of the last of them: until then not all were up.
    """
    first_of: dict[int, int] = {}
    for index, (_, _, pid) in enumerate(starts):
        first_of.setdefault(pid, index)
    late = max(first_of.values()) if len(first_of) <= 8 else 0
    if late > len(starts) / 2:
        late = 0
    return (len(starts) - late) / ((ended - starts[late][0]) / 1e9)


def judged(run: Run, starts: list[tuple[int, int, int]]) -> dict[str, int]:
    """How many jobs ran more or less often than they should."""
    times = Counter(number for _, number, _ in starts)
    wanted = EXECUTIONS.get(run.kind, 1)
    counts = [times[number] for number in range(run.number)]
    return {'lost': sum(one < wanted for one in counts), 'doubled': sum(one > wanted for one in counts)}
