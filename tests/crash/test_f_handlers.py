"""F: handlers and callbacks that raise, hang, take no notice, die, or meddle. The job's own failure stays its own."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from redis import Redis

from rq import Callback, Queue, Retry
from rq.command import send_stop_job_command
from rq.job import Job
from rq.store import keys
from tests.crash import jobs, jobs_f
from tests.crash.driver import Fleet, Witness
from tests.crash.sizes import FULL, LEASE
from tests.crash.workers_f import LIMIT
from tests.waiting import wait_until

pytestmark = [pytest.mark.crash, pytest.mark.usefixtures('beside')]

GRACE = 5.0  # seconds from a limit to the kill of those who take no notice
SOON = 5.0


def handlers(*names: str, worker: str = 'Handling') -> tuple[str, ...]:
    """Options of a worker with these exception handlers."""
    given = [f'tests.crash.{"jobs" if name == "told" else "jobs_f"}.{name}' for name in names]
    return (
        *('--worker-class', f'tests.crash.workers_f.{worker}'),
        *(word for name in given for word in ('--exception-handler', name)),
    )


def ended(job: Job, timeout: float = 15, status: str = 'failed', results: int = 1) -> str:
    """Wait for the one outcome; its text."""
    wait_until(lambda: job.get_status() == status, timeout, f'job {job.id} is {status}')
    result = job.latest_result()
    assert result is not None and len(job.results()) == results
    return result.exc_string or ''


def told(witness: Witness, job: Job) -> list[str]:
    """What handlers said of a job, in their order."""
    return [line.event.removeprefix('told ') for line in witness.lines(who=job.id) if line.event.startswith('told')]


def goes_on(queue: Queue, witness: Witness, since: float, bound: float) -> None:
    """The next job starts in time."""
    good = queue.enqueue(jobs.work, 1)
    began = witness.wait('begin', good.id, timeout=bound + 10)
    assert began.at - since <= bound
    wait_until(lambda: good.get_status() == 'finished', SOON)


# --- F2: exception handlers -------------------------------------------------------------------------------------


def test_f2_handler_hangs(fleet: Fleet, queue: Queue, witness: Witness) -> None:
    """The failure is stored before the handler begins; the handler is stopped, and the next one is told."""
    fleet.start(*handlers('noting', 'told'))
    job = queue.enqueue(jobs.raises)
    raised = witness.wait('begin', job.id)
    began = witness.wait('told ValueError noted', job.id)
    assert began.at - raised.at <= 2
    goes_on(queue, witness, began.at, LIMIT + 5)
    text = ended(job, 1)
    assert 'on purpose' in text and 'noting raised too' in text and 'exceeded maximum timeout' in text
    assert told(witness, job) == ['ValueError noted', 'ValueError'] and witness.count('begin', job.id) == 1


def test_f2_and_f4_listeners_take_no_notice(fleet: Fleet, queue: Queue, witness: Witness) -> None:
    """Each is killed at its limit; it is not told again, but those after it are, once."""
    crew = fleet.start(*handlers('deaf', 'told'))
    job = queue.enqueue(jobs_f.kill_myself, on_failure=Callback(jobs_f.on_end_deaf, timeout=int(LIMIT)))
    began = witness.wait('callback', job.id)
    goes_on(queue, witness, began.at, 2 * (LIMIT + GRACE) + SOON)
    text = ended(job, 1)
    assert text.index('SIGKILL') < text.index('on_failure callback did not end in its time')
    assert 'exception handler 1 did not end in its time' in text
    assert witness.count('callback', job.id) == 1 and told(witness, job) == ['deaf', 'HorseKilledError']
    assert witness.lines('told deaf', job.id)[0].at - began.at <= LIMIT + GRACE + SOON
    assert crew.process.poll() is None


def test_f2_horse_killed_handler_hangs(fleet: Fleet, queue: Queue, witness: Witness) -> None:
    """It runs in the worker: meanwhile the lease is renewed, so that nobody else takes the job; and it is stopped."""
    fleet.start(*handlers('told', worker='KilledHanging'))
    job = queue.enqueue(jobs.kill_myself)
    witness.wait('horse killed', job.id)
    fleet.start(*handlers('told'))
    ended(job, (60 if FULL else 5) + GRACE + SOON)
    assert witness.count('begin', job.id) == 1
    assert told(witness, job) == ['HorseKilledError']
    assert fleet.innocent_deaths() == []


def test_f2_handlers_in_the_worker_take_no_notice(fleet: Fleet, queue: Queue, redis: Redis, witness: Witness) -> None:
    """Nobody can stop them, and their workers hang; but the leases run out, and others settle what was noted."""
    fleet.start(*handlers('told', worker='KilledDeaf'))
    killed = queue.enqueue(jobs_f.kill_myself)
    witness.wait('horse killed', killed.id)
    fleet.start(*handlers('told'))
    stopped = queue.enqueue(jobs.long, 600, on_stopped=Callback(jobs_f.on_end_deaf, timeout=int(LIMIT)))
    witness.wait('begin', stopped.id)
    send_stop_job_command(redis, stopped.id)
    witness.wait('callback', stopped.id)
    fleet.start(*handlers('told'))
    bound = LIMIT + GRACE + 1.5 * LEASE + SOON
    assert 'SIGKILL' in ended(killed, bound) and 'stopped by user' in ended(stopped, bound, 'stopped')
    assert told(witness, killed) == ['HorseKilledError'] and told(witness, stopped) == []
    assert witness.count('begin', stopped.id) == 1 and fleet.innocent_deaths() == []


def test_f2_horse_killed_handler_raises(fleet: Fleet, queue: Queue, witness: Witness) -> None:
    fleet.start(*handlers('told', worker='KilledRaising'))
    job = queue.enqueue(jobs.kill_myself)
    text = ended(job)
    assert 'SIGKILL' in text and 'this handler is broken' in text
    assert witness.count('horse killed', job.id) == 1 and told(witness, job) == ['HorseKilledError']


# --- F3, F4, F6: on_failure -------------------------------------------------------------------------------------


def test_f3_on_failure_raises(fleet: Fleet, queue: Queue, witness: Witness) -> None:
    fleet.start(*handlers('told'))
    for function, own, error in (
        (jobs.raises, 'on purpose', 'ValueError'),
        (jobs_f.kill_myself, 'SIGKILL', 'HorseKilledError'),
    ):
        job = queue.enqueue(function, on_failure=Callback(jobs_f.on_end_raising))
        text = ended(job)
        assert text.index(own) < text.index('the callback is broken')
        assert told(witness, job) == [error] and witness.count('callback', job.id) == 1


def test_f4_on_failure_hangs(fleet: Fleet, queue: Queue, witness: Witness) -> None:
    fleet.start(*handlers('told'))
    job = queue.enqueue(jobs.raises, on_failure=Callback(jobs_f.on_end_hanging, timeout=int(LIMIT)))
    began = witness.wait('callback', job.id)
    goes_on(queue, witness, began.at, LIMIT + 5)
    text = ended(job, 1)
    assert text.index('on purpose') < text.index('exceeded maximum timeout')
    assert told(witness, job) == ['ValueError'] and witness.count('callback', job.id) == 1


def test_f6_callback_cannot_be_imported(fleet: Fleet, queue: Queue, witness: Witness) -> None:
    """A success that could not be told is a failure, as with F5: the work is not done again."""
    fleet.start(*handlers('told'))
    for name in ('no.such.module', 'tests.crash.jobs_f.no_such_function'):
        job = queue.enqueue(jobs.raises, on_failure=Callback(name))
        text = ended(job)
        assert text.index('on purpose') < text.index('on_failure callback raised too') and name in text
        assert told(witness, job) == ['ValueError']
        job = queue.enqueue(jobs.long, 0, on_success=Callback(name), retry=Retry(max=2))
        assert name in ended(job)
        assert witness.count('begin', job.id) == 1 and len(told(witness, job)) == 1


# --- F5: on_success ---------------------------------------------------------------------------------------------


def test_f5_on_success_raises(fleet: Fleet, queue: Queue, witness: Witness) -> None:
    """The work is not repeated; the callback's error is the outcome, told once."""
    fleet.start(*handlers('told'))
    job = queue.enqueue(
        jobs.long, 0, on_success=Callback(jobs_f.on_end_raising), on_failure=Callback(jobs_f.on_end), retry=Retry(max=2)
    )
    assert 'the callback is broken' in ended(job)
    assert witness.count('begin', job.id) == witness.count('end', job.id) == 1
    assert told(witness, job) == ['LookupError'] and witness.count('callback', job.id) == 2  # either callback once
    assert queue.failed_job_registry.get_job_ids() == [job.id]


