"""Every executor and its server under load: replies lost, clients paused, restarted, black-holed. Nothing is lost."""

import time
from collections.abc import Iterator

import pytest
from redis import Redis

from rq import Queue
from rq.defaults import KILL_GRACE
from rq.store.scripts import load
from tests.crash import jobs_x
from tests.crash.crowd import EACH, EXECUTORS, TOLD, Crowd, ended, held_by, run_out, told
from tests.crash.driver import Crew, Fleet, Witness, alive
from tests.crash.proxy import Proxy
from tests.crash.servers import Mortal
from tests.crash.sizes import LEASE
from tests.waiting import wait_until

pytestmark = pytest.mark.crash

#: verbs whose replies are lost, each twice: with batches outcomes go together
VERBS = ('claim', 'finish', 'finish_many')


def through(proxied: Fleet, executor: str) -> Crew:
    """A worker behind the proxy."""
    return proxied.start(*EXECUTORS[executor], *TOLD)


@EACH
def test_lost_replies_and_a_pause(
    proxied: Fleet, proxy: Proxy, crowd: Crowd, redis: Redis, witness: Witness, executor: str
) -> None:
    """The server has done what was asked, and is asked again; then it keeps its clients waiting: each job once."""
    crew = through(proxied, executor)
    rules = [proxy.drop_reply(load(verb).sha.encode(), times=2, skip=2) for verb in VERBS]
    lost = [proxy.lose_command(load(verb).sha.encode(), skip=7) for verb in VERBS]
    crowd.load(executor, 150)
    witness.wait('end', times=100)
    redis.execute_command('CLIENT', 'PAUSE', 700, 'ALL')
    crowd.load(executor, 150)
    crowd.finishes()
    assert crowd.extra() == {} and crew.process.poll() is None
    assert rules[0].hits and lost[0].hits  # some fall into the cut of another, with which they were sent
    assert rules[1].hits + rules[2].hits


@pytest.fixture
def at_mortal(mortal: Mortal, far_fleet: Fleet, witness: Witness) -> Iterator[Crowd]:
    """Many jobs on a server that can be killed."""
    mortal.start()
    with mortal.client() as client:
        yield Crowd(client, Queue('q', connection=client), witness)


@EACH
def test_a_restart_under_load(
    mortal: Mortal, far_fleet: Fleet, at_mortal: Crowd, witness: Witness, executor: str
) -> None:
    """Killed, and started from its file: outcomes are held meanwhile, and stored; each job once."""
    crew = far_fleet.start(*EXECUTORS[executor], *TOLD)
    at_mortal.load(executor, 200)
    witness.wait('end', times=50)
    mortal.restart()
    at_mortal.finishes()
    assert at_mortal.extra() == {} and crew.process.poll() is None


@EACH
def test_a_black_hole_under_load(
    proxied: Fleet, proxy: Proxy, fleet: Fleet, crowd: Crowd, redis: Redis, witness: Witness, executor: str
) -> None:
    """One worker is cut off for longer than its leases: what it held may run again elsewhere, and nothing else."""
    cut_off = through(proxied, executor)
    crowd.load(executor, 300)
    witness.wait('end', times=60)
    proxy.black_hole()
    fell_at = time.monotonic()
    wait_until(lambda: held_by(redis, cut_off) or crowd.all_are('finished'), 5, 'it holds something')
    time.sleep(0.3)  # what was under way in the network has arrived
    in_hand = run_out(redis, cut_off)
    fleet.start(*EXECUTORS[executor], *TOLD, name='heir')
    crowd.finishes()
    time.sleep(max(fell_at + LEASE + 0.5 - time.monotonic(), 0))
    proxy.heal()
    more = crowd.load(executor, 20)
    crowd.finishes()
    wait_until(lambda: held_by(redis, cut_off) == set(), 10, 'it has let go of what it held')
    assert set(crowd.extra()) <= in_hand and not in_hand & {job.id for job in more}
    assert proxied.innocent_deaths() == []


def test_a_deadline_while_the_server_is_away(
    mortal: Mortal, far_fleet: Fleet, at_mortal: Crowd, witness: Witness
) -> None:
    """Who has room for one more job waits for the server; what runs beside is ended in its time all the same."""
    crew = far_fleet.start(*EXECUTORS['prefork'], *TOLD)
    [job] = at_mortal.add(1, jobs_x.deafens, 60, timeout=1, retry=None)
    begun = witness.wait('begin', job.id)
    mortal.kill()
    wait_until(lambda: not alive(begun.pid), 1 + KILL_GRACE + 6, 'its horse is killed')
    mortal.start()
    assert 'exceeded maximum timeout value' in ended(job, 'failed')
    assert told(witness, job) == ['told JobTimeoutException'] and crew.process.poll() is None
