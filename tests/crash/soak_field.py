"""The field of the soak: server, places of the workers, what was done to them, and how faults are drawn and timed."""

import json
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from rq import Queue
from rq.exceptions import StorageFullError
from rq.store import keys
from tests.crash import soak_jobs
from tests.crash.proxy import Proxy
from tests.crash.servers import Mortal
from tests.crash.soak_fleet import HASTY, IN_HAND, Keeper, Place, Watch
from tests.crash.soak_producers import Ledger

WEATHER = (RedisError, OSError, StorageFullError)
PATIENCE = 90.0  # seconds after which a fault that has ended counts as never recovered from
CHANCE = 10.0  # seconds for which a fault waits for a moment in which it can be done
LOOK = 0.03  # seconds between two looks whether it has

Condition = Callable[[], bool]


@dataclass
class Fault:
    """One fault as it was drawn: it follows from the seed and its number."""

    number: int
    group: str
    name: str
    at: float  # seconds after the start
    words: dict[str, Any]
    recovered_in: float | None = None
    note: str = ''


@dataclass(frozen=True)
class Kind:
    """A kind of fault. `strike` does it, waits its time and heals; it may return what must be true after recovery."""

    group: str
    name: str
    weight: float
    draw: Callable[[random.Random], dict[str, Any]]
    strike: Callable[..., Condition | None]


@dataclass
class Field:
    """Everything that can be harmed, and the books of what was."""

    server: Mortal
    redis: Redis  # straight to the server, past every proxy
    places: list[Place]
    watch: Watch
    keeper: Keeper
    ledger: Ledger
    lease: float
    directory: Path
    front: Proxy  # before the producers
    began_at: float = 0.0
    violations: list[str] = field(default_factory=list)
    crashes: list[dict[str, Any]] = field(default_factory=list)
    server_lock: threading.Lock = field(default_factory=threading.Lock)
    stopped: set[str] = field(default_factory=set)  # jobs that a fault asked to be stopped
    checks: list[Condition] = field(default_factory=list)
    settled_in: float = 0.0  # seconds from the last fault until all work was done

    @property
    def now(self) -> float:
        """Seconds since the start."""
        return time.time() - self.began_at

    def violate(self, words: str) -> None:
        """A promise was broken."""
        self.violations.append(f'{self.now:8.2f} s  {words}')

    def crash(self, fault: Fault | None, place: Place, what: str) -> None:
        """What runs at this place may be lost."""
        with place.lock:
            in_hand = max(IN_HAND[place.executor], len(self.claims_of(place.crew.name))) if place.executor else 1
            number = fault.number if fault else None
            one = {'at': self.now, 'fault': number, 'worker': place.crew.name, 'what': what, 'in hand': in_hand}
            self.crashes.append(one)

    @property
    def may_be_lost(self) -> int:
        """How many executions all crashes may have met: with batches, and with several jobs in a process, more."""
        return sum(one['in hand'] for one in self.crashes)

    def warm_stop(self, fault: Fault, place: Place) -> None:
        """A worker is told to leave; a hasty one hands back what runs, and that is not charged."""
        if place.number == HASTY:
            self.crash(fault, place, 'handed back')

    def insist(self, action: Callable[[], Any], seconds: float = 30) -> Any:
        """Do it as soon as the server lets us."""
        until = time.monotonic() + seconds
        while True:
            try:
                return action()
            except WEATHER:
                if time.monotonic() > until:
                    raise
                time.sleep(0.05)

    def is_late(self, fault: Fault) -> bool:
        """Whether it waits for its chance for too long."""
        return self.now - fault.at > CHANCE

    def asks(self, question: Callable[[], Any], otherwise: Any) -> Any:
        """The server's answer, or another when it gives none."""
        try:
            return question()
        except WEATHER:
            return otherwise

    def claims_of(self, worker: str) -> list[tuple[str, bytes]]:
        """What a worker has claimed now."""
        members = self.asks(lambda: self.redis.smembers(keys.worker_executions(worker)), [])
        return [('q', member) for member in members]

    def are_gone(self, claims: list[tuple[str, bytes]]) -> Condition:
        """Whether none of these claims stands any more."""
        return lambda: all(self.redis.zscore(keys.wip(queue), member) is None for queue, member in claims)

    def probe(self, name: str) -> None:
        """A fresh job is accepted and finishes; another one is sent when a fault has met the last."""
        queue, number = Queue('q', connection=self.redis), 0
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            number += 1
            job_id = f'probe-{name}-{number}'
            self.ledger.write('wish', id=job_id, kind='probe', func='short')
            try:
                job = queue.enqueue(soak_jobs.short, job_id=job_id, result_ttl=-1, at_front=True)
            except WEATHER:
                self.ledger.write('unknown', ids=[job_id])
                time.sleep(0.1)
                continue
            self.ledger.write('accepted', ids=[job_id])
            while time.monotonic() < until:
                status = self.asks(job.get_status, '')
                if status == 'finished':
                    return
                if status in ('failed', 'stopped'):
                    break
                time.sleep(LOOK)
        raise TimeoutError

    def recover(self, fault: Fault, condition: Condition | None) -> None:
        """Measure how long it takes until all is well again."""
        ended, until = time.monotonic(), time.monotonic() + PATIENCE
        try:
            while condition is not None and not self.asks(condition, False):
                if time.monotonic() > until:
                    raise TimeoutError
                time.sleep(LOOK)
            self.probe(str(fault.number))
            fault.recovered_in = time.monotonic() - ended
        except TimeoutError:
            self.violate(f'not recovered from {fault.name} (fault {fault.number}) in {PATIENCE:g} s')