def test_f5_on_success_hangs(fleet: Fleet, queue: Queue, witness: Witness) -> None:
    """It is stopped, or killed when it takes no notice."""
    fleet.start(*handlers('told'))
    for callback, grace in ((jobs_f.on_end_hanging, 0), (jobs_f.on_end_deaf, GRACE)):
        job = queue.enqueue(jobs.long, 0, on_success=Callback(callback, timeout=int(LIMIT)), retry=Retry(max=2))
        began = witness.wait('callback', job.id)
        goes_on(queue, witness, began.at, LIMIT + grace + SOON)
        assert 'exceeded' in ended(job, 1)
        assert witness.count('begin', job.id) == 1 and told(witness, job) == ['JobTimeoutException']


# --- F7: dying inside -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    'handler, function', [('jobs_f.leaving', jobs.raises), ('jobs.dying_handler', jobs_f.kill_myself)]
)
def test_f7_handler_ends_its_process(
    fleet: Fleet, queue: Queue, witness: Witness, handler: str, function: Callable[[], None]
) -> None:
    """It is told once more, and no third time; those after it are told, once."""
    given = handlers('told')
    crew = fleet.start(*given[:2], '--exception-handler', f'tests.crash.{handler}', *given[2:])
    job = queue.enqueue(function)
    text = ended(job)
    assert ('on purpose' if function is jobs.raises else 'SIGKILL') in text
    assert 'exception handler 1 ended its process, twice' in text
    assert len(told(witness, job)) == 3
    assert witness.count('begin', job.id) <= 1 and crew.process.poll() is None


