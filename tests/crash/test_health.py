"""The health answers of a worker while all kinds of things happen to it and to its server: red in time, green again.

Asked are its port, its file and `rq info --check`; none may ever say that all is well when it is not.
"""

import http.client
import json
import re
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from redis import Redis

from rq import Queue
from rq.cli import main
from rq.cli.check import Findings, look_at_file
from rq.rules.timing import from_epoch, utcformat
from rq.store import keys
from tests.crash import jobs
from tests.crash.driver import Crew, Fleet, Witness, alive
from tests.crash.proxy import Proxy
from tests.crash.servers import Mortal
from tests.crash.sizes import FULL, WORKER, sized
from tests.waiting import wait_until

pytestmark = pytest.mark.crash

#: how old a renewal may be, and how long it takes at most until that shows
LIMIT = 15.0 if FULL else 1.5
RED = LIMIT + 2
GREEN = 5.0  # after the end of a fault
BEAT_SECONDS = 15.0  # of `rq info --check`, whatever the leases are
beside = pytest.mark.usefixtures('beside')


class Probe:
    """Whoever looks after a worker: by its port, by its file, and by `rq info --check`."""

    def __init__(self, fleet: Fleet, crew: Crew, path: Path) -> None:
        self.fleet, self.crew, self.path = fleet, crew, path
        found = wait_until(lambda: re.search(r'at http://127\.0\.0\.1:(\d+)/livez', crew.text()), 10, 'it says where')
        self.port = int(found[1])

    def ask(self, path: str = '/livez') -> tuple[int, dict[str, Any]]:
        """Status and body; 0 when there is no answer."""
        connection = http.client.HTTPConnection('127.0.0.1', self.port, timeout=1)
        try:
            connection.request('GET', path)
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        except (OSError, http.client.HTTPException):
            return 0, {}
        finally:
            connection.close()

    def lives(self) -> bool:
        """By its port."""
        return self.ask('/livez')[0] == 200

    def is_ready(self) -> bool:
        """By its port."""
        return self.ask('/readyz')[0] == 200

    def file_says_so(self) -> bool:
        """By its file, as `rq info --check --health-file` reads it."""
        findings = Findings()
        look_at_file(str(self.path), findings)
        return not findings.reasons

    def check(self, *words: str) -> bool:
        """`rq info --check`; whether its exit code is 0."""
        done = CliRunner().invoke(main, ['info', *self.fleet.where, '--check', *words], catch_exceptions=False)
        assert (done.exit_code, done.stdout.startswith('OK')) in ((0, True), (1, False)), done.output
        return done.exit_code == 0

    def turns(self, healthy: bool, within: float, what: str) -> float:
        """Port and file say so in time; how long it took."""
        began = time.monotonic()
        wait_until(lambda: self.lives() is healthy, within + 5, f'{what}: port')
        took = time.monotonic() - began
        wait_until(lambda: self.file_says_so() is healthy, within + 5 - took, f'{what}: file')
        assert took < within, f'{what}: took {took:.1f} s'
        return took


Start = Callable[..., Probe]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """A worker with port and file, healthy."""
    path = tmp_path / 'health'

    def start(fleet: Fleet, *options: str, worker: str = WORKER, wait: bool = True) -> Probe:
        words = ('--health-port', '0', '--health-file', str(path), *options)
        probe = Probe(fleet, fleet.start(*words, worker=worker), path)
        wait_until(lambda: not wait or (probe.lives() and probe.is_ready()), 10, 'it is healthy')
        wait_until(lambda: not wait or path.exists(), 10, 'its file is there')
        return probe

    return start


# --- the worker ---------------------------------------------------------------------------------------------------


@beside
def test_frozen_worker(fleet: Fleet, start: Start, redis: Redis) -> None:
    """It cannot say anything: its port is silent, its file gets old, its beats stay away."""
    probe = start(fleet)
    assert (
        probe.check('--health-file', str(probe.path)) and probe.check('q') and probe.check('--worker', probe.crew.name)
    )
    probe.crew.signal(signal.SIGSTOP)
    frozen_at = time.monotonic()
    assert not probe.lives()
    wait_until(lambda: not probe.file_says_so(), RED, 'the file is old')
    assert not probe.check('--health-file', str(probe.path)) and probe.path.exists()  # nobody took it away
    if not FULL:  # `rq info --check` has one limit for all: make it a minute later
        redis.hset(keys.worker(probe.crew.name), 'last_heartbeat', utcformat(from_epoch(time.time() - 60)))
    wait_until(lambda: not probe.check('q'), frozen_at + BEAT_SECONDS + 5 - time.monotonic(), 'no worker for q')
    assert not probe.check('--worker', probe.crew.name) and probe.check('beside')
    probe.crew.signal(signal.SIGCONT)
    probe.turns(True, GREEN, 'thawed')
    wait_until(lambda: probe.check('q'), GREEN, 'it beats')


