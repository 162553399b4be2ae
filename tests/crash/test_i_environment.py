"""Group 9 of the faults: what surrounds a worker fails. Descriptors, processes, streams, disks, threads."""

import os
import resource
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from redis import Redis

from rq import Queue, Retry
from rq.command import send_shutdown_command
from rq.job import Job
from rq.store import keys
from tests.crash import jobs, jobs_i
from tests.crash.driver import ROOT, Crew, Fleet, Witness, alive, tree_of
from tests.crash.sizes import FULL
from tests.crash.surroundings import (
    AS_NOBODY,
    IS_ROOT,
    apart,
    feed,
    limit,
    limit_of_processes,
    limit_processes,
    nursery_of,
    shell,
    start_in,
    starve,
    unread,
)
from tests.waiting import wait_until

pytestmark = [pytest.mark.crash, pytest.mark.usefixtures('beside')]

SIMPLE, SPAWN = 'QuickSimple', 'tests.crash.workers_i.QuickSpawn'
CANNOT = 'cannot start a work horse'


def done(some: Sequence[Job], timeout: float = 20) -> None:
    """All have finished, each after one attempt."""
    wait_until(lambda: all(job.get_status() == 'finished' for job in some), timeout, f'{len(some)} jobs finish')
    assert {len(job.results()) for job in some} == {1}


def error_of(job: Job, timeout: float = 15) -> str:
    """Why it failed, once it did."""
    wait_until(lambda: job.get_status() == 'failed', timeout, f'job {job.id} fails')
    result = job.latest_result()
    assert result is not None and len(job.results()) == 1
    return result.exc_string or ''


def goes_back(crew: Crew, queue: Queue, redis: Redis, since: float) -> None:
    """A job was taken, could not be begun, and stands in its queue again, within 5 s."""
    wait_until(lambda: CANNOT in crew.text() and queue.count and not redis.zcard(keys.wip('q')), 6, 'it goes back')
    assert time.monotonic() - since < 5
    assert alive(crew.pid)


# --- I2: nothing left to make a process of --------------------------------------------------------------------------


@pytest.mark.parametrize('who, worker', [('worker', 'Quick'), ('nursery', 'Quick'), ('worker', SPAWN)])
def test_i2_no_descriptors_left(
    fleet: Fleet, queue: Queue, redis: Redis, witness: Witness, who: str, worker: str
) -> None:
    """The job goes back uncharged; the worker says why, waits longer each time, and works when there are some again."""
    crew = start_in(fleet, worker=worker)
    done([queue.enqueue(jobs.quiet, 0)])
    hungry = crew.pid if who == 'worker' else nursery_of(crew)
    starve(hungry)
    since = time.monotonic()
    some = [queue.enqueue(jobs.work, number, retry=Retry(max=1)) for number in range(5)]  # spares do the first ones
    goes_back(crew, queue, redis, since)
    pauses = (1, 2, 4, 8, 16, 30, 30) if FULL else (1, 2)
    for pause in pauses:  # a spare horse that waited may do one more job between, and the first pause comes again
        wait_until(lambda p=pause: f' in {p} s\n' in crew.text(), 4 * pause + 25, f'a pause of {pause} s')
    said = [line for line in crew.text().splitlines() if CANNOT in line]
    assert all(os.strerror(24) in line for line in said), 'it says why'
    assert queue.count and [job.retries_left for job in map(fresh, some)] == [1] * 5
    feed(hungry)
    done(some, 2 * pauses[-1] + 15)
    assert set(witness.counts('begin').values()) == {1} and 'Traceback' not in crew.text()


def fresh(job: Job) -> Job:
    """As it is stored."""
    return Job.fetch(job.id, connection=job.connection)


def test_i2_others_can(fleet: Fleet, queue: Queue, redis: Redis, witness: Witness) -> None:
    """While one worker has none left, another takes what it gave back."""
    crew = fleet.start()
    starve(crew.pid)
    since = time.monotonic()
    some = [queue.enqueue(jobs.work, number) for number in range(5)]
    goes_back(crew, queue, redis, since)
    fleet.start()
    done(some, 10)
    assert set(witness.counts('begin').values()) == {1}


