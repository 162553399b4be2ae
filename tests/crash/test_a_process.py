"""Group 1 of the faults: the job's own process. It dies, leaves, starves, raises what is hard to write."""

import json
import signal
from collections.abc import Iterator

import pytest
from redis import Redis

from rq import Callback, Queue, Retry
from rq.defaults import MAX_TRACEBACK_BYTES
from rq.job import Job
from rq.store import keys
from rq.webhook import Webhook
from tests import hard
from tests.crash import jobs, jobs_a
from tests.crash.driver import Fleet, Witness
from tests.crash.sizes import FULL
from tests.crash.verdicts import FORK, NOTED, SIMPLE, SPAWN, TOLD, log_is_well, log_lines, outcome, stored_sizes, told
from tests.listener import listening
from tests.waiting import wait_until

pytestmark = [pytest.mark.crash, pytest.mark.usefixtures('beside')]

SPAWNED = [SPAWN] if FULL else []
APART = pytest.mark.parametrize('worker', [FORK, *SPAWNED])  # in a process of its own
EVERYWHERE = pytest.mark.parametrize('worker', [FORK, SIMPLE, *SPAWNED])
EXAMINED = ('--exception-handler', 'tests.crash.jobs_a.examines')
KILLED = ['told HorseKilledError']


def lives_on(fleet: Fleet, queue: Queue) -> bool:
    """Nobody has died, and the next job runs."""
    good = queue.enqueue(jobs.quiet, 1)
    wait_until(lambda: good.get_status() == 'finished', 5, 'the next job has finished')
    return fleet.innocent_deaths() == []


def killed(job: Job, witness: Witness, raw_status: int, *words: str) -> None:
    """Failed in its time, run once, told once to each, who know all of it."""
    text = outcome(job, witness, 2)
    assert [word for word in (*words, 'peak memory') if word not in text] == []
    assert told(witness, job) == KILLED
    assert witness.count(f'horse killed {raw_status} with peak', job.id) == 1
    signum, code = (raw_status & 0x7F or None), (None if raw_status & 0x7F else raw_status >> 8)
    assert witness.count(f'signal {signum} code {code} with peak', job.id) == 1
    assert witness.count('begin', job.id) == 1
    assert job.id in job.failed_job_registry


# --- A1 to A3: it is killed, crashes, leaves ------------------------------------------------------------------------


@APART
def test_a1_killed_by_signal(fleet: Fleet, queue: Queue, witness: Witness, worker: str) -> None:
    """By itself, or with its whole group."""
    fleet.start(*EXAMINED, worker=worker)
    for how in ('SIGKILL', 'group', 'SIGTERM' if worker == SPAWN else 'SIGHUP'):
        job = queue.enqueue(jobs_a.dies, how, on_failure=Callback(jobs_a.on_failure))
        if how == 'SIGTERM':  # a work horse does not leave for that
            wait_until(lambda job=job: witness.count('begin', job.id) == 1)
            continue
        signum = signal.SIGKILL if how == 'group' else getattr(signal, how)
        killed(job, witness, int(signum), signum.name, f'signal {int(signum)}')
        assert witness.count('on failure HorseKilledError', job.id) == 1
    assert worker == SPAWN or lives_on(fleet, queue)


@APART
def test_a1_killed_with_retry(fleet: Fleet, queue: Queue, witness: Witness, worker: str) -> None:
    """Each attempt is told once; the last one is the outcome."""
    fleet.start(*TOLD, worker=worker)
    job = queue.enqueue(jobs_a.dies, 'SIGKILL', retry=Retry(max=2))
    wait_until(lambda: job.get_status() == 'failed', 10, 'the job has failed')
    assert 'SIGKILL' in (job.latest_result().exc_string or '') and len(job.results()) == 1
    assert witness.count('begin') == witness.count('told HorseKilledError') == 3
    assert witness.count('horse killed 9 with peak') == 3
    assert fleet.innocent_deaths() == []