class Storm:
    """A fault every so often, each in a thread of its own, because they overlap."""

    def __init__(self, one: Field, kinds: list[Kind], seed: int, period: float) -> None:
        self.field, self.period = one, period
        self._chance = random.Random(f'{seed} faults')
        self._kinds = kinds
        self.faults: list[Fault] = []
        self._threads: list[threading.Thread] = []
        self._log = (one.directory / 'faults.jsonl').open('a', buffering=1)

    def _draw(self) -> tuple[Kind, Fault]:
        number = len(self.faults)
        kind = self._chance.choices(self._kinds, [one.weight for one in self._kinds])[0]
        words = kind.draw(random.Random(self._chance.random()))
        return kind, Fault(number, kind.group, kind.name, (number + 1) * self.period, words)

    def run(self, seconds: float) -> None:
        """Until the time is over; then all faults have ended and been recovered from."""
        while True:
            kind, fault = self._draw()
            if fault.at > seconds:
                break
            time.sleep(max(fault.at - self.field.now, 0))
            self.faults.append(fault)
            thread = threading.Thread(target=self._carry_out, args=(kind, fault), name=fault.name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def finish(self) -> None:
        """Wait for the last ones."""
        for thread in self._threads:
            thread.join(PATIENCE + 60)
            if thread.is_alive():
                self.field.violate(f'the fault {thread.name} did not come to its end')

    def _carry_out(self, kind: Kind, fault: Fault) -> None:
        self._say(fault, 'begins')
        try:
            condition = kind.strike(self.field, fault, **fault.words)
            self._say(fault, 'ended')
            self.field.recover(fault, condition)
        except ProcessLookupError as error:
            fault.note = f'met nobody: {error}'
        except WEATHER as error:
            fault.note = f'could not be done: {type(error).__name__}: {error}'
        except Exception as error:
            self.field.violate(f'fault {fault.number} {fault.name}: {type(error).__name__}: {error}')
        self._say(fault, 'recovered')

    def _say(self, fault: Fault, what: str) -> None:
        line = {'t': round(self.field.now, 2), 'what': what, 'number': fault.number, 'group': fault.group}
        line |= {'name': fault.name, 'words': fault.words}
        if what == 'recovered':
            line |= {'in': fault.recovered_in and round(fault.recovered_in, 2), 'note': fault.note}
        self._log.write(json.dumps(line) + '\n')
