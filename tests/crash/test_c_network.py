"""Group C, the wire: connections cut, half-open, silent; single replies lost. What was said once counts once."""

import signal
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from redis import Redis

from rq import Queue, Retry
from rq.command import send_stop_job_command
from rq.job import Job
from rq.store import keys
from rq.store.scripts import load
from tests.crash import jobs, jobs_c
from tests.crash.driver import Fleet, Witness
from tests.crash.proxy import Proxy
from tests.crash.sizes import LEASE, WORKER, sized
from tests.waiting import wait_until

pytestmark = [pytest.mark.crash, pytest.mark.usefixtures('beside')]

NOTICED = 30.0  # seconds until a half-open connection is given up
RESUMED = 5.0


def cut(redis: Redis) -> None:
    """Every connection but ours."""
    for kind in ('normal', 'pubsub'):
        redis.execute_command('CLIENT', 'KILL', 'TYPE', kind, 'SKIPME', 'yes')


def sha(verb: str) -> bytes:
    """What a call of this verb contains."""
    return load(verb).sha.encode()


def stopping(redis: Redis, job: Job) -> Callable[[], bool]:
    """Sends the stop command until it has been heard."""

    def stopped() -> bool:
        if job.get_status() == 'started':
            send_stop_job_command(redis, job.id)
        return job.get_status() == 'stopped'

    return stopped


def settled(redis: Redis, queue: str = 'q') -> Callable[[], bool]:
    """Whether nothing is listed and nothing held."""
    return lambda: not redis.llen(keys.queue(queue)) and not redis.zcard(keys.wip(queue))


def in_time(condition: Callable[[], Any], bound: float, what: str) -> None:
    """It becomes true within the bound, which is asserted on the time observed."""
    began = time.monotonic()
    wait_until(condition, bound + 1, what)
    assert time.monotonic() - began < bound, what


# --- C1: cut ------------------------------------------------------------------------------------------------------


def test_c1_connections_cut(fleet: Fleet, queue: Queue, redis: Redis, witness: Witness) -> None:
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
    in_time(lambda: more.get_status() == 'finished', RESUMED, 'idle, it works again')
    endless = queue.enqueue(jobs.long, 60)
    witness.wait('begin', endless.id)
    cut(redis)
    in_time(stopping(redis, endless), RESUMED, 'the stop command is heard again')
    assert fleet.innocent_deaths() == [] and 'Traceback' not in crew.text()


def test_c1_repeated_cuts_while_many_run(fleet: Fleet, queue: Queue, redis: Redis, witness: Witness) -> None:
    """Connections are cut all the time while short jobs run: replies get lost, outcomes do not."""
    fleet.start_some(2)
    many = [queue.enqueue(jobs.work, n % 9, 0.005) for n in range(int(sized(300, 3000)))]
    for _ in range(int(sized(10, 100))):
        cut(redis)
        time.sleep(0.1)
    wait_until(settled(redis), sized(15, 60), 'all is settled')
    assert [job.get_status() for job in many if job.get_status() != 'finished'] == []
    assert set(witness.counts('begin').values()) == {1}
    assert {len(job.results()) for job in many} == {1}


# --- C12: half-open -----------------------------------------------------------------------------------------------


def test_c12_black_hole_idle(proxied: Fleet, proxy: Proxy, queue: Queue, witness: Witness) -> None:
    """Every connection of an idle worker falls silent. It notices, and works over new ones once that is possible."""
    crew = proxied.start(worker=WORKER)
    first = queue.enqueue(jobs_c.quick)
    wait_until(lambda: first.get_status() == 'finished', 5)
    met = proxy.black_hole()
    assert met >= 3  # the loop, the wait, the clock or the commands
    in_time(lambda: 'waiting, and trying again' in crew.text(), NOTICED, 'the black hole is noticed')
    time.sleep(sized(LEASE, 60))
    proxy.heal()
    second = queue.enqueue(jobs_c.quick)
    in_time(lambda: second.get_status() == 'finished', RESUMED, 'it works again')
    endless = queue.enqueue(jobs.long, 60)
    witness.wait('begin', endless.id)
    in_time(stopping(proxied.redis, endless), NOTICED, 'commands are heard again')
    assert proxied.innocent_deaths() == [] and 'Traceback' not in crew.text()


