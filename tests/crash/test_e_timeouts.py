"""Group 5 of the faults: jobs that do not hear, or do not heed, that their time is over. The parent keeps it."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from redis import Redis

from rq import Callback, Queue
from rq.defaults import KILL_GRACE
from rq.job import Job
from tests.crash import jobs, jobs_e
from tests.crash.driver import Fleet, Witness
from tests.crash.sizes import FULL, sized
from tests.crash.verdicts import FORK, SIMPLE, SPAWN, TOLD, told
from tests.waiting import wait_until

pytestmark = [pytest.mark.crash, pytest.mark.usefixtures('beside')]

TIMEOUT = 1
TIMED_OUT = ['told JobTimeoutException']
APART = pytest.mark.parametrize('worker', [FORK, *([SPAWN] if FULL else [])])


def some(fleet: Fleet, worker: str, queue: str, number: int) -> None:
    """So many workers, of one queue."""
    crews = [fleet.start(*TOLD, worker=worker, queues=[queue], wait=False) for _ in range(number)]
    for crew in crews:
        wait_until(lambda crew=crew: fleet.is_up(crew), 30, f'{crew.name} is up')


def at_once(
    fleet: Fleet, queue: Queue, worker: str, function: Callable[..., Any], ways: Sequence[Any], **words: Any
) -> dict[Any, Job]:
    """A job for each way, and as many workers, so that their times run side by side."""
    some(fleet, worker, queue.name, len(ways))
    return {way: queue.enqueue(function, way, job_timeout=TIMEOUT, **words) for way in ways}


def ends_of(found: dict[Any, Job], witness: Witness) -> dict[Any, float]:
    """Seconds from its begin to its outcome, of each job."""
    ends: dict[Any, float] = {}
    until = time.monotonic() + 30

    def all_ended() -> bool:
        for way, job in found.items():
            if way not in ends and job.get_status() == 'failed':
                ends[way] = time.time()
        return len(ends) == len(found) or time.monotonic() > until

    wait_until(all_ended, 40)
    assert ends.keys() == found.keys(), f'without an end: {found.keys() - ends.keys()}'
    return {way: at - witness.wait('begin', found[way].id).at for way, at in ends.items()}


def timed_out(fleet: Fleet, queue: Queue, found: dict[Any, Job], witness: Witness) -> dict[Any, str]:
    """Each one ended in its time, failed, told once, and everybody lives; the texts."""
    took = ends_of(found, witness)
    assert max(took.values()) < TIMEOUT + KILL_GRACE + 1, took
    assert {way: told(witness, job) for way, job in found.items()} == dict.fromkeys(found, TIMED_OUT)
    assert max(witness.counts('begin').values()) == 1
    texts = {}
    for way, job in found.items():
        [result] = job.results()
        texts[way] = result.exc_string or ''
        assert f'exceeded maximum timeout value ({TIMEOUT} seconds)' in texts[way], way
    others = [queue.enqueue(jobs.quiet, number) for number in range(len(found))]
    wait_until(lambda: all(one.get_status() == 'finished' for one in others), 5, 'the workers go on')
    assert fleet.innocent_deaths() == []
    return texts


def test_e2_c_code_holding_the_lock(fleet: Fleet, queue: Queue, redis: Redis, witness: Witness) -> None:
    """It cannot hear of its timeout at all: its parent ends it. Forked horses, and a spawned one."""
    failing = {'on_failure': Callback(jobs_e.on_failure)}
    found = at_once(fleet, queue, FORK, jobs_e.holds_the_lock, ['read', 'spin'], **failing)
    other = Queue('spawned', connection=redis)
    found |= at_once(fleet, other, SPAWN, jobs_e.holds_the_lock, ['block'], **failing)
    timed_out(fleet, queue, found, witness)
    for job in found.values():
        assert witness.count('on failure JobTimeoutException', job.id) == 1
        assert witness.count('horse killed 9 with peak', job.id) == 1


@APART
def test_e3_clean_up_that_takes_long(fleet: Fleet, queue: Queue, witness: Witness, worker: str) -> None:
    """Five seconds of grace and no more; what it was cleaning up after is kept beside the timeout."""
    found = at_once(fleet, queue, worker, jobs_e.cleans_up, ['except', 'finally', 'none'])
    quick = at_once(fleet, queue, worker, jobs_e.cleans_up_quickly, ['quick except', 'quick finally', 'quick none'])
    texts = timed_out(fleet, queue, found | quick, witness)
    for way, text in texts.items():
        assert 'none' in way or 'LookupError: the original error' in text, way
        assert 'in cleans_up' in text, way
    for job in found.values():
        assert (witness.count('cleaning', job.id), witness.count('cleaned', job.id)) == (1, 0)
        assert witness.count('horse killed 9 with peak', job.id) == 1
    for job in quick.values():  # two seconds of clean-up are no reason to kill
        assert (witness.count('cleaned', job.id), witness.count('horse killed 9 with peak', job.id)) == (1, 0)


@APART
def test_e4_own_use_of_the_signal(fleet: Fleet, queue: Queue, witness: Witness, worker: str) -> None:
    found = at_once(fleet, queue, worker, jobs_e.uses_the_signal, jobs_e.SIGNALS)
    timed_out(fleet, queue, found, witness)


@APART
def test_e5_waits_that_swallow(fleet: Fleet, queue: Queue, witness: Witness, worker: str) -> None:
    """In threads, in a pool, in asyncio, in a loop that catches everything."""
    found = at_once(fleet, queue, worker, jobs_e.waits, jobs_e.WAITS)
    timed_out(fleet, queue, found, witness)


@pytest.mark.parametrize('worker', [FORK, SIMPLE, *([SPAWN] if FULL else [])])
def test_e6_at_the_instant_of_its_return(fleet: Fleet, queue: Queue, witness: Witness, worker: str) -> None:
    """Finished or timed out, never both; callbacks, handlers and the witness agree with the record."""
    number, beside = int(sized(36 if worker == FORK else 18, 200)), 6
    some(fleet, worker, queue.name, beside)
    words = {'on_success': Callback(jobs_e.on_success), 'on_failure': Callback(jobs_e.on_failure)}
    found = [
        queue.enqueue(jobs_e.just_in_time, TIMEOUT, jobs_e.moment(seed), job_timeout=TIMEOUT, **words)
        for seed in range(number)
    ]
    limit = number * (TIMEOUT + 1) / beside + 10
    wait_until(lambda: all(job.get_status() in ('finished', 'failed') for job in found), limit, 'all have an outcome')
    outcomes = [job.get_status() for job in found]
    print({status: outcomes.count(status) for status in set(outcomes)})
    for job, status in zip(found, outcomes, strict=True):
        finished = status == 'finished'
        events = [line.event for line in witness.lines(who=job.id) if line.event not in ('begin', 'end')]
        assert events == (['on success'] if finished else ['on failure JobTimeoutException', *TIMED_OUT])
        assert witness.count('begin', job.id) == 1 and witness.count('end', job.id) >= finished
        [result] = job.results()
        assert result.type.name == ('SUCCESSFUL' if finished else 'FAILED')
        places = [job.id in job.finished_job_registry, job.id in job.failed_job_registry]
        assert places == [finished, not finished]
        assert finished or f'({TIMEOUT} seconds)' in (result.exc_string or '')
    assert fleet.innocent_deaths() == []
