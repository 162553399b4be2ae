"""Signals by which people and machines end workers."""

import os
import signal
import time

import pytest
from redis import Redis

from rq import Queue
from rq.store import keys
from tests.crash import jobs
from tests.crash.driver import Fleet, Witness, signal_all, tree_of
from tests.waiting import wait_until

pytestmark = pytest.mark.crash


@pytest.mark.parametrize('signum', [signal.SIGINT, signal.SIGTERM], ids=lambda s: s.name)
def test_to_every_process_at_once(fleet: Fleet, queue: Queue, redis: Redis, witness: Witness, signum: int) -> None:
    """As a terminal, systemd or compose does it: the job finishes, nothing new is begun, exit code 0."""
    crew = fleet.start()
    job = queue.enqueue(jobs.long, 2)
    later = queue.enqueue(jobs.work, 1)
    witness.wait('begin', job.id)
    signal_all([crew.pid, *tree_of(crew.pid)], signum)
    assert crew.wait() == 0
    assert job.get_status() == 'finished' and later.get_status() == 'queued'
    assert witness.count('end') == 1
    assert redis.smembers(keys.WORKERS) == set()
    assert 'Traceback' not in crew.text()


def test_to_the_group_while_idle(fleet: Fleet) -> None:
    """Ctrl-C on an idle worker: it leaves at once."""
    crew = fleet.start()
    wait_until(lambda: 'Listening' in crew.text(), 5)
    began = time.monotonic()
    os.killpg(crew.pid, signal.SIGINT)
    assert crew.wait() == 0
    assert time.monotonic() - began < 3
    assert 'Traceback' not in crew.text()


def test_ctrl_c_twice(fleet: Fleet, queue: Queue, witness: Witness) -> None:
    """The second one, later, kills the job too; another worker sees to it at once."""
    crew = fleet.start()
    job = queue.enqueue(jobs.long, 60)
    witness.wait('begin', job.id)
    os.killpg(crew.pid, signal.SIGINT)
    wait_until(lambda: 'warm shut down' in crew.text(), 5)
    time.sleep(1.2)  # before that it would be an echo of the first
    os.killpg(crew.pid, signal.SIGINT)
    crew.wait(10)
    assert tree_of(crew.pid) == [] and 'Traceback' not in crew.text()
    fleet.start()
    wait_until(lambda: job.get_status() == 'failed', 3)
    assert witness.count('end') == 0


def test_echo_is_no_second_signal(fleet: Fleet, queue: Queue, witness: Witness) -> None:
    """A terminal and a supervisor both pass it on: that is one request."""
    crew = fleet.start()
    job = queue.enqueue(jobs.long, 2)
    witness.wait('begin', job.id)
    for _ in range(3):
        os.kill(crew.pid, signal.SIGTERM)
    assert crew.wait() == 0
    assert job.get_status() == 'finished'