def test_c12_dead_connections_only(proxied: Fleet, proxy: Proxy, queue: Queue, redis: Redis, witness: Witness) -> None:
    """A router forgets every connection mid-job, while new ones can be made: no lease is lost by that."""
    crew = proxied.start(worker=WORKER)
    proxied.start(worker=WORKER, name='other')
    job = queue.enqueue(jobs_c.long_in_steps, sized(7, 45))
    witness.wait('begin', job.id)
    proxy.black_hole()
    proxy.heal()
    wait_until(lambda: job.get_status() == 'finished', sized(7, 45) + NOTICED, 'it finishes')
    assert witness.count('begin', job.id) == witness.count('end', job.id) == 1
    assert len(job.results()) == 1 and proxied.innocent_deaths() == []
    assert 'lost' not in crew.text() and 'no longer ours' not in crew.text()


def test_c12_dead_connections_idle(proxied: Fleet, proxy: Proxy, queue: Queue, redis: Redis, witness: Witness) -> None:
    """The same for an idle worker, whose user's own connection is dead, too, when chores are due over it."""
    proxied.start('--maintenance-interval', '1', worker=WORKER)
    proxy.black_hole()
    proxy.heal()
    time.sleep(1)  # now its chores are due
    job = queue.enqueue(jobs_c.quick)
    in_time(lambda: job.get_status() == 'finished', NOTICED, 'it works over new connections')
    in_time(lambda: proxied.is_up(proxied.crews[0]), RESUMED, 'it is in the books')


@pytest.mark.parametrize('busy', [False, True])
def test_c12_told_to_leave_in_a_black_hole(
    proxied: Fleet, proxy: Proxy, queue: Queue, redis: Redis, witness: Witness, busy: bool
) -> None:
    """SIGTERM while the server is out of reach: it leaves soon, and its job is found again."""
    crew = proxied.start('--shutdown-grace', '2', worker=WORKER)
    wait_until(lambda: 'Listening' in crew.text(), 5)
    job = queue.enqueue(jobs.long_at_first, retry=Retry(max=1)) if busy else None
    if job is not None:
        witness.wait('begin', job.id)
    proxy.black_hole()
    crew.signal(signal.SIGTERM)
    began = time.monotonic()
    assert crew.wait(13) == 0
    assert time.monotonic() - began < 10 + 2 * busy
    proxy.heal()
    if job is not None:
        proxied.start(worker=WORKER)
        in_time(lambda: job.get_status() == 'finished', LEASE + 15, 'another worker does it')
        assert witness.count('begin', job.id) == 2


def test_c12_black_hole_mid_job(proxied: Fleet, proxy: Proxy, queue: Queue, witness: Witness) -> None:
    """The job ends in the hole; its outcome is kept, and stored once when there is a way again."""
    crew = proxied.start(worker='Default')  # the only lease is that of this worker, and it outlasts the hole
    job = queue.enqueue(jobs.long, 2, on_success=jobs_c.succeeded)
    witness.wait('begin', job.id)
    proxy.black_hole()
    witness.wait('end', job.id)
    time.sleep(sized(4, 20))
    assert job.get_status() == 'started'
    proxy.heal()
    in_time(lambda: job.get_status() == 'finished', RESUMED, 'the outcome is stored')
    assert witness.count('begin') == witness.count('end') == witness.count('told success') == 1
    assert len(job.results()) == 1 and 'Traceback' not in crew.text()


def test_c12_command_channel_alone(proxied: Fleet, proxy: Proxy, queue: Queue, redis: Redis, witness: Witness) -> None:
    """The subscription is half-open, nothing else: a stop command works again soon."""
    proxied.start(worker=WORKER)
    job = queue.enqueue(jobs.long, 90)
    witness.wait('begin', job.id)
    assert proxy.black_hole(only=keys.channel('w1').encode()) == 1
    send_stop_job_command(redis, job.id)
    in_time(stopping(redis, job), NOTICED, 'the stop command is heard again')
    assert witness.count('begin') == 1


def test_c12_everything_slow(proxied: Fleet, proxy: Proxy, queue: Queue, witness: Witness) -> None:
    """A quarter of a second each way is no fault."""
    proxied.start(worker=WORKER)
    first = queue.enqueue(jobs_c.quick)
    wait_until(lambda: first.get_status() == 'finished', 10, 'the worker has arrived')
    proxy.slow(0.25)
    some = [queue.enqueue(jobs_c.quick) for _ in range(3)]
    long = queue.enqueue(jobs.long, LEASE + 1)
    wait_until(lambda: all(one.get_status() == 'finished' for one in (*some, long)), LEASE + 15, 'all finish')
    assert set(witness.counts('begin').values()) == {1}