@APART
def test_a2_crashed(fleet: Fleet, queue: Queue, witness: Witness, worker: str) -> None:
    fleet.start(*EXAMINED, worker=worker)
    ways = {'null': 'SIGSEGV', 'abort': 'SIGABRT', 'SIGILL': 'SIGILL', 'SIGBUS': 'SIGBUS', 'SIGFPE': 'SIGFPE'}
    for how, name in ways.items():
        job = queue.enqueue(jobs_a.dies, how)
        outcome(job, witness, 2)
        raw_status = signal.Signals[name] + 128 * witness.count(f'horse killed {signal.Signals[name] + 128} with peak')
        killed(job, witness, raw_status, name)  # with 128 for a core file
    assert lives_on(fleet, queue)


@APART
def test_a3_left_without_a_word(fleet: Fleet, queue: Queue, witness: Witness, worker: str) -> None:
    """Zero is no better."""
    fleet.start(*EXAMINED, worker=worker)
    for code in (3, 0, 255):
        killed(queue.enqueue(jobs.leave, code), witness, code << 8, f'exited with code {code}')
    killed(queue.enqueue(jobs_a.dies_in_a_thread), witness, 5 << 8, 'exited with code 5')
    assert lives_on(fleet, queue)


# --- A5: it raises what is no Exception -----------------------------------------------------------------------------


@EVERYWHERE
def test_a5_base_exceptions(fleet: Fleet, queue: Queue, witness: Witness, worker: str) -> None:
    """That exception, told once; the worker is not stopped by it."""
    fleet.start(*TOLD, worker=worker)
    names = {'SystemExit': 'SystemExit: by the door', 'zero': 'SystemExit: 0', 'none': 'SystemExit'}
    names |= {
        'KeyboardInterrupt': 'KeyboardInterrupt: as if',
        'GeneratorExit': 'GeneratorExit: left',
        'Own': 'Own: mine',
    }
    for what, words in names.items():
        job = queue.enqueue(jobs_a.leaves, what)
        assert words in outcome(job, witness, 2)
        assert told(witness, job) == [f'told {"SystemExit" if what in ("zero", "none") else what}']
    for function in (jobs_a.exits_in_a_thread, jobs_a.raises_in_del):
        outcome(queue.enqueue(function), witness, 2, 'finished')
    assert lives_on(fleet, queue)


# --- A6: no memory --------------------------------------------------------------------------------------------------


@EVERYWHERE
def test_a6_memory_limit(fleet: Fleet, queue: Queue, witness: Witness, worker: str) -> None:
    fleet.start(*TOLD, worker=worker)
    functions = [jobs_a.starves] if worker == SIMPLE else [jobs_a.starves, jobs_a.starves_for_good]
    for function in functions:
        job = queue.enqueue(function)
        assert 'MemoryError' in outcome(job, witness, 2)
        assert told(witness, job) == ['told MemoryError']
    assert lives_on(fleet, queue)


@APART
@pytest.mark.parametrize('handler', ['jobs.told', 'jobs_a.empty_handed'])
def test_a6_handler_without_memory(fleet: Fleet, queue: Queue, witness: Witness, worker: str, handler: str) -> None:
    """Whoever cannot even say it has died; the chain is begun twice at most, of one attempt."""
    fleet.start('--exception-handler', f'tests.crash.{handler}', worker=worker)
    job = queue.enqueue(jobs_a.takes_all, on_failure=Callback(jobs_a.on_failure))
    text = outcome(job, witness, 2)
    assert 'MemoryError' in text or 'Work-horse terminated' in text
    assert 1 <= len(told(witness, job)) <= 2
    assert witness.count('begin') == 1
    assert lives_on(fleet, queue)


# --- A7, A8, A11: errors that are hard to write down ----------------------------------------------------------------


def bounded(redis: Redis, job: Job) -> bool:
    """Nothing that is stored of it is larger than a traceback may be."""
    assert max(stored_sizes(redis, job)) <= MAX_TRACEBACK_BYTES
    return True


@EVERYWHERE
def test_a7_long_errors(fleet: Fleet, redis: Redis, queue: Queue, witness: Witness, worker: str) -> None:
    """Recursion, a chain of causes, a group of a thousand; without end, with strange letters, with long notes."""
    crew = fleet.start(*NOTED, worker=worker)
    for what in [*hard.HARD, 'Endless']:
        job = queue.enqueue(jobs_a.raises, what)
        text = outcome(job, witness, 2)
        assert 0 < len(text.encode()) <= MAX_TRACEBACK_BYTES, what
        assert bounded(redis, job) and len(told(witness, job)) == 1, what
    assert log_is_well(crew) and lives_on(fleet, queue)


