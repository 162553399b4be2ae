"""Group C, the server away: killed and restarted, away for long, loading, frozen, failed over. Jobs run once."""

import signal
import time
from collections.abc import Callable
from typing import Any

import pytest
from redis.exceptions import RedisError

from rq import Queue, Retry
from rq.job import Job
from rq.store import keys
from tests.crash import jobs, jobs_c
from tests.crash.driver import Fleet, Witness
from tests.crash.servers import Mortal, Pair
from tests.crash.sizes import FULL, LEASE, WORKER, sized
from tests.waiting import wait_until

pytestmark = pytest.mark.crash

RESUMED = 5.0
FAILED_OVER = 30.0


def in_time(condition: Callable[[], Any], bound: float, what: str) -> None:
    """It becomes true within the bound, which is asserted on the time observed."""
    began = time.monotonic()
    wait_until(condition, bound + 1, what)
    assert time.monotonic() - began < bound, what


def finished(*some: Job) -> Callable[[], bool]:
    """Whether all of them are; a server that does not say so now is asked again."""

    def asked() -> bool:
        try:
            return all(one.get_status() == 'finished' for one in some)
        except RedisError:
            return False

    return asked


def ran_once(witness: Witness, *some: Job) -> None:
    """Each of them began once, ended once, and left one result."""
    ids = {one.id for one in some}
    assert {who: n for who, n in witness.counts('begin').items() if who in ids} == dict.fromkeys(ids, 1)
    assert {who: n for who, n in witness.counts('end').items() if who in ids} == dict.fromkeys(ids, 1)
    assert [len(one.results()) for one in some] == [1] * len(some)


# --- C2, C3, C5: away, and back -----------------------------------------------------------------------------------


def test_c2_killed_and_restarted(mortal: Mortal, far_fleet: Fleet, witness: Witness) -> None:
    """Five seconds mid-job, the server killed without a word: jobs that end meanwhile and later ones run once."""
    queue = Queue('q', connection=mortal.start().client())
    far_fleet.start_some(2)
    ending, lasting = queue.enqueue(jobs.long, 2), queue.enqueue(jobs.long, 7)
    witness.wait('begin', times=2)
    mortal.kill()
    witness.wait('end', ending.id)
    time.sleep(3)
    mortal.start()
    in_time(finished(ending), RESUMED, 'the outcome is stored')
    idle = queue.enqueue(jobs.work, 1)
    in_time(finished(idle), RESUMED, 'new work is done')
    wait_until(finished(lasting), 10)
    ran_once(witness, ending, lasting, idle)
    assert far_fleet.innocent_deaths() == []


def test_c2_what_was_accepted_is_there_again(mortal: Mortal, far_fleet: Fleet, witness: Witness) -> None:
    """Killed while jobs are enqueued, with the usual `appendfsync everysec`: at most the last second may be missing."""
    mortal.options = ('--appendfsync', 'everysec')
    queue = Queue('q', connection=mortal.start().client())
    far_fleet.start()
    accepted: list[tuple[float, Job]] = []
    until = time.monotonic() + 2
    while time.monotonic() < until:
        accepted.append((time.monotonic(), queue.enqueue(jobs_c.quick)))
        time.sleep(0.01)
    killed_at = time.monotonic()
    mortal.restart()
    old = [job for at, job in accepted if at < killed_at - 1]
    wait_until(lambda: queue.count == 0 and not mortal.client().zcard(keys.wip('q')), 30, 'all is settled')
    assert [job.id for job in old if job.get_status() != 'finished'] == []
    extra = [who for who, times in witness.counts('begin').items() if times > 1]
    assert len(extra) <= 1  # of what the server forgot that it had given