@pytest.mark.parametrize('descriptors', [8, 9])
def test_i2_too_few_to_start(fleet: Fleet, queue: Queue, redis: Redis, descriptors: int) -> None:
    """One sentence and exit code 1; nobody is left in the books."""
    command = f'ulimit -n {descriptors}; exec "$0" -m rq.cli worker odd --name few --url "$1"'
    crew = start_in(fleet, command=['bash', '-c', command, sys.executable, fleet.url], wait=False)
    assert crew.wait() == 1
    assert 'Error: this machine gives a new worker too little' in crew.text() and 'Traceback' not in crew.text()
    assert not redis.exists(keys.worker('few')) or redis.hexists(keys.worker('few'), 'death')


def test_i2_no_process_left(fleet: Fleet, queue: Queue, redis: Redis) -> None:
    """EAGAIN of fork: the same."""
    crew = start_in(fleet, before=AS_NOBODY if IS_ROOT else ())  # root has no such limit
    done([queue.enqueue(jobs.quiet, 0)])
    nursery, hard = nursery_of(crew), limit_of_processes()
    limit_processes(nursery, '1')
    since = time.monotonic()
    some = [queue.enqueue(jobs.quiet, number) for number in range(5)]
    goes_back(crew, queue, redis, since)
    assert os.strerror(11) in crew.text()
    limit_processes(nursery, hard)
    done(some)
    assert 'Traceback' not in crew.text()


@pytest.mark.parametrize('worker', ['Quick', SIMPLE])
def test_i2_no_descriptors_to_reconnect(fleet: Fleet, queue: Queue, redis: Redis, worker: str) -> None:
    """The connection is cut, and there are none for a new one: the worker waits as for a server that is away."""
    crew = start_in(fleet, worker=worker)
    done([queue.enqueue(jobs.quiet, 0)])
    limit(crew.pid, resource.RLIMIT_NOFILE, 5)  # not less: poll may not be given more than that
    for kind in ('normal', 'pubsub'):
        redis.execute_command('CLIENT', 'KILL', 'TYPE', kind, 'SKIPME', 'yes')
    wait_until(lambda: 'waiting, and trying again' in crew.text(), 5, 'it says that it waits')
    some = [queue.enqueue(jobs.quiet, number) for number in range(3)]
    assert alive(crew.pid)
    feed(crew.pid)
    fed_at = time.monotonic()
    done(some, 6)
    assert time.monotonic() - fed_at < 5
    assert 'Traceback' not in crew.text()


@pytest.mark.parametrize('worker', ['Quick', SPAWN])
def test_i2_no_descriptors_for_the_job(fleet: Fleet, queue: Queue, worker: str) -> None:
    """A job that cannot open a file fails with that; the worker does not mind."""
    start_in(fleet, worker=worker, before=shell('ulimit -n 40; exec "$@"'))
    greedy = queue.enqueue(jobs_i.opens_many)
    assert 'Too many open files' in error_of(greedy)
    done([queue.enqueue(jobs.quiet, number) for number in range(3)])


# --- I3: nobody there to read ---------------------------------------------------------------------------------------


@pytest.mark.parametrize('worker', ['Quick', SIMPLE])
@pytest.mark.parametrize('streams', [('stderr',), ('stdout', 'stderr')], ids='+'.join)
def test_i3_reader_closed(fleet: Fleet, queue: Queue, worker: str, streams: tuple[str, ...]) -> None:
    """The pipe's reader goes while it works: jobs run, failures are recorded, it leaves in order."""
    with unread() as pipe:
        crew = start_in(fleet, worker=worker, **dict.fromkeys(streams, pipe.writer))
        done([queue.enqueue(jobs_i.prints, 100)])
        pipe.close_reader()
        some = [queue.enqueue(jobs.quiet, number) for number in range(20)]
        bad = queue.enqueue(jobs.raises)
        printing = [queue.enqueue(jobs_i.prints, 100) for _ in range(5)]
        done(some)
        assert 'on purpose' in error_of(bad)
        done(printing)
        crew.signal(signal.SIGTERM)
        # What jobs printed in the worker itself stands in its stdout, and Python's own code for that being lost is 120.
        assert crew.wait() == (120 if worker == SIMPLE and 'stdout' in streams else 0)


