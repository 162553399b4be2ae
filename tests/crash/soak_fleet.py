"""Four places for workers, each behind a proxy of its own. Who ends is replaced at once; who ended by himself, told."""

import os
import re
import signal
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from rq.store import keys
from tests.crash.crowd import EXECUTORS
from tests.crash.driver import PROC, Crew, Fleet, Witness, _stat, alive, signal_all, tree_of
from tests.crash.proxy import Proxy

GROWTH_KIB = 30 * 1024  # a worker may grow by so much after its first seconds
SETTLED_AFTER = 8.0  # seconds of its life until its size is what it is
LEAVE_SECONDS = 60  # how long a worker may take to leave when it was told to
SCHEDULING, HASTY = 3, 2  # places with options of their own
HANDLER = 'tests.crash.soak_jobs.told'
MIXED = ('prefork', 'thread', 'inline', 'batches', 'async')
#: jobs a worker may have in hand, at least; those of its batches are counted when it is lost
IN_HAND = {'prefork': 2, 'thread': 4, 'inline': 8, 'batches': 8, 'async': 20}
IN_PROCESS = ('thread', 'inline', 'async')


class Place:
    """One of the four: the worker that works here now."""

    def __init__(
        self, number: int, proxy: Proxy, fleet: Fleet, worker: str, options: tuple[str, ...], mixed: bool = False
    ) -> None:
        self.number, self.proxy, self.fleet, self.mixed = number, proxy, fleet, mixed
        self.executor = ''  # of a mixed fleet: that of the worker of this moment
        self.worker, self.options = worker, ('--exception-handler', HANDLER, *options)
        self.lock = threading.RLock()  # of `crew` and what belongs to it
        self.network = threading.Lock()  # one fault of the network at a time
        self.crew: Crew = None  # type: ignore[assignment]
        self.born_at = 0.0
        self.doomed = ''  # by whom; a worker that ends though nobody doomed it is an innocent death
        self.leave_by = 0.0
        self.same_name = False
        self.sizes: list[int] = []
        self._count = 0

    def start(self) -> None:
        """A new worker."""
        with self.lock:
            if not (self.same_name and self.crew) or self.executor in IN_PROCESS:  # whose claims are found by its name
                self._count += 1
            if self.mixed:
                self.executor = MIXED[(self.number + self._count) % len(MIXED)]
            words = EXECUTORS[self.executor] if self.executor else ()
            self.crew = self.fleet.start(
                *words, *self.options, name=f's{self.number}-{self._count}', worker=self.worker, wait=False
            )
            self.doomed, self.leave_by, self.same_name = '', 0.0, False
            self.born_at, self.sizes = time.monotonic(), []

    def doom(self, by: str, same_name: bool = False) -> None:
        """It will end, and that is meant."""
        with self.lock:
            self.doomed, self.same_name, self.leave_by = by, same_name, 0.0

    @property
    def age(self) -> float:
        """Seconds since its start."""
        return time.monotonic() - self.born_at


class Watch:
    """Follows the witness: which process runs which job, and whether two ever ran one job at the same time."""

    def __init__(self, path: Path) -> None:
        self.path, self._at = path, 0
        self.open: dict[tuple[int, str], None] = {}  # pid and job
        self.killers: set[int] = set()  # processes that their own jobs have ended
        self.overlaps: Counter[str] = Counter()  # job -> seconds
        self._looked_at = time.monotonic()
        self._lock = threading.Lock()

    def look(self) -> None:
        """Read what is new, forget who is gone."""
        with self._lock, self.path.open('rb') as file:
            file.seek(self._at)
            data = file.read()
            whole = data[: data.rfind(b'\n') + 1]
            self._at += len(whole)
            for raw in whole.decode().splitlines():
                job, event, pid, _ = raw.split('\t')
                if event == 'begin':
                    self.open[int(pid), job] = None
                elif event in ('end', 'raise', 'ask'):
                    self.open.pop((int(pid), job), None)
                elif event == 'die':
                    self.killers.add(int(pid))
            for one in [one for one in self.open if not alive(one[0])]:
                del self.open[one]
            now = time.monotonic()
            running: defaultdict[str, int] = defaultdict(int)
            for pid, job in self.open:
                seen = _stat(pid)
                running[job] += seen is not None and seen[0] != 'T'
            for job, number in running.items():
                if number > 1:
                    self.overlaps[job] += now - self._looked_at  # type: ignore[assignment]
            self._looked_at = now

    def running(self) -> dict[int, str]:
        """Who runs what."""
        with self._lock:
            return dict(self.open.keys())