@pytest.mark.parametrize('seconds', [45.0, 120.0] if FULL else [LEASE + 2])
def test_c3_long_outage_mid_job(mortal: Mortal, far_fleet: Fleet, witness: Witness, seconds: float) -> None:
    """Longer than a lease, with jobs that end in it and behind it. Nobody takes a living worker for dead."""
    queue = Queue('q', connection=mortal.start().client())
    crews = far_fleet.start_some(3, worker=WORKER)
    ending = queue.enqueue(jobs.long, 2, on_success=jobs_c.succeeded, job_timeout=600)
    lasting = [queue.enqueue(jobs.long, seconds + 6, job_timeout=600) for _ in range(2)]
    witness.wait('begin', times=3)
    mortal.kill()
    time.sleep(seconds)
    assert witness.count('end', ending.id) == 1
    mortal.start()
    in_time(finished(ending), RESUMED, 'the outcome is stored')
    far_fleet.start(worker=WORKER)  # who comes now knows nothing of the outage
    wait_until(finished(*lasting), 20)
    ran_once(witness, ending, *lasting)
    assert witness.count('told success', ending.id) == 1
    assert far_fleet.innocent_deaths() == []
    assert not any('vanished while' in crew.text() or 'no longer ours' in crew.text() for crew in far_fleet.crews)
    assert all('Traceback' not in crew.text() for crew in crews)


def heard(witness: Witness) -> list[str]:
    """What callbacks and handlers were told."""
    return [line.event for line in witness.lines() if line.event.startswith('told')]


def test_c3_failure_in_a_long_outage(mortal: Mortal, far_fleet: Fleet, witness: Witness) -> None:
    """Longer than a lease: whose the job is nobody knows until the server is back. Then handlers are told, once."""
    queue = Queue('q', connection=mortal.start().client())
    crew = far_fleet.start('--exception-handler', 'tests.crash.jobs.told', worker=WORKER)
    job = queue.enqueue(jobs_c.fails_after, LEASE + 1, on_failure=jobs_c.failed, job_timeout=600, retry=Retry(max=1))
    witness.wait('begin', job.id)
    mortal.kill()
    time.sleep(LEASE + 3)
    assert heard(witness) == []
    mortal.start()
    in_time(lambda: len(heard(witness)) == 2, RESUMED + 2, 'callback and handler are told')
    in_time(finished(job), RESUMED, 'it is tried again')
    assert heard(witness) == ['told failure', 'told JobFailedError']  # the exception itself went with its process
    assert witness.count('begin', job.id) == len(job.attempts) + 1 == 2 and len(job.results()) == 1
    assert crew.text().count('is tried again') == 1 and far_fleet.innocent_deaths() == []


def test_c3_newcomer_after_an_outage(mortal: Mortal, far_fleet: Fleet, witness: Witness) -> None:
    """A worker that starts when the server is back gives the old one time to renew."""
    queue = Queue('q', connection=mortal.start().client())
    old = far_fleet.start(worker=WORKER)
    job = queue.enqueue(jobs.long, LEASE + 4, job_timeout=600)
    witness.wait('begin', job.id)
    mortal.kill()
    time.sleep(LEASE + 0.5)
    mortal.start()
    far_fleet.start(worker=WORKER)
    wait_until(finished(job), 15)
    result = job.latest_result()
    assert result is not None and result.worker_name == old.name
    ran_once(witness, job)


def test_c5_long_outage_idle(mortal: Mortal, far_fleet: Fleet, witness: Witness) -> None:
    """However long it was: the pause between two tries has an end."""
    queue = Queue('q', connection=mortal.start().client())
    crew = far_fleet.start(worker=WORKER)
    wait_until(lambda: 'Listening' in crew.text(), 5)
    mortal.kill()
    time.sleep(sized(7, 600))
    mortal.start()
    job = queue.enqueue(jobs.work, 1)
    in_time(finished(job), RESUMED, 'it works again')
    assert crew.text().count('waiting, and trying again') <= sized(1, 12)  # a line a minute
    ran_once(witness, job)


# --- C6: not there yet --------------------------------------------------------------------------------------------


def test_c6_away_at_start(mortal: Mortal, far_fleet: Fleet, witness: Witness) -> None:
    """The worker waits for its server, and says so in a line."""
    early = far_fleet.start(wait=False)
    wait_until(lambda: 'waiting' in early.text(), 10, 'it says that it waits')
    time.sleep(1)
    assert early.process.poll() is None and 'Traceback' not in early.text()
    mortal.start()
    job = Queue('q', connection=mortal.client()).enqueue(jobs.work, 1)
    in_time(finished(job), RESUMED, 'it works')
    assert early.text().count('waiting') == 1