@pytest.mark.parametrize('worker', ['Quick', SIMPLE, SPAWN])
def test_i3_started_without_streams(fleet: Fleet, queue: Queue, redis: Redis, worker: str) -> None:
    """Descriptors 0, 1 and 2 are closed at the start: no socket takes their places, programs of jobs can write."""
    crew = start_in(fleet, worker=worker, before=shell('exec "$@" <&- >&- 2>&-'))
    done([queue.enqueue(jobs.quiet, number) for number in range(3)])
    assert 'on purpose' in error_of(queue.enqueue(jobs.raises))
    outside = queue.enqueue(jobs_i.echoes_past_python)
    done([outside])
    assert {str(Path(f'/proc/{crew.pid}/fd/{number}').readlink()) for number in (0, 1, 2)} == {'/dev/null'}
    crew.signal(signal.SIGTERM)
    assert crew.wait() == 0


# --- I4: somebody who should read, and does not ---------------------------------------------------------------------


@pytest.mark.parametrize('worker', ['Quick', SIMPLE])
def test_i4_full_pipe(fleet: Fleet, queue: Queue, worker: str) -> None:
    """Log lines are lost, jobs are not; as soon as somebody reads, the log says how many lines are missing."""
    number = 400 if FULL else 150
    with unread() as pipe:
        crew = start_in(fleet, worker=worker, stdout=pipe.writer, stderr=pipe.writer)
        some = [queue.enqueue(jobs.quiet, each, description='d' * 250) for each in range(number)]
        done(some, 30)
        assert pipe.is_full
        bad = queue.enqueue(jobs.raises)
        assert 'on purpose' in error_of(bad)
        assert bad.id not in pipe.read()
        done([queue.enqueue(jobs.quiet, 0)])
        text = wait_for(pipe, 'log lines before this one are lost')
        lost = int(text.split(' log lines before')[0].rsplit(' ', 1)[1])
        assert lost > 2 and 'Traceback' not in text
        crew.signal(signal.SIGTERM)
        assert crew.wait() == 0
        assert 'done, quitting' in pipe.read()


def wait_for(pipe: object, words: str) -> str:
    """What comes out of a pipe, up to these words and a little more."""
    found: list[str] = []

    def look() -> bool:
        found.append(pipe.read())  # type: ignore[attr-defined]
        return words in ''.join(found)

    wait_until(look, 10, words)
    return ''.join(found)


@pytest.mark.parametrize('kind', ['pipe', 'socket', 'terminal'])
def test_i4_full_from_the_start(fleet: Fleet, queue: Queue, kind: str) -> None:
    """Another program has filled it before the worker came; a socket as journald's; a terminal stopped by Ctrl-S."""
    with unread(kind) as pipe:
        pipe.fill()
        start_in(fleet, stdout=pipe.writer, stderr=pipe.writer)
        done([queue.enqueue(jobs.quiet, number) for number in range(20)])


def test_i4_jobs_that_print(fleet: Fleet, queue: Queue) -> None:
    """What is left in their buffers is lost; their processes do not wait for a reader, and do not pile up."""
    with unread() as pipe:
        pipe.fill()
        crew = start_in(fleet, stdout=pipe.writer, stderr=pipe.writer)
        done([queue.enqueue(jobs_i.prints, 100) for _ in range(50)])
        wait_until(lambda: len(tree_of(crew.pid)) <= 3, 5, 'only the nursery and spares are left')


