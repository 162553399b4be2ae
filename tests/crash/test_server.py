"""The server is killed, restarted, away, forgetful; connections are cut. Workers wait, jobs run once."""

import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry as NoRetry

from rq import Queue
from rq.command import send_stop_job_command
from rq.devserver.binary import find_binary
from rq.store import keys
from tests.crash import jobs
from tests.crash.driver import Fleet, Witness
from tests.invariants import check
from tests.waiting import wait_until

pytestmark = pytest.mark.crash


class Mortal:
    """A server with an append-only file, which can be killed and started again."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.socket = directory, directory / 's'
        self.url = f'unix://{self.socket}'
        self.process: subprocess.Popen[bytes] | None = None

    def client(self) -> Redis:
        return Redis(unix_socket_path=str(self.socket), retry=NoRetry(NoBackoff(), 0))

    def start(self) -> None:
        """Start it; back when it answers."""
        command = [find_binary(), '--port', '0', '--unixsocket', str(self.socket), '--dir', str(self.directory)]
        command += ['--save', '', '--appendonly', 'yes', '--appendfsync', 'always', '--logfile', 'log']
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
        wait_until(self.answers, 10, 'the server answers')

    def answers(self) -> bool:
        """Does it?"""
        try:
            with self.client() as client:
                return bool(client.ping())
        except RedisError:
            return False

    def kill(self) -> None:
        """As the power fails."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def mortal() -> Iterator[Mortal]:
    """A server of this test."""
    with tempfile.TemporaryDirectory(prefix='rq-mortal-') as directory:
        mortal = Mortal(Path(directory))
        try:
            yield mortal
        finally:
            mortal.kill()


@pytest.fixture
def far_fleet(mortal: Mortal, tmp_path: Path, witness: Witness) -> Iterator[Fleet]:
    """Workers of that server."""
    with mortal.client() as client:
        fleet = Fleet(mortal.url, client, tmp_path, witness)
        try:
            yield fleet
        finally:
            left = fleet.close()
            print(fleet.logs())
    assert left == []


def test_killed_and_restarted(mortal: Mortal, far_fleet: Fleet, witness: Witness) -> None:
    """Away for longer than a lease, while two jobs run: nobody takes a living worker for dead."""
    mortal.start()
    queue = Queue('q', connection=mortal.client())
    far_fleet.start()
    far_fleet.start()
    ending, lasting = queue.enqueue(jobs.long, 2), queue.enqueue(jobs.long, 9)
    witness.wait('begin', times=2)
    mortal.kill()
    witness.wait('end', ending.id)
    time.sleep(3)
    mortal.start()
    back_at = time.monotonic()
    wait_until(lambda: ending.get_status() == 'finished', 5, 'the outcome is stored')
    assert time.monotonic() - back_at < 5
    idle = queue.enqueue(jobs.work, 1)
    wait_until(lambda: lasting.get_status() == 'finished', 10)
    wait_until(lambda: idle.get_status() == 'finished', 5)
    assert witness.count('begin') == witness.count('end') == 3
    assert far_fleet.innocent_deaths() == []
    assert check(mortal.client()) == []


def test_newcomer_after_an_outage(mortal: Mortal, far_fleet: Fleet, witness: Witness) -> None:
    """A worker that starts when the server is back gives the old one time to renew."""
    mortal.start()
    queue = Queue('q', connection=mortal.client())
    old = far_fleet.start()
    job = queue.enqueue(jobs.long, 7)
    witness.wait('begin', job.id)
    mortal.kill()
    time.sleep(3.5)
    mortal.start()
    far_fleet.start()
    wait_until(lambda: job.get_status() == 'finished', 10)
    result = job.latest_result()
    assert result is not None and result.worker_name == old.name
    assert witness.count('begin') == 1


def test_away_at_start(mortal: Mortal, far_fleet: Fleet, witness: Witness) -> None:
    """The worker waits for its server, and says so in a line."""
    early = far_fleet.start(wait=False)
    wait_until(lambda: 'waiting' in early.text(), 10, 'it says that it waits')
    time.sleep(1)
    assert early.process.poll() is None and 'Traceback' not in early.text()
    mortal.start()
    job = Queue('q', connection=mortal.client()).enqueue(jobs.work, 1)
    wait_until(lambda: job.get_status() == 'finished', 8)
    assert early.text().count('waiting') == 1