@pytest.mark.parametrize('before', [False, True])
def test_c6_loading(mortal: Mortal, far_fleet: Fleet, witness: Witness, before: bool) -> None:
    """The server reads its data for some seconds: a worker that starts then waits, and so does one from before."""
    mortal.options = ('--key-load-delay', '400', '--loading-process-events-interval-bytes', '1024')
    queue = Queue('q', connection=mortal.start().client())
    if before:
        far_fleet.start(worker=WORKER)
    with mortal.client() as client, client.pipeline(transaction=False) as pipeline:
        for number in range(int(sized(10_000, 15_000))):
            pipeline.set(f'ballast:{number}', 'x')
        pipeline.execute()
    mortal.kill()
    mortal.start(wait=False)
    crew = far_fleet.crews[0] if before else far_fleet.start(worker=WORKER, wait=False)
    wait_until(mortal.is_loading, 10, 'it loads')
    if before:
        wait_until(lambda: 'waiting, and trying again' in crew.text(), 15, 'it says that it waits')
    wait_until(mortal.answers, 30, 'it has loaded')
    job = queue.enqueue(jobs.work, 1)
    in_time(finished(job), RESUMED, 'it works')
    assert far_fleet.innocent_deaths() == [] and 'Traceback' not in crew.text()


def test_c6_told_to_leave_before_the_server_came(mortal: Mortal, far_fleet: Fleet) -> None:
    """Ctrl-C works at once."""
    early = far_fleet.start(wait=False)
    wait_until(lambda: 'waiting' in early.text(), 10)
    early.signal(signal.SIGINT)
    assert early.wait(5) == 0
    assert 'Traceback' not in early.text()


def test_c6_told_to_leave_after_the_server_went(mortal: Mortal, far_fleet: Fleet) -> None:
    """Idle, and nobody to say goodbye to."""
    mortal.start()
    crew = far_fleet.start()
    wait_until(lambda: 'Listening' in crew.text(), 5)
    mortal.kill()
    wait_until(lambda: 'waiting' in crew.text(), 10)
    crew.signal(signal.SIGTERM)
    assert crew.wait(10) == 0
    assert 'Traceback' not in crew.text()


# --- C10: failover ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('how', ['killed', 'frozen'])
def test_c10_failover(pair: Pair, watched: Fleet, witness: Witness, how: str) -> None:
    """The primary goes; a job runs over it all, one ends in it, others wait. A frozen one comes back as a replica."""
    queue = Queue('q', connection=pair.start().client(socket_timeout=2))
    crews = watched.start_some(3, worker=WORKER)
    lasting = queue.enqueue(jobs.long, sized(7, 45), retry=Retry(max=2), job_timeout=600)
    ending = queue.enqueue(jobs.long, 1, retry=Retry(max=2))
    third = queue.enqueue(jobs.long, sized(7, 45), job_timeout=600)
    witness.wait('begin', times=3)
    waiting = [queue.enqueue(jobs_c.quick) for _ in range(20)]
    wait_until(pair.in_step, 5, 'the replica knows all of it')
    pair.first.kill() if how == 'killed' else pair.first.freeze()
    gone_at = time.monotonic()
    wait_until(pair.failed_over, FAILED_OVER, 'the second is the primary')
    wait_until(finished(ending, *waiting), FAILED_OVER, 'work goes on')
    assert time.monotonic() - gone_at < FAILED_OVER
    pair.first.start() if how == 'killed' else pair.first.thaw()
    wait_until(finished(lasting, third), sized(20, 60))
    ran_once(witness, lasting, third, ending, *waiting)
    for crew in crews:
        wait_until(lambda crew=crew: watched.is_up(crew), RESUMED, 'the books of the new primary know the worker')
    for crew in crews:
        crew.signal(signal.SIGTERM)
    assert [crew.wait(10) for crew in crews] == [0, 0, 0]
    assert all('Traceback' not in crew.text() and 'no longer ours' not in crew.text() for crew in crews)