@pytest.mark.parametrize('worker', ['Quick', SIMPLE])
def test_i4_job_blocked_by_its_own_text(fleet: Fleet, queue: Queue, witness: Witness, worker: str) -> None:
    """A job that writes into the full pipe itself waits in its own time, and times out."""
    with unread() as pipe:
        pipe.fill()
        crew = start_in(fleet, worker=worker, stdout=pipe.writer, stderr=pipe.writer)
        job = queue.enqueue(jobs_i.prints_at_once, 100_000, job_timeout=1)
        began = witness.wait('begin', job.id)
        assert 'exceeded maximum timeout value (1 seconds)' in error_of(job)
        assert time.time() - began.at < 1 + 5
        done([queue.enqueue(jobs.quiet, 1)])
        assert witness.count('end', job.id) == 0 and alive(crew.pid)


# --- I5: the disk is full -------------------------------------------------------------------------------------------


@pytest.mark.parametrize('worker', ['Quick', SPAWN])
def test_i5_log_on_a_full_device(fleet: Fleet, queue: Queue, worker: str) -> None:
    """Every write of the log fails: jobs run, and the worker leaves as it should."""
    with Path('/dev/full').open('wb') as full:
        crew = start_in(fleet, worker=worker, stdout=full, stderr=full)
        done([queue.enqueue(jobs.quiet, number) for number in range(3 if worker == SPAWN else 20)])
        assert 'on purpose' in error_of(queue.enqueue(jobs.raises))
        crew.signal(signal.SIGTERM)
        assert crew.wait() == 0


@pytest.mark.parametrize('worker', ['Quick', SIMPLE])
def test_i5_small_disk(fleet: Fleet, queue: Queue, witness: Witness, tmp_path: Path, worker: str) -> None:
    """Log and temporary files are on a disk of 64 KiB; a job that fills it fails with its own error, others run."""
    disk = tmp_path / 'disk'
    disk.mkdir()
    words = f'mount -t tmpfs -o size=64k,mode=777 none {disk} && exec "$@" >>{disk}/log 2>&1'
    crew = start_in(fleet, worker=worker, before=apart(words), more={'TMPDIR': str(disk)})
    seen = Path(f'/proc/{crew.pid}/root') / disk.relative_to('/')
    done([queue.enqueue(jobs_i.temporary)])
    greedy = queue.enqueue(jobs_i.fills_disk, str(disk))
    assert 'No space left on device' in error_of(greedy)
    assert (seen / 'big').stat().st_size > 0
    done([queue.enqueue(jobs.quiet, number) for number in range(20)])
    assert 'No space left on device' in error_of(queue.enqueue(jobs_i.fills_disk, str(disk)))
    (seen / 'big').unlink()
    done([queue.enqueue(jobs_i.temporary)])
    wait_until(lambda: 'log lines before this one are lost' in (seen / 'log').read_text(), 5)
    crew.signal(signal.SIGTERM)
    assert crew.wait() == 0


def test_i5_file_size_limit(fleet: Fleet, queue: Queue) -> None:
    """The log has reached the largest size a file may have: SIGXFSZ does not end the worker."""
    crew = start_in(fleet, before=shell('ulimit -f 8; exec "$@"'))
    done([queue.enqueue(jobs.quiet, number, description='d' * 250) for number in range(50)])
    assert crew.log.stat().st_size <= 8 * 1024
    crew.signal(signal.SIGTERM)
    assert crew.wait() == 0


# --- I6: very many failures -----------------------------------------------------------------------------------------