@EVERYWHERE
def test_a8_errors_without_text(fleet: Fleet, queue: Queue, witness: Witness, worker: str) -> None:
    """Class name, place, and that the text is unavailable."""
    crew = fleet.start(*NOTED, worker=worker)
    for function, words in (
        (jobs_a.raises_silent, ('Silent', 'text unavailable', 'in raises_silent')),
        (jobs_a.raises_unpicklable, ('Unpicklable: kept to myself', 'in raises_unpicklable')),
    ):
        job = queue.enqueue(function)
        text = outcome(job, witness, 2)
        assert [word for word in words if word not in text] == []
        assert len(told(witness, job)) == 1
    for what in ('mute', 'exiting', 'odd', 'Masked', 'Nameless', 'Uncaused', 'Untraced'):
        job = queue.enqueue(jobs_a.raises, what)
        text = outcome(job, witness, 2)
        assert 'in raises' in text and len([line for line in witness.lines(who=job.id) if 'note of' in line.event]) == 1
        assert ('text unavailable' in text) == (what in ('mute', 'exiting', 'odd'))
    assert log_is_well(crew) and lives_on(fleet, queue)


@EVERYWHERE
def test_a9_arguments_without_repr(fleet: Fleet, redis: Redis, queue: Queue, witness: Witness, worker: str) -> None:
    """Enqueued, run, logged."""
    crew = fleet.start(*TOLD, worker=worker)
    for how in ('raises', 'exits', 'endless', 'odd', 'forges', 'long'):
        job = queue.enqueue(jobs_a.takes, jobs_a.Shy(how), name=jobs_a.Shy(how))
        outcome(job, witness, 2, 'finished')
        job = queue.enqueue(jobs_a.takes_and_raises, jobs_a.Shy(how))
        assert 'ValueError: not that' in outcome(job, witness, 2)
        assert told(witness, job) == ['told ValueError']
        assert len(redis.hget(job.key, 'description') or b'') <= MAX_TRACEBACK_BYTES
    assert log_is_well(crew) and lives_on(fleet, queue)
    assert not [line for line in log_lines(crew) if line[9:].startswith('Worker w1: forged')]


def test_a9_arguments_that_cannot_be_stored(queue: Queue, redis: Redis) -> None:
    """Refused clearly, and nothing is stored."""
    for argument in (lambda: 5, jobs_a.Unpicklable('mine')):
        with pytest.raises(Exception, match='(?i)pickle|dumped') as caught:
            queue.enqueue(jobs_a.takes, argument, job_id='refused')
        assert not isinstance(caught.value, AssertionError)
        assert redis.keys('*refused*') == [] and not redis.exists(queue.key)


@EVERYWHERE
def test_a11_ten_megabytes_of_noise(fleet: Fleet, redis: Redis, queue: Queue, witness: Witness, worker: str) -> None:
    """In the result, the note, the log and the webhook: head, tail, and how much was cut between them."""
    crew = fleet.start(*NOTED, worker=worker)
    with listening() as listener:
        hook = Webhook(f'{listener.url}/told', 'failed', method='POST')
        for seed, size in ((1, 10 << 20), (2, 60_000)):  # the second is not cut as a text, but would not fit as stored
            failing = Callback(jobs_a.long_winded) if seed == 1 else None
            job = queue.enqueue(jobs_a.raises_noise, seed, size, webhooks=[hook], on_failure=failing)
            text = outcome(job, witness, 3)
            assert text.startswith('Traceback') and 'ValueError: HEAD' in text and 'bytes cut' in text
            assert 'TAIL' in text[-100:] or failing and 'yyy' in text[-100:]
            assert bounded(redis, job)
            [note] = [line.event for line in witness.lines(who=job.id) if line.event.startswith('note of')]
            assert int(note.removeprefix('note of ')) <= MAX_TRACEBACK_BYTES
        wait_until(lambda: len(listener.calls) == 2, 10, 'both webhooks have been called')
        for call in listener.calls:
            assert len(json.loads(call.body)['exc_info'].encode()) <= MAX_TRACEBACK_BYTES
    assert log_is_well(crew) and lives_on(fleet, queue)