@beside
def test_killed_and_started_again(fleet: Fleet, start: Start, queue: Queue, witness: Witness) -> None:
    """What a dead worker leaves (its file, its lock, its port) is red in time and in nobody's way."""
    probe = start(fleet)
    job = queue.enqueue(jobs.long, 60)
    witness.wait('begin', job.id)
    options = tuple(word if word != '0' else str(probe.port) for word in probe.crew.options)
    probe.crew.kill()
    assert not probe.lives()
    wait_until(lambda: not probe.file_says_so(), RED, 'the file is old')
    again = Probe(fleet, fleet.start(*options, name=probe.crew.name, worker=WORKER), probe.path)
    assert again.port == probe.port
    again.turns(True, GREEN, 'started again')
    job.delete()


def test_stuck_main_thread(fleet: Fleet, start: Start, queue: Queue, witness: Witness, redis: Redis) -> None:
    """The clock renews, but the worker takes no jobs: a handler hangs beyond its limit."""
    probe = start(fleet, '--worker-class', 'tests.crash.jobs_health.Stuck')
    job = queue.enqueue(jobs.kill_myself)
    witness.wait('stuck', job.id)
    probe.turns(False, sized(3, 90) + 2, 'stuck')
    assert not probe.is_ready() and 'main loop' in probe.ask()[1]['why']
    assert probe.ask()[1]['renewed_seconds_ago'] < LIMIT
    witness.wait('free', job.id, timeout=sized(8, 130))
    probe.turns(True, GREEN, 'free again')


@beside
def test_warm_shutdown(fleet: Fleet, start: Start, queue: Queue, witness: Witness) -> None:
    """Not ready at once, but alive up to the end: nobody may kill it while it finishes its job."""
    probe = start(fleet)
    job = queue.enqueue(jobs.long, sized(4, 40))
    witness.wait('begin', job.id)
    probe.crew.signal(signal.SIGTERM)
    wait_until(lambda: not probe.is_ready(), 2, 'it is not ready')
    wait_until(lambda: json.loads(probe.path.read_text())['ready'] is False, 3, 'the file says so, too')
    assert not probe.check('q')  # nobody will take a job of q
    while witness.count('end', job.id) == 0:
        assert probe.lives() and not probe.is_ready() or witness.count('end', job.id)
        time.sleep(0.1)
    assert probe.crew.wait() == 0 and job.get_status() == 'finished'
    assert probe.ask()[0] == 0 and not probe.path.exists()


@beside
def test_lost_lease(fleet: Fleet, start: Start, queue: Queue, redis: Redis, witness: Witness) -> None:
    """A horse is ended at once, and its worker is healthy; one that cannot be ended makes its worker unhealthy."""
    probe = start(fleet)
    job = queue.enqueue(jobs.long, 30)
    horse = witness.wait('begin', job.id)
    job.delete()
    wait_until(lambda: not alive(horse.pid), sized(3, 8), 'the horse is ended')
    probe.turns(True, GREEN, 'without the job')
    probe.crew.signal(signal.SIGTERM)
    assert probe.crew.wait() == 0
    inline = start(fleet, worker='QuickSimple')
    job = queue.enqueue(jobs.long, 4)
    witness.wait('begin', job.id)
    assert inline.lives()
    job.delete()
    wait_until(lambda: not inline.lives(), 3.5, 'it runs what is not its own any more')
    witness.wait('end', job.id)
    inline.turns(True, GREEN, 'that is over')


def test_inline_worker_in_a_long_job(fleet: Fleet, start: Start, queue: Queue, witness: Witness) -> None:
    """The loop does not turn meanwhile: the job's own time counts instead."""
    probe = start(fleet, '--worker-class', 'tests.crash.jobs_health.Inline')
    job = queue.enqueue(jobs.long, 4)
    witness.wait('begin', job.id)
    while witness.count('end', job.id) == 0:
        assert probe.lives(), probe.ask()
        time.sleep(0.2)
    wait_until(lambda: job.get_status() == 'finished', 5)


@beside
def test_namesake(fleet: Fleet, start: Start, redis: Redis) -> None:
    """Somebody else has its name in the books: its beats are not its own."""
    probe = start(fleet)
    key = keys.worker(probe.crew.name)
    theirs = {'instance': 'other', 'hostname': 'elsewhere', 'last_heartbeat': '2999-01-01T00:00:00.000000Z'}
    redis.hset(key, mapping=theirs)
    probe.turns(False, RED, 'a namesake')
    redis.delete(key)
    probe.turns(True, GREEN + sized(1, 5), 'the name is free')  # entered again after one beat, renewed with the next
    wait_until(lambda: probe.check('--worker', probe.crew.name), GREEN)