# --- C14: one reply lost ------------------------------------------------------------------------------------------


@pytest.mark.parametrize('how', ['cut', 'hole'])
@pytest.mark.parametrize('verb', ['claim', 'begin', 'finish'])
def test_c14_reply_lost(
    proxied: Fleet, proxy: Proxy, queue: Queue, redis: Redis, witness: Witness, verb: str, how: str
) -> None:
    """Claimed once, run once, counted once; dependents and callbacks once."""
    crew = proxied.start(worker=WORKER)
    rule = proxy.drop_reply(sha(verb), how)
    first = queue.enqueue(jobs_c.quick, on_success=jobs_c.succeeded, job_id='first')
    after = [queue.enqueue(jobs_c.quick, depends_on=first, on_success=jobs_c.succeeded) for _ in range(2)]
    rule.wait()
    wait_until(lambda: all(one.get_status() == 'finished' for one in (first, *after)), 15, 'all finish')
    assert set(witness.counts('begin').values()) == set(witness.counts('told success').values()) == {1}
    assert [len(one.results()) for one in (first, *after)] == [1, 1, 1]
    assert redis.hget(keys.worker(crew.name), 'successful_job_count') == b'3'
    assert settled(redis)() and rule.hits == 1


@pytest.mark.parametrize('verb', ['note', 'retry', 'fail'])
def test_c14_reply_of_a_failure_lost(
    proxied: Fleet, proxy: Proxy, queue: Queue, redis: Redis, witness: Witness, verb: str
) -> None:
    """Two attempts, each told once and counted once; listed once between them."""
    crew = proxied.start(worker=WORKER)
    rule = proxy.drop_reply(sha(verb))
    job = queue.enqueue(jobs.raises, retry=Retry(max=1), on_failure=jobs_c.failed)
    rule.wait()
    wait_until(lambda: job.get_status() == 'failed', 15, 'it has failed for good')
    assert witness.count('begin') == witness.count('told failure') == 2
    assert redis.hget(keys.worker(crew.name), 'failed_job_count') == b'2'
    assert settled(redis)() and redis.zrange(keys.place('failed', 'q'), 0, -1) == [job.id.encode()]


@pytest.mark.parametrize('verb', ['enqueue_plain', 'enqueue', 'defer', 'schedule'])
def test_c14_reply_of_an_enqueue_lost(
    fleet: Fleet, proxy: Proxy, queue: Queue, redis: Redis, witness: Witness, verb: str
) -> None:
    """redis-py asks again by itself: listed once, run once."""
    with Redis(port=proxy.port) as client:
        far = Queue('q', connection=client)
        parent = queue.enqueue(jobs_c.quick)
        rule = proxy.drop_reply(sha(verb))
        if verb == 'enqueue_plain':
            job = far.enqueue(jobs_c.quick)
        elif verb == 'enqueue':
            job = far.enqueue(jobs_c.quick, job_id='given')
        elif verb == 'defer':
            job = far.enqueue(jobs_c.quick, depends_on=parent)
        else:
            job = far.enqueue_in(timedelta(seconds=1), jobs_c.quick)
        assert rule.hits == 1
        assert redis.lrange(keys.queue('q'), 0, -1).count(job.id.encode()) == int('enqueue' in verb)
    fleet.start(worker=WORKER)
    wait_until(lambda: parent.get_status() == job.get_status() == 'finished', 10, 'both finish')
    assert witness.counts('begin') == {parent.id: 1, job.id: 1}


def test_c14_many_enqueued_reply_lost(fleet: Fleet, proxy: Proxy, redis: Redis, witness: Witness) -> None:
    """A whole batch whose reply is lost, by a client that repeats nothing: who asks again does not double it."""
    with Redis(port=proxy.port) as client:
        far = Queue('q', connection=client)
        datas = [Queue.prepare_data(jobs_c.quick, job_id=f'many-{n}') for n in range(20)]
        rule = proxy.drop_reply(sha('enqueue'), skip=10)
        try:
            far.enqueue_many(datas)
        except OSError:
            pass
        except Exception as error:
            assert type(error).__name__ == 'ConnectionError'
            far.enqueue_many(datas)
        assert rule.hits == 1
    fleet.start(worker=WORKER)
    wait_until(settled(redis), 15, 'all is settled')
    assert set(witness.counts('begin').values()) == {1} and len(witness.counts('begin')) == 20