# --- A12: it breaks its surroundings --------------------------------------------------------------------------------


#: after these a handler of ours cannot reach the witness
MUTE = ('no descriptors', 'environment')


@APART
def test_a12_broken_surroundings(fleet: Fleet, redis: Redis, queue: Queue, witness: Witness, worker: str) -> None:
    """Each one returns, and raises: what is recorded is what it did, and it is done once."""
    fleet.start(*NOTED, worker=worker)
    redis.config_resetstat()
    for how in jobs_a.WAYS:
        job = queue.enqueue(jobs_a.vandal, how)
        outcome(job, witness, 5, 'finished')
        assert job.return_value() == how
        job = queue.enqueue(jobs_a.vandal, how, 'raises')
        assert f'ValueError: after {how}' in outcome(job, witness, 5)
        assert told(witness, job) == ([] if how in MUTE else ['told ValueError']), how
    assert witness.count('begin') == 2 * len(jobs_a.WAYS)
    assert 'errorstat_ERR' not in redis.info('errorstats')  # what jobs print did not get to the server
    assert lives_on(fleet, queue)


# --- A13, A14: results ----------------------------------------------------------------------------------------------


@EVERYWHERE
def test_a13_result_cannot_be_encoded(fleet: Fleet, redis: Redis, queue: Queue, witness: Witness, worker: str) -> None:
    """Finished, with a warning on the job, on the worker and in the log; never run again."""
    crew = fleet.start(*TOLD, worker=worker)
    whats = ('lambda', 'lock', 'unpicklable', 'endless')
    for what in whats:
        job = queue.enqueue(jobs_a.returns, what, retry=Retry(max=2), on_success=Callback(jobs_a.on_success))
        outcome(job, witness, 2, 'finished')
        assert 'cannot be stored' in (Job.fetch(job.id, redis).warning or '')
        assert isinstance(job.return_value(), str) and told(witness, job) == []
        assert witness.count('begin', job.id) == witness.count('on success', job.id) == 1
    assert int(redis.hget(keys.worker(crew.name), 'warned_job_count') or 0) == len(whats)
    assert crew.text().count('cannot be stored') >= len(whats)
    assert lives_on(fleet, queue)


@pytest.fixture
def small_bulks(redis: Redis) -> Iterator[None]:
    """The server takes no value of more than a mebibyte."""
    before = redis.config_get('proto-max-bulk-len')['proto-max-bulk-len']
    redis.config_set('proto-max-bulk-len', 1 << 20)
    yield
    redis.config_set('proto-max-bulk-len', before)


@EVERYWHERE
@pytest.mark.usefixtures('small_bulks')
def test_a14_result_too_large(fleet: Fleet, redis: Redis, queue: Queue, witness: Witness, worker: str) -> None:
    """For us, or for the server: finished with words that say so; what else would be too large does no harm either."""
    crew = fleet.start(*TOLD, worker=worker)
    for size in (3 << 20, 20 << 20):
        job = queue.enqueue(jobs_a.returns, str(size))
        outcome(job, witness, 5, 'finished')
        assert 'too large' in job.return_value().lower()
        assert Job.fetch(job.id, redis).warning
    assert witness.count('begin') == 2
    assert int(redis.hget(keys.worker(crew.name), 'warned_job_count') or 0) == 2
    assert lives_on(fleet, queue)


@APART
@pytest.mark.usefixtures('small_bulks')
def test_a14_meta_too_large(fleet: Fleet, queue: Queue, witness: Witness, worker: str) -> None:
    """What the job wrote on itself is refused by the server: it has an outcome all the same, and the worker goes on."""
    fleet.start(*TOLD, worker=worker)
    job = queue.enqueue(jobs_a.fills_meta, 3 << 20)
    witness.wait('begin', job.id)
    wait_until(lambda: job.get_status() in ('finished', 'failed'), 5, 'it has an outcome')
    assert witness.count('begin') == 1
    assert lives_on(fleet, queue)