def test_f7_callback_ends_its_process(fleet: Fleet, queue: Queue, witness: Witness) -> None:
    """on_failure: told twice at most, then the handlers. on_success: the work was done, and is not done again."""
    fleet.start(*handlers('told'))
    job = queue.enqueue(jobs.raises, on_failure=Callback(jobs_f.on_end_dying))
    assert 'on purpose' in ended(job)
    assert witness.count('callback', job.id) == 2 and len(told(witness, job)) == 1
    job = queue.enqueue(jobs.long, 0, on_success=Callback(jobs_f.on_end_dying), retry=Retry(max=2))
    text = ended(job)
    assert 'SIGKILL' in text and 'on_success' in text
    assert witness.count('begin', job.id) == 1 and told(witness, job) == ['HorseKilledError']


@pytest.mark.parametrize('where', ['handler', 'on_failure'])
def test_f7_worker_dies_inside(fleet: Fleet, queue: Queue, witness: Witness, where: str) -> None:
    """Another worker goes on from the note, and tells once more."""
    if where == 'handler':
        lost, job = fleet.start(*handlers('noting')), queue.enqueue(jobs.raises)
        witness.wait('told ValueError noted', job.id)
    else:
        lost = fleet.start(*handlers('told'))
        job = queue.enqueue(jobs.raises, on_failure=Callback(jobs_f.on_end_hanging, timeout=int(LIMIT)))
        witness.wait('callback', job.id)
    lost.kill()
    fleet.start(*handlers('told'))
    text = ended(job, 45 + LIMIT)
    assert 'on purpose' in text and 'AbandonedJobError' not in text
    assert witness.count('begin', job.id) == 1
    assert witness.count('callback', job.id) + len(told(witness, job)) in (2, 3)
    assert told(witness, job)[-1:] == ['JobFailedError'], 'the handlers of the second worker heard of it'


def test_f7_worker_dies_inside_on_success(fleet: Fleet, queue: Queue, witness: Witness) -> None:
    """Nobody is left who knows that the work was done: it is abandoned as ever, and once more at most."""
    lost = fleet.start(*handlers('told'))
    job = queue.enqueue(jobs.long, 0, on_success=Callback(jobs_f.on_end_hanging), retry=Retry(max=1))
    witness.wait('callback', job.id)
    lost.kill()
    other = fleet.start(*handlers('told'))
    witness.wait('callback', job.id, times=2, timeout=45)
    other.kill()
    fleet.start(*handlers('told'))
    assert 'AbandonedJobError' in ended(job, 45)
    assert witness.count('begin', job.id) == 2 and told(witness, job) == ['AbandonedJobError'] * 2


# --- F8: three attempts -----------------------------------------------------------------------------------------


def test_f8_each_attempt_is_told_and_kept(fleet: Fleet, queue: Queue, witness: Witness) -> None:
    fleet.start(*handlers('final'))
    for function in (jobs_f.raises_each_time, jobs_f.kill_myself):
        job = queue.enqueue(function, retry=Retry(max=2), on_failure=Callback(jobs_f.on_end))
        ended(job)
        assert told(witness, job) == ['final=False', 'final=False', 'final=True']
        assert witness.count('callback', job.id) == 3
        kept = job.attempts
        assert [(each.number, each.is_final) for each in kept] == [(1, False), (2, False), (3, True)]
        for left, each in zip((2, 1, 0), kept, strict=True):
            expected = f'attempt with {left} left' if function is jobs_f.raises_each_time else 'SIGKILL'
            assert expected in each.exc_string and each.worker_name == 'w2'
        assert len({each.execution_id for each in kept}) == 3


# --- on_stopped -------------------------------------------------------------------------------------------------