class Keeper:
    """Looks after the places, ten times a second."""

    def __init__(self, places: list[Place], watch: Watch, violate: Callable[[str], None]) -> None:
        self.places, self.watch, self.violate = places, watch, violate
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name='keeper', daemon=True)
        self.starts = 0
        self.growth = 0  # KiB, the most
        self.lost: Callable[[Place, str], None] = lambda place, what: None  # a job has killed its worker

    def start(self) -> None:
        """Start the workers, and look."""
        for place in self.places:
            place.start()
        self._thread.start()

    def stop(self) -> None:
        """Look no longer."""
        self._stop.set()
        self._thread.join(10)

    def _run(self) -> None:
        turn = 0
        while not self._stop.wait(0.1):
            turn += 1
            try:
                self.watch.look()
                for place in self.places:
                    self._see_to(place)
                    if turn % 20 == 0:
                        self._weigh(place)
            except Exception as error:
                self.violate(f'the keeper of the soak: {type(error).__name__}: {error}')

    def _see_to(self, place: Place) -> None:
        with place.lock:
            code = place.crew.process.poll()
            if code is None:
                if place.leave_by and is_frozen(place.crew.pid):
                    place.leave_by = time.monotonic() + LEAVE_SECONDS  # it hears of it when it thaws
                if place.leave_by and time.monotonic() > place.leave_by:
                    place.leave_by = 0.0
                    self.violate(f'worker {place.crew.name} was told to leave ({place.doomed}) and does not')
                return
            self.watch.look()
            if (place.leave_by or not place.doomed) and code != 0 and place.crew.pid in self.watch.killers:
                self.lost(place, 'killed by a job of its own')  # perhaps a moment after it was told to leave
            elif not place.doomed:
                self.violate(f'innocent death: worker {place.crew.name} ended with code {code}\n{tail(place.crew)}')
            elif place.leave_by and code != 0:
                self.violate(f'worker {place.crew.name} left with code {code} ({place.doomed})\n{tail(place.crew)}')
            if place.executor in IN_PROCESS:
                words = place.crew.name, place.fleet.redis
                threading.Thread(target=self._bury, args=words, name='burial', daemon=True).start()
            self.starts += 1
            place.start()

    def _bury(self, name: str, redis: Redis) -> None:
        """Leases of jobs that run in their worker last for minutes, and what they have started has lost everybody."""
        until = time.monotonic() + 30
        signal_all([pid for pid in ours(self.watch.path) if _is_orphaned_sleep(pid)], signal.SIGKILL)
        while time.monotonic() < until:
            try:
                for member in redis.smembers(keys.worker_executions(name)):
                    redis.zadd(keys.leases('q'), {member: 1}, xx=True)
                return
            except (RedisError, OSError):
                time.sleep(0.2)

    def _weigh(self, place: Place) -> None:
        size = resident(place.crew.pid)
        if place.age > SETTLED_AFTER and size:
            place.sizes.append(size)
            growth = max(place.sizes) - place.sizes[0]
            if growth > max(self.growth, GROWTH_KIB):
                self.violate(f'worker {place.crew.name} has grown by {growth // 1024} MiB in {place.age:.0f} s')
            self.growth = max(self.growth, growth)