def test_told_to_leave_before_the_server_came(mortal: Mortal, far_fleet: Fleet) -> None:
    """Ctrl-C works at once."""
    early = far_fleet.start(wait=False)
    wait_until(lambda: 'waiting' in early.text(), 10)
    early.signal(signal.SIGINT)
    assert early.wait(5) == 0
    assert 'Traceback' not in early.text()


def test_told_to_leave_after_the_server_went(mortal: Mortal, far_fleet: Fleet) -> None:
    """Idle, and nobody to say goodbye to."""
    mortal.start()
    crew = far_fleet.start()
    wait_until(lambda: 'Listening' in crew.text(), 5)
    mortal.kill()
    wait_until(lambda: 'waiting' in crew.text(), 10)
    crew.signal(signal.SIGTERM)
    assert crew.wait(10) == 0
    assert 'Traceback' not in crew.text()


def test_connections_cut(fleet: Fleet, queue: Queue, redis: Redis, witness: Witness) -> None:
    """Four times mid-job, then idle: the job runs once, commands work again."""
    crew = fleet.start()
    job = queue.enqueue(jobs.long, 3)
    witness.wait('begin', job.id)
    for _ in range(4):
        cut(redis)
        time.sleep(0.5)
    wait_until(lambda: job.get_status() == 'finished', 10)
    assert witness.count('begin') == witness.count('end') == 1
    cut(redis)
    more = queue.enqueue(jobs.work, 1)
    wait_until(lambda: more.get_status() == 'finished', 5)
    endless = queue.enqueue(jobs.long, 60)
    witness.wait('begin', endless.id)
    cut(redis)
    began = time.monotonic()

    def stopped() -> bool:
        if endless.get_status() == 'started':
            send_stop_job_command(redis, endless.id)
        return endless.get_status() == 'stopped'

    wait_until(stopped, 5, 'the stop command is heard again')
    assert time.monotonic() - began < 5
    assert fleet.innocent_deaths() == [] and 'Traceback' not in crew.text()


def cut(redis: Redis) -> None:
    """Every connection but ours."""
    for kind in ('normal', 'pubsub'):
        redis.execute_command('CLIENT', 'KILL', 'TYPE', kind, 'SKIPME', 'yes')


def test_scripts_forgotten(fleet: Fleet, queue: Queue, redis: Redis, witness: Witness) -> None:
    """SCRIPT FLUSH again and again while jobs run."""
    fleet.start()
    many = [queue.enqueue(jobs.work, n) for n in range(9) for _ in range(10)]
    while any(job.get_status() in ('queued', 'started') for job in many):
        redis.script_flush()
        time.sleep(0.02)
    assert [job.id for job in many if job.get_status() != 'finished'] == []
    assert set(witness.counts('begin').values()) == {1}
    assert not redis.zcard(keys.wip('q'))


def test_everything_forgotten(fleet: Fleet, queue: Queue, redis: Redis, witness: Witness) -> None:
    """FLUSHALL while a job runs: the worker lives, enters the books again, and works on."""
    crew = fleet.start()
    job = queue.enqueue(jobs.long, 2)
    witness.wait('begin', job.id)
    redis.flushall()
    wait_until(lambda: fleet.is_up(crew), 8, 'it is in the books again')
    more = queue.enqueue(jobs.work, 1)
    wait_until(lambda: more.get_status() == 'finished', 8)
    assert not job.exists(job.id, connection=redis)


def test_repeated_cuts_while_many_run(fleet: Fleet, queue: Queue, redis: Redis, witness: Witness) -> None:
    """Connections are cut all the time while short jobs run: replies get lost, outcomes do not."""
    fleet.start()
    fleet.start()
    many = [queue.enqueue(jobs.work, n % 9, 0.005) for n in range(300)]
    for _ in range(10):
        cut(redis)
        time.sleep(0.1)
    wait_until(lambda: queue.count == 0 and not redis.zcard(keys.wip('q')), 15, 'all is settled')
    assert [job.get_status() for job in many if job.get_status() != 'finished'] == []
    assert set(witness.counts('begin').values()) == {1}
    assert {len(job.results()) for job in many} == {1}