ON_STOPPED = [
    (Callback(jobs_f.on_end_raising), 'the callback is broken'),
    (Callback(jobs_f.on_end_hanging, timeout=int(LIMIT)), 'exceeded maximum timeout'),
    (Callback('no.such.module'), 'no.such.module'),
]


def test_f4_on_stopped_is_broken(fleet: Fleet, queue: Queue, redis: Redis, witness: Witness) -> None:
    """It raises, hangs or is not there. It runs in the worker, which lives; the job is stopped, and not tried again."""
    crew = fleet.start(*handlers('told'))
    for callback, words in ON_STOPPED:
        job = queue.enqueue(jobs.long, 60, on_stopped=callback, retry=Retry(max=2))
        witness.wait('begin', job.id)
        send_stop_job_command(redis, job.id)
        stopped_at = time.time()
        goes_on(queue, witness, stopped_at, LIMIT + 5)
        text = ended(job, 1, 'stopped')
        assert 'stopped by user' in text and words in text
        assert witness.count('begin', job.id) == 1 and told(witness, job) == []
        assert witness.count('callback', job.id) == (0 if callback.func == 'no.such.module' else 1)
    assert crew.process.poll() is None


def test_f7_on_stopped_ends_its_worker(fleet: Fleet, queue: Queue, redis: Redis, witness: Witness) -> None:
    """Another worker finds what was noted: the job is stopped."""
    crew = fleet.start(*handlers('told'))
    job = queue.enqueue(jobs.long, 60, on_stopped=Callback(jobs_f.on_end_dying), retry=Retry(max=2))
    witness.wait('begin', job.id)
    send_stop_job_command(redis, job.id)
    assert crew.wait() != 0
    fleet.start(*handlers('told'))
    assert 'stopped by user' in ended(job, 45, 'stopped')
    assert witness.count('begin', job.id) == 1 and told(witness, job) == []


# --- handlers that meddle ---------------------------------------------------------------------------------------


def test_f3_handlers_that_meddle(fleet: Fleet, queue: Queue, witness: Witness) -> None:
    """Whatever they do, the job's failure is recorded, once, and the next handler is told."""
    fleet.start(*handlers('named', 'told'))
    for name, words in (
        ('raising', 'the handler is broken'),  # attached
        ('closing', 'on purpose'),  # connection, pipe to the parent and all
        ('requeueing', 'requeueing raised too'),  # refused: the job has not ended
        ('following', 'on purpose'),  # something new is enqueued, see below
    ):
        job = queue.enqueue(jobs.raises, meta={'handler': name}, on_failure=Callback(jobs_f.on_end))
        text = ended(job)
        assert text.index('on purpose') <= text.index(words.replace('requeueing', 'named'))
        assert witness.count('begin', job.id) == witness.count('callback', job.id) == 1
        assert told(witness, job) == [name, 'ValueError']
    more: Any = queue.fetch_job(f'after-{job.id}')
    wait_until(lambda: more.get_status() == 'finished', SOON)
    assert witness.count('begin', more.id) == 1


def test_f3_handler_deletes_the_job(fleet: Fleet, queue: Queue, redis: Redis, witness: Witness) -> None:
    """Nothing of it is left, and those after it are told."""
    fleet.start(*handlers('deleting', 'told'))
    job = queue.enqueue(jobs.raises, retry=Retry(max=2))
    witness.wait('told ValueError', job.id)
    goes_on(queue, witness, time.time(), SOON)
    wait_until(lambda: not redis.exists(job.key), SOON, 'the record is gone')
    wait_until(lambda: not redis.keys(f'*{job.id}*'), SOON, 'and whatever bears its name')
    assert redis.zcard(keys.wip('q')) == 0 and queue.failed_job_registry.get_job_ids() == []
    assert witness.count('begin', job.id) == 1


def test_f8_handlers_change_what_follows(fleet: Fleet, queue: Queue, witness: Witness) -> None:
    """One grants an attempt, one takes all away, one queues the job again: each attempt is recorded first."""
    fleet.start(*handlers('named'))
    job = queue.enqueue(jobs.raises, meta={'handler': 'forgiving'})
    assert 'on purpose' in ended(job)
    assert told(witness, job) == ['forgiving True', 'forgiving True'] and witness.count('begin', job.id) == 2
    job = queue.enqueue(jobs.raises, meta={'handler': 'strict'}, retry=Retry(max=5))
    assert 'on purpose' in ended(job)
    assert told(witness, job) == ['strict'] and witness.count('begin', job.id) == 1
    job = queue.enqueue(jobs.raises, meta={'handler': 'queueing_again'})
    witness.wait('told queueing', job.id, times=2)
    assert 'on purpose' in ended(job, results=2)
    assert witness.count('begin', job.id) == 2