def _is_orphaned_sleep(pid: int) -> bool:
    seen = _stat(pid)
    try:
        words = (PROC / str(pid) / 'cmdline').read_bytes()
    except OSError:
        return False
    return seen is not None and seen[1] in (1, os.getpid()) and words.startswith(b'sleep')


def resident(pid: int) -> int:
    """KiB of memory; 0 when it is gone."""
    try:
        lines = (PROC / str(pid) / 'status').read_text().splitlines()
        return next((int(line.split()[1]) for line in lines if line.startswith('VmRSS')), 0)
    except OSError:
        return 0


#: what a worker only logs when something happened that nobody had foreseen
ALARMS = re.compile(
    r'an error that nobody expected|execute_job raised|Scheduler with PID \d+ failed|Worker \S+: [a-z_ ]+ failed: |'
    r'the server refused the outcome'
)


def alarms(directory: Path) -> list[str]:
    """Such lines of all logs."""
    found = []
    for log in sorted(directory.glob('*.log')):
        lines = log.read_text(errors='replace').splitlines()
        found += [f'{log.name}: {line[:300]}' for line in lines if ALARMS.search(line)]
    return found


def tail(crew: Crew, size: int = 700) -> str:
    """The end of its log."""
    return crew.text()[-size:]


def horses(place: Place, watch: Watch) -> list[int]:
    """The processes of a worker that run jobs; those that wait, when none does."""
    tree, running = tree_of(place.crew.pid), watch.running()
    busy = [pid for pid in tree if pid in running]
    return busy or [pid for pid in tree if (_stat(pid) or ('', 0, 0))[1] not in (place.crew.pid, 0)]


def is_frozen(pid: int) -> bool:
    """Whether it was stopped by a signal."""
    seen = _stat(pid)
    return seen is not None and seen[0] == 'T'


def nursery(place: Place) -> int | None:
    """The process of a worker that forks its horses."""
    tree = tree_of(place.crew.pid)
    mothers = [(_stat(pid) or ('', 0, 0))[1] for pid in tree]
    return next((pid for pid in tree if pid in mothers and (_stat(pid) or ('', 0, 0))[1] == place.crew.pid), None)


def ours(mark: Path) -> list[int]:
    """Every process whose environment names our witness."""
    found = []
    for entry in PROC.iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid() and alive(int(entry.name)):
            try:
                environment = (entry / 'environ').read_bytes()
            except OSError:
                continue
            if f'RQ_WITNESS={mark}\0'.encode() in environment + b'\0':
                found.append(int(entry.name))
    return found


def leave(places: list[Place], violate: Callable[[str], None]) -> None:
    """All workers are told to leave, and do so with code 0."""
    for place in places:
        place.crew.signal(signal.SIGTERM)
    until = time.monotonic() + LEAVE_SECONDS
    for place in places:
        try:
            code = place.crew.wait(max(until - time.monotonic(), 0.1))
        except AssertionError:
            violate(f'worker {place.crew.name} does not leave\n{tail(place.crew)}')
            continue
        if code:
            violate(f'worker {place.crew.name} left with code {code}\n{tail(place.crew)}')


def make_places(
    upstream: Any, redis: Redis, directory: Path, witness: Witness, worker: str, mixed: bool = False
) -> list[Place]:
    """Four: one of them runs with a scheduler process, one hands a long job back when it is told to leave."""
    places = []
    for number in range(4):
        proxy = Proxy(upstream).start()
        options = {SCHEDULING: ('--with-scheduler',), HASTY: ('--shutdown-grace', '1')}.get(number, ())
        places.append(Place(number, proxy, Fleet(proxy.url, redis, directory, witness), worker, options, mixed))
    return places


def end_all(places: list[Place], mark: Path) -> None:
    """Nobody outlives the soak."""
    for place in places:
        place.fleet.close()
        place.proxy.close()
    signal_all(ours(mark), signal.SIGKILL)
