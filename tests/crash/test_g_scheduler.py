"""Group G, the scheduler and retries: whoever promotes dies, freezes or is flooded; and the server's clock jumps."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from rq import Queue, Retry
from rq.store import keys
from rq.suspension import resume, suspend
from rq.utils import now, str_to_date
from tests.crash import jobs
from tests.crash.driver import ROOT, Fleet, Witness, tree_of
from tests.crash.faketime import Clock
from tests.crash.servers import Mortal
from tests.crash.sizes import LEASE, WORKER, sized
from tests.invariants import check
from tests.waiting import wait_until

pytestmark = pytest.mark.crash

CONFIG = """
from rq import cron
from tests.crash.jobs import work
cron.register(work, 'q', args=(1,), cron='{cron}', name='regular')
"""


def due_at_once(redis: Redis, queue: Queue, number: int) -> None:
    """So many jobs whose time has come, in few writes."""
    fields = redis.hgetall(queue.enqueue(jobs.work, 1, job_id='pattern').key)
    pipeline = redis.pipeline(transaction=False)
    for n in range(number):
        pipeline.hset(keys.job(f'due{n}'), mapping={**fields, b'status': b'scheduled'})
        pipeline.zadd(keys.place('scheduled', 'q'), {f'due{n}': 1})
    pipeline.execute()


def forget(redis: Redis, number: int) -> None:
    """They have shown what they were for."""
    redis.delete(keys.queue('q'), keys.job('pattern'), *(keys.job(f'due{n}') for n in range(number)))


# `time.sleep`, which the main thread sleeps by, does not work under libfaketime
IN_THREAD = """
import sys, threading
from redis import Redis
from rq.cron import CronScheduler
scheduler = CronScheduler(Redis.from_url(sys.argv[2]))
scheduler.load_config_from_file(sys.argv[1])
threading.Thread(target=scheduler.start).start()
"""


@pytest.fixture
def cron(tmp_path: Path, witness: Witness) -> Iterator[Any]:
    """cron(url, line): a cron scheduler in a process of its own."""
    started: list[subprocess.Popen[bytes]] = []

    def start(url: str, line: str, in_thread: bool = False, **more: str) -> subprocess.Popen[bytes]:
        config = tmp_path / 'config.py'
        config.write_text(CONFIG.format(cron=line))
        environment = {**os.environ, 'PYTHONPATH': str(ROOT), 'RQ_WITNESS': str(witness.path), **more}
        command = [sys.executable, '-m', 'rq.cli', 'cron', str(config), '--url', url]
        if in_thread:
            command = [sys.executable, '-c', IN_THREAD, str(config), url]
        with (tmp_path / f'cron{len(started)}.log').open('wb') as log:
            started.append(subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.usefixtures('beside')
def test_g2_scheduling_process_killed(fleet: Fleet, queue: Queue, redis: Redis, witness: Witness) -> None:
    """Its lock is held on; the worker itself, or any other, queues what is due."""
    crew = fleet.start('--with-scheduler', worker=WORKER)
    lock = keys.scheduler_lock('q')
    wait_until(lambda: redis.get(lock), 10, 'the scheduler has its lock')
    held = redis.get(lock)
    children = [pid for pid in tree_of(crew.pid) if str(pid).encode() in held] or tree_of(crew.pid)[:1]
    crew.signal_one(children[0], signal.SIGKILL)
    job = queue.enqueue_in(timedelta(seconds=1), jobs.work, 1)
    began = time.monotonic()
    wait_until(lambda: job.get_status() == 'finished', 11)
    assert time.monotonic() - began < 11 and witness.count('begin', job.id) == 1


@pytest.mark.usefixtures('beside')
def test_g2_lock_of_a_dead_foreign_scheduler(fleet: Fleet, queue: Queue, redis: Redis) -> None:
    """An RQ 3.0 scheduler refreshes its lock each second, to a minute ahead. Here it has just died."""
    redis.set(keys.scheduler_lock('q'), 'gone.4711', ex=61)
    fleet.start(worker=WORKER)
    job = queue.enqueue_in(timedelta(seconds=0), jobs.work, 1)
    began = time.monotonic()
    wait_until(lambda: job.get_status() == 'finished', 12)
    assert time.monotonic() - began < 10


@pytest.mark.usefixtures('beside')
def test_g3_host_of_the_schedule_dies(fleet: Fleet, queue: Queue, redis: Redis, witness: Witness) -> None:
    """With everything on it; a peer without any scheduler goes on."""
    host = fleet.start('--with-scheduler', worker=WORKER, wait=False)
    fleet.start(worker=WORKER)
    fleet.wait_for(host)
    wait_until(lambda: redis.get(keys.scheduler_lock('q')), 10)
    due = [queue.enqueue_in(timedelta(seconds=2), jobs.work, 1) for _ in range(10)]
    host.kill()
    began = time.monotonic()
    wait_until(lambda: all(job.get_status() == 'finished' for job in due), 45)
    assert time.monotonic() - began < 45
    assert set(witness.counts('begin').values()) == {1}


@pytest.mark.usefixtures('beside')
def test_g4_two_promote_and_one_freezes(fleet: Fleet, queue: Queue, witness: Witness) -> None:
    """In the midst of batches, past its lease, then thawed: each due job is queued once."""
    crews = fleet.start_some(2, worker=WORKER)
    many = [queue.enqueue_in(timedelta(seconds=1 + n % 6), jobs.work, 1) for n in range(int(sized(150, 600)))]
    for number in range(4):
        crew = crews[number % 2]
        crew.signal(signal.SIGSTOP)
        time.sleep(LEASE / 2 + 0.3)
        crew.signal(signal.SIGCONT)
        time.sleep(0.2)
    wait_until(lambda: all(job.get_status() == 'finished' for job in many), 2 * LEASE + 20)
    begins = witness.counts('begin')
    assert {begins[job.id] for job in many} == {1}


def test_g4_frozen_in_the_middle_of_a_batch(fleet: Fleet, queue: Queue, redis: Redis) -> None:
    """One of two that promote stands still past every lease, having moved a part; each job is listed once."""
    crews = fleet.start_some(2, worker=WORKER)
    suspend(redis)  # nobody takes away what is to be counted
    number = 5000
    due_at_once(redis, queue, number)
    wait_until(lambda: redis.llen(keys.queue('q')) > 1, 10, 'a part of them is queued')
    crews[0].signal(signal.SIGSTOP)
    frozen_at = time.monotonic()
    wait_until(lambda: redis.zcard(keys.place('scheduled', 'q')) == 0, 20, 'the other one queues the rest')
    wait_until(lambda: time.monotonic() - frozen_at > LEASE + 0.5, LEASE + 2)
    crews[0].signal(signal.SIGCONT)
    beat = keys.worker(crews[0].name), 'last_heartbeat'
    before = redis.hget(*beat)
    wait_until(lambda: redis.hget(*beat) != before, 10, 'it goes on')
    listed = Counter(queue.job_ids)
    assert {listed[f'due{n}'] for n in range(number)} == {1}
    forget(redis, number)
    resume(redis)
    assert fleet.innocent_deaths() == []


@pytest.mark.usefixtures('beside')
def test_g4_cron_fires_once(fleet: Fleet, redis: Redis, witness: Witness, cron: Any) -> None:
    """Two cron schedulers, one of them frozen and thawed again and again."""
    fleet.start(worker=WORKER)
    pair = [cron(fleet.url, '* * * * * */1') for _ in range(2)]
    witness.wait('begin', times=2)
    for number in range(3):
        pair[number % 2].send_signal(signal.SIGSTOP)
        time.sleep(1.7)
        pair[number % 2].send_signal(signal.SIGCONT)
        time.sleep(0.5)
    scores = [score for _, score in redis.zrange('rq:cron_job:regular:jobs', 0, -1, withscores=True)]
    seconds = sorted(int(score) for score in scores)
    assert len(seconds) >= 5 and len(set(seconds)) == len(seconds)


@pytest.mark.usefixtures('beside')
def test_g5_killed_around_a_retry(fleet: Fleet, queue: Queue, witness: Witness) -> None:
    """At any moment around a failure that is to be retried later: no job is ever in no place."""
    many = [queue.enqueue(jobs.raises, retry=Retry(max=2, interval=1)) for _ in range(int(sized(40, 200)))]
    crews = fleet.start_some(2, worker=WORKER)
    for number in range(int(sized(6, 30))):
        time.sleep(0.11 * (1 + number % 4))
        crew = crews.pop(0)
        crew.kill()
        crews.append(fleet.start(worker=WORKER, wait=False))
    wait_until(lambda: all(job.get_status() == 'failed' for job in many), 4 * LEASE + 30)
    begins = witness.counts('begin')
    assert all(begins[job.id] <= 4 and len(job.results()) == 1 for job in many)


@pytest.mark.usefixtures('beside')
def test_g5_half_written_by_another(fleet: Fleet, queue: Queue, redis: Redis, witness: Witness) -> None:
    """RQ 3.0 died when it had said `scheduled`, and before it gave the job its time: it is recovered, and runs."""
    job = queue.enqueue(jobs.work, 1, retry=Retry(max=1))
    redis.lrem(keys.queue('q'), 1, job.id)
    redis.hset(job.key, mapping={'status': 'scheduled', 'worker_name': 'of another'})
    redis.zadd(keys.wip('q'), {f'{job.id}:{"0" * 32}': redis.time()[0] - 5})
    fleet.start(worker=WORKER)
    wait_until(lambda: job.get_status() == 'finished', 45)
    assert witness.count('begin', job.id) == 1


@pytest.mark.usefixtures('beside')
def test_g6_many_due_at_once(fleet: Fleet, queue: Queue, redis: Redis, witness: Witness) -> None:
    """All of them are queued within a minute; the worker that is at it renews and beats on time."""
    number = int(sized(10_000, 50_000))
    crew = fleet.start(worker=WORKER)
    long = queue.enqueue(jobs.long, sized(6, 70))
    witness.wait('begin', long.id)
    due_at_once(redis, queue, number)
    began, worst = time.monotonic(), 0.0

    def all_queued() -> bool:
        nonlocal worst
        beat = str_to_date(redis.hget(keys.worker(crew.name), 'last_heartbeat'))
        worst = max(worst, (now() - beat).total_seconds())
        assert not redis.zcount(keys.leases('q'), 0, int(time.time() * 1000))
        return redis.zcard(keys.place('scheduled', 'q')) == 0

    wait_until(all_queued, 60, 'everything due is queued')
    print(f'{number} due jobs queued in {time.monotonic() - began:.1f} s; the oldest beat was {worst:.1f} s')
    assert redis.llen(keys.queue('q')) == number + 1
    assert worst < sized(2, 10)
    suspend(redis)  # they have shown what they were for
    wait_until(lambda: long.get_status() == 'finished', sized(12, 80))
    assert witness.count('begin', long.id) == 1
    forget(redis, number)
    resume(redis)


@pytest.fixture
def skewed(tmp_path: Path, witness: Witness, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Clock, Mortal, Fleet]]:
    """A server with a clock of its own, and its fleet, whose clocks are true."""
    clock = Clock(tmp_path)
    server = Mortal(tmp_path / 'server', port=True)
    with monkeypatch.context() as words:
        for name, value in clock.environment.items():
            words.setenv(name, value)
        server.start()
    fleet = Fleet(server.url, server.client(), tmp_path, witness)
    violations = []
    try:
        yield clock, server, fleet
        violations = check(server.client())
    finally:
        left = fleet.close()
        print(fleet.logs())
        server.close()
    assert left == [] and violations == []


@pytest.mark.parametrize('jump', ['+3600', '-3600'])
def test_g7_the_servers_clock_jumps(skewed: tuple[Clock, Mortal, Fleet], witness: Witness, jump: str) -> None:
    """Every lease seems to have run out, or seems to last for an hour more: no living job is taken, a dead one is."""
    clock, server, fleet = skewed
    redis = server.client()
    queue = Queue('q', connection=redis)
    crews = fleet.start_some(3, worker=WORKER)
    living = [queue.enqueue(jobs.long, LEASE + 3) for _ in range(2)]
    witness.wait('begin', times=2)
    clock.set(jump)
    fleet.start(worker=WORKER)  # a newcomer looks around at once
    wait_until(lambda: all(job.get_status() == 'finished' for job in living), 2 * LEASE + 15)
    assert set(witness.counts('begin').values()) == {1}
    lost = queue.enqueue(jobs.long, 300)
    line = witness.wait('begin', lost.id)
    victim = next(crew for crew in fleet.crews if line.pid in tree_of(crew.pid))
    victim.kill()
    wait_until(lambda: lost.get_status() == 'failed', 3 * LEASE + 15, 'the job of a dead worker is seen to')
    assert crews


@pytest.mark.parametrize('jump', ['+3600', '-3600'])
def test_g7_cron_when_the_clock_jumps(
    skewed: tuple[Clock, Mortal, Fleet], witness: Witness, cron: Any, jump: str
) -> None:
    """An hour forward is not caught up with, an hour back repeats nothing: each firing happens once."""
    clock, server, fleet = skewed
    redis = server.client()

    fleet.start(worker=WORKER)
    cron(server.url, '* * * * * */1')
    witness.wait('begin', times=2, timeout=20)
    fired, began = witness.count('begin'), time.monotonic()
    clock.set(jump)
    witness.wait('begin', times=fired + 2, timeout=15)
    clock.set('+0')
    witness.wait('begin', times=fired + 4, timeout=15)
    assert witness.count('begin') - fired <= time.monotonic() - began + 2
    moments = [line.at for line in witness.lines('begin')]
    assert min(later - earlier for earlier, later in zip(moments, moments[1:], strict=False)) > 0.3
    assert redis.zcard('rq:cron_job:regular:jobs') - witness.count('begin') <= 1
    assert fleet.innocent_deaths() == []


@pytest.mark.parametrize('offset', ['+90', '-90'])
def test_g7_cron_goes_by_the_servers_clock(
    fleet: Fleet, redis: Redis, witness: Witness, cron: Any, tmp_path: Path, offset: str
) -> None:
    """The clock of its own host is wrong by a minute and a half; the job comes at its second all the same, once."""
    fleet.start(worker=WORKER)
    second = (redis.time()[0] + 6) % 60
    process = cron(fleet.url, f'* * * * * {second}', in_thread=True, **Clock(tmp_path, offset).environment)
    line = witness.wait('begin', timeout=10)
    assert (line.at - second) % 60 < 2
    assert process.poll() is None and witness.count('begin') == redis.zcard('rq:cron_job:regular:jobs') == 1


@pytest.mark.parametrize(
    ('moment', 'line', 'goes_on'),
    [
        (datetime(2026, 10, 25, 0, 59, 55, tzinfo=UTC), 'CRON_TZ=Europe/Rome * 2 * * * */1', False),
        (datetime(2026, 3, 29, 0, 59, 55, tzinfo=UTC), 'CRON_TZ=Europe/Rome * 1,3 * * * */1', True),
    ],
    ids=['back', 'forward'],
)
def test_g7_daylight_saving(
    skewed: tuple[Clock, Mortal, Fleet], witness: Witness, cron: Any, moment: datetime, line: str, goes_on: bool
) -> None:
    """While the clock changes: an hour that comes twice counts once, one that is skipped is not caught up with."""
    clock, server, fleet = skewed
    redis = server.client()
    fleet.start(worker=WORKER)
    clock.set(f'{moment.timestamp() - time.time():+.3f}')
    cron(server.url, line)
    witness.wait('begin', times=2)
    wait_until(lambda: redis.time()[0] >= moment.timestamp() + 7, 15, 'the clock was changed')
    history = redis.zrange('rq:cron_job:regular:jobs', 0, -1, withscores=True)
    began = len(history)
    assert 2 <= began <= 5 + (5 if goes_on else 1)
    if goes_on:
        witness.wait('begin', times=began + 1, timeout=3)
    else:
        assert witness.count('begin') <= 6


def test_g7_lost_as_the_clock_goes_back(skewed: tuple[Clock, Mortal, Fleet], witness: Witness) -> None:
    """A worker dies just before: its lease, by now an hour long, is cut down to its length."""
    clock, server, fleet = skewed
    queue = Queue('q', connection=server.client())
    crew = fleet.start(worker=WORKER)
    job = queue.enqueue(jobs.long, 300)
    witness.wait('begin', job.id)
    crew.kill()
    clock.set('-3600')
    began = time.monotonic()
    fleet.start(worker=WORKER)
    wait_until(lambda: job.get_status() == 'failed', LEASE + 16)
    assert time.monotonic() - began < LEASE + 15
    assert witness.count('begin', job.id) == 1