# --- the server ---------------------------------------------------------------------------------------------------


@pytest.fixture
def far(mortal: Mortal, far_fleet: Fleet, start: Start, witness: Witness) -> Iterator[Probe]:
    """A worker of `mortal` with a job, which is done in the end."""
    queue = Queue('q', connection=mortal.start().client())
    probe = start(far_fleet)
    job = queue.enqueue(jobs.long, sized(3, 60))
    witness.wait('begin', job.id)
    yield probe
    wait_until(lambda: job.get_status() == 'finished', sized(15, 80), 'the job was done')
    assert witness.count('begin') == witness.count('end') == 1
    assert far_fleet.innocent_deaths() == []


def test_frozen_server(mortal: Mortal, far: Probe) -> None:
    """It takes connections and says nothing."""
    mortal.freeze()
    far.turns(False, RED, 'frozen')
    began = time.monotonic()
    assert not far.check()
    assert time.monotonic() - began < 8
    mortal.thaw()
    far.turns(True, GREEN, 'thawed')
    wait_until(far.check, GREEN, 'the check, too')


def test_killed_server(mortal: Mortal, far: Probe) -> None:
    """Nobody is there."""
    mortal.kill()
    far.turns(False, RED, 'killed')
    assert not far.check() and not far.is_ready()
    mortal.start()
    far.turns(True, GREEN, 'back')
    wait_until(lambda: far.check('q'), GREEN, 'the check, too')


def test_refusing_server(mortal: Mortal, far: Probe) -> None:
    """It answers, but accepts no renewal; one that is only full does."""
    mortal.configure(min_replicas_to_write=1)
    far.turns(False, RED, 'refusing')
    mortal.configure(min_replicas_to_write=0, maxmemory=1000)
    far.turns(True, GREEN, 'accepting')
    mortal.configure(maxmemory=0)


def test_forgetful_server(mortal: Mortal, far_fleet: Fleet, start: Start) -> None:
    """After FLUSHALL the worker enters the books again, and is not believed before."""
    mortal.start()
    probe = start(far_fleet)
    with mortal.client() as client:
        client.flushall()
    wait_until(lambda: 'record had vanished' in probe.crew.text(), sized(3, 8))
    probe.turns(True, GREEN + sized(1, 5), 'in the books again')
    wait_until(lambda: probe.check('q'), GREEN)


def test_half_open_connections(proxied: Fleet, proxy: Proxy, start: Start) -> None:
    """Packets vanish; the end of that is noticed as any half-open connection is."""
    probe = start(proxied)
    proxy.black_hole()
    probe.turns(False, RED, 'in the hole')
    proxy.heal()
    probe.turns(True, 30, 'out of it')


def test_server_that_comes_late(mortal: Mortal, far_fleet: Fleet, tmp_path: Path) -> None:
    """A worker that waits for its server is not healthy, whoever asks."""
    path = tmp_path / 'health'
    with socket.create_server(('127.0.0.1', 0)) as one:
        port = one.getsockname()[1]
    crew = far_fleet.start('--health-port', str(port), '--health-file', str(path), worker=WORKER, wait=False)
    wait_until(lambda: 'cannot reach' in crew.text(), 10, 'it waits')
    connection = http.client.HTTPConnection('127.0.0.1', port, timeout=1)
    connection.request('GET', '/livez')
    with pytest.raises(OSError):
        connection.getresponse()
    assert not path.exists()
    mortal.start()
    probe = Probe(far_fleet, crew, path)
    probe.turns(True, GREEN, 'the server is there')


# --- no false alarm -----------------------------------------------------------------------------------------------


def test_busy_and_healthy(fleet: Fleet, start: Start, queue: Queue) -> None:
    """Hundreds of short jobs, each settled while a renewal may be under way, and a probe that never rests."""
    probe = start(fleet, worker='Default')
    many = [queue.enqueue(jobs.quiet, number) for number in range(int(sized(300, 3000)))]
    asked = 0
    while queue.count:
        assert probe.lives() and probe.is_ready(), probe.ask()
        asked += 1
    wait_until(lambda: many[-1].get_status() == 'finished', 10)
    assert asked > 10 and all(one.get_status() == 'finished' for one in many)
    assert len(list(Path(f'/proc/{probe.crew.pid}/fd').iterdir())) < 60
