"""The server is away: at the start, and in the midst of a job."""

import signal
import tempfile
from pathlib import Path

import pytest
from redis import Redis

from rq import Callback, Queue
from rq.store import claim
from rq.store.call import run
from tests import jobs
from tests.conftest import PrivateServer
from tests.launch import Launch, lives
from tests.waiting import wait_until

pytestmark = pytest.mark.slow


def test_away_at_the_start(launch: Launch) -> None:
    with tempfile.TemporaryDirectory(prefix='rq-test-') as directory:
        worker = launch('default', url=f'unix://{directory}/valkey.sock')
        worker.said('cannot reach', 30)
        server = PrivateServer(Path(directory))
        try:
            worker.ready()
            with Redis(unix_socket_path=str(server.socket)) as client:
                job = Queue(connection=client).enqueue(jobs.add)
                wait_until(lambda: job.is_finished, 10, 'it works')
                worker.signal(signal.SIGTERM)
                assert worker.wait() == 0
        finally:
            server.kill()


@pytest.mark.parametrize('cls', ['Beats', 'Picks'])
def test_away_for_those_with_a_part_of_their_own(launch: Launch, cls: str) -> None:
    with tempfile.TemporaryDirectory(prefix='rq-test-') as directory:
        server = PrivateServer(Path(directory))
        wait_until(server.answers, 10, 'the server answers')
        worker = launch('default', url=server.url, cls=f'tests.worker.overrides.{cls}').ready()
        server.kill()
        worker.said('cannot reach', 30)
        server = PrivateServer(Path(directory))
        try:
            wait_until(server.answers, 10, 'the server answers again')
            with Redis(unix_socket_path=str(server.socket)) as client:
                job = Queue(connection=client).enqueue(jobs.add)
                wait_until(lambda: job.is_finished, 20, 'it works')
                worker.said('is there again', 5)
                worker.signal(signal.SIGTERM)
                assert worker.wait() == 0
        finally:
            server.kill()


def test_frozen_in_the_midst_of_a_job(launch: Launch) -> None:
    """The job ends while nobody answers; its outcome is stored afterwards, once."""
    with tempfile.TemporaryDirectory(prefix='rq-test-') as directory:
        server = PrivateServer(Path(directory))
        try:
            wait_until(server.answers, 10, 'the server answers')
            with Redis(unix_socket_path=str(server.socket)) as client:
                job = Queue(connection=client).enqueue(jobs.waits, 3)
                worker = launch('default', url=server.url).ready()
                wait_until(lambda: client.llen('test:marks'), 10, 'it runs')
                horse = int(client.lrange('test:marks', 0, -1)[0].split()[1])
                server.process.send_signal(signal.SIGSTOP)
                wait_until(lambda: not lives(horse), 15, 'the job ends')
                server.process.send_signal(signal.SIGCONT)
                wait_until(lambda: job.is_finished, 15, 'the outcome is stored')
                assert len(job.results()) == 1
                worker.signal(signal.SIGTERM)
                assert worker.wait() == 0
        finally:
            server.process.send_signal(signal.SIGCONT)
            server.kill()


def test_a_deadline_is_kept_while_an_outcome_waits_for_the_server(launch: Launch) -> None:
    """That of an orphan, which was seen to beside the job."""
    with tempfile.TemporaryDirectory(prefix='rq-test-') as directory:
        server = PrivateServer(Path(directory))
        try:
            wait_until(server.answers, 10, 'the server answers')
            with Redis(unix_socket_path=str(server.socket)) as client:
                queue = Queue(connection=client)
                orphan = queue.enqueue(jobs.add, on_failure=Callback(jobs.slow_callback, timeout=3))
                assert run(client, claim.claim('dead', ['default'], ['e'], begun=True)).taken
                job = queue.enqueue(jobs.deaf, 90, job_timeout=5)
                worker = launch('default', url=server.url).ready()
                wait_until(lambda: client.llen('test:marks'), 10, 'it runs')
                horse = int(client.lrange('test:marks', 0, -1)[0].split()[1])
                client.zrem('rq:leases:default', f'{orphan.id}:e')  # without its row the lease ends by its wip score
                client.zadd('rq:wip:default', {f'{orphan.id}:e': 1})
                wait_until(lambda: client.llen('test:told'), 10, 'its failure is told')
                server.process.send_signal(signal.SIGSTOP)
                wait_until(lambda: not lives(horse), 30, 'the job is ended')
                server.process.send_signal(signal.SIGCONT)
                wait_until(lambda: job.is_failed and orphan.is_failed, 15, 'both outcomes are stored')
                worker.signal(signal.SIGTERM)
                assert worker.wait() == 0
        finally:
            server.process.send_signal(signal.SIGCONT)
            server.kill()