def test_i6_memory_of_failures(fleet: Fleet, queue: Queue, redis: Redis) -> None:
    """A failed job costs the server at most 4 KiB beside its traceback."""
    number = 20_000 if FULL else 2_000
    fleet.start_some(2, '--quiet', worker=SIMPLE)
    before = redis.info('memory')['used_memory']
    queue.enqueue_many([Queue.prepare_data(jobs_i.raises_short, (each,)) for each in range(number)])
    failed = queue.failed_job_registry
    wait_until(lambda: failed.count == number, number / 50, f'{number} jobs fail')
    each = (redis.info('memory')['used_memory'] - before) / number
    one = Job.fetch(failed.get_job_ids(0, 0)[0], connection=redis)
    result = one.latest_result()
    assert result is not None and result.exc_string
    assert each < 4096 + len(result.exc_string), f'{each:.0f} bytes a failed job'


def test_i6_capped(fleet: Fleet, queue: Queue, redis: Redis) -> None:
    """With `--max-failed-jobs` a queue keeps the latest failures, and nothing of the others."""
    number, most = (20_000, 1_000) if FULL else (600, 50)
    fleet.start('--quiet', '--max-failed-jobs', str(most), worker=SIMPLE)
    some = queue.enqueue_many([Queue.prepare_data(jobs_i.raises_short, (each,)) for each in range(number)])
    wait_until(lambda: some[-1].get_status() == 'failed', number / 20, 'the last one fails')
    kept = queue.failed_job_registry.get_job_ids()
    assert len(kept) == most and some[-1].id in kept  # of those of one second it is all the same which
    assert len(list(redis.scan_iter(f'{keys.PREFIX}:job:*', count=1000))) <= most + 20, 'those beside it'
    assert len(list(redis.scan_iter(f'{keys.PREFIX}:results:*', count=1000))) <= most + 20


def test_i6_memory_of_a_long_text(fleet: Fleet, queue: Queue, redis: Redis) -> None:
    """The traceback is cut at 64 KiB, wherever it stands."""
    fleet.start('--quiet')
    job = queue.enqueue(jobs_i.raises_long, 10_000_000)
    assert len(error_of(job)) <= 64 * 1024
    belonging = list(redis.scan_iter(f'*{job.id}*'))
    assert sum(redis.memory_usage(name, samples=0) or 0 for name in belonging) < 4096 + 2 * 64 * 1024


# --- I7: in a thread, without fork ----------------------------------------------------------------------------------


def elsewhere(fleet: Fleet, worker: str, how: str, wait: bool = True) -> Crew:
    """A worker made by a program of its own."""
    program = str(ROOT / 'tests' / 'crash' / 'elsewhere.py')
    command = [sys.executable, program, fleet.url, 'odd', f'tests.crash.{worker}', how]
    return start_in(fleet, command=command, wait=wait)


@pytest.mark.parametrize('worker', ['workers.Quick', 'workers.QuickSimple', 'workers_i.QuickSpawn'])
@pytest.mark.parametrize('how', ['thread', 'without-fork'])
def test_i7_full_function(fleet: Fleet, queue: Queue, redis: Redis, witness: Witness, worker: str, how: str) -> None:
    """Jobs run, fail, time out; the worker obeys commands. Where it cannot be, an error at the start says what can."""
    if (worker, how) == ('workers.Quick', 'without-fork'):
        crew = elsewhere(fleet, worker, how, wait=False)
        assert crew.wait() != 0
        assert 'SpawnWorker' in crew.text() and 'SimpleWorker' in crew.text()
        fleet.wait_for()
        assert redis.smembers(keys.WORKERS) == {keys.worker('beside').encode()}
        return
    crew = elsewhere(fleet, worker, how)
    done([queue.enqueue(jobs.quiet, number) for number in range(2)])
    assert 'on purpose' in error_of(queue.enqueue(jobs.raises))
    late = queue.enqueue(jobs_i.endless, job_timeout=1)
    began = witness.wait('begin', late.id)
    assert 'exceeded maximum timeout value (1 seconds)' in error_of(late)
    assert time.time() - began.at < 1 + 5
    assert witness.count('timed out', late.id) == 1, 'the job got the exception'
    done([queue.enqueue(jobs.quiet, 1)])
    send_shutdown_command(redis, 'odd')
    assert crew.wait() == 0