# --- C11: blocked and frozen --------------------------------------------------------------------------------------


@pytest.mark.parametrize('how', ['sleep', 'pause'])
def test_c11_blocked(mortal: Mortal, far_fleet: Fleet, witness: Witness, how: str) -> None:
    """Shorter than a lease: nothing is lost, however many look for expired leases."""
    seconds = sized(1.3, 10)
    mortal.options = ('--enable-debug-command', 'yes')
    queue = Queue('q', connection=mortal.start().client())
    far_fleet.start_some(2, worker=WORKER)
    lasting, ending = queue.enqueue(jobs.long, seconds + 2), queue.enqueue(jobs.long, 1)
    witness.wait('begin', times=2)
    with mortal.client(socket_timeout=60) as client:
        if how == 'sleep':
            client.execute_command('DEBUG', 'SLEEP', str(seconds))
        else:
            client.execute_command('CLIENT', 'PAUSE', str(int(seconds * 1000)), 'ALL')
            time.sleep(seconds)
    in_time(finished(ending), RESUMED, 'the outcome is stored')
    wait_until(finished(lasting), 15)
    ran_once(witness, lasting, ending)


def test_c11_frozen_for_longer_than_a_lease(mortal: Mortal, far_fleet: Fleet, witness: Witness) -> None:
    """Its clock goes on, so every lease has run out at the thaw, before any owner was heard. Nobody takes a job."""
    queue = Queue('q', connection=mortal.start().client())
    old = far_fleet.start_some(2, worker=WORKER)
    lasting = [queue.enqueue(jobs.long, 2 * LEASE + 6, job_timeout=600) for _ in range(2)]
    witness.wait('begin', times=2)
    mortal.freeze()
    time.sleep(LEASE + 1)
    newcomer = far_fleet.start(worker=WORKER, wait=False)
    time.sleep(1.5)
    mortal.thaw()
    in_time(lambda: far_fleet.is_up(newcomer), RESUMED, 'the newcomer is there')
    more = queue.enqueue(jobs_c.quick)
    in_time(finished(more), RESUMED, 'it works')
    wait_until(finished(*lasting), 2 * LEASE + 15)
    ran_once(witness, *lasting, more)
    assert {one.worker_name for job in lasting for one in job.results()} == {crew.name for crew in old}
    assert far_fleet.innocent_deaths() == []


@pytest.mark.parametrize('busy', [False, True])
def test_c11_told_to_leave_while_frozen(mortal: Mortal, far_fleet: Fleet, witness: Witness, busy: bool) -> None:
    """SIGTERM while the server does not answer: it leaves soon. The job it had is done by somebody else later."""
    queue = Queue('q', connection=mortal.start().client())
    crew = far_fleet.start('--shutdown-grace', '2', worker=WORKER)
    wait_until(lambda: 'Listening' in crew.text(), 5)
    job = queue.enqueue(jobs.long_at_first, retry=Retry(max=1)) if busy else None
    if job is not None:
        witness.wait('begin', job.id)
    mortal.freeze()
    crew.signal(signal.SIGTERM)
    began = time.monotonic()
    assert crew.wait(13) == 0
    assert time.monotonic() - began < 10 + 2 * busy
    mortal.thaw()
    if job is not None:
        far_fleet.start(worker=WORKER)
        in_time(finished(job), LEASE + 15, 'another worker does it')
        assert witness.count('begin', job.id) == 2


def test_c11_thawed_while_a_worker_really_is_dead(mortal: Mortal, far_fleet: Fleet, witness: Witness) -> None:
    """The patience after a thaw has an end: who died meanwhile is noticed."""
    queue = Queue('q', connection=mortal.start().client())
    victim = far_fleet.start(worker=WORKER)
    job = queue.enqueue(jobs.long_at_first, retry=Retry(max=1))
    witness.wait('begin', job.id)
    far_fleet.start(worker=WORKER)
    mortal.freeze()
    time.sleep(LEASE + 1)
    victim.kill()
    mortal.thaw()
    in_time(finished(job), sized(2 * LEASE + 5, 45), 'the job of the dead worker is done')
    assert witness.count('begin', job.id) == 2
