"""Real workers run jobs that wait for each other, for slots, or for their next time."""

import os
from collections.abc import Iterator
from typing import Any

import pytest
from redis import Redis

from rq import Queue, RateLimit, Repeat, Retry, SimpleWorker, Worker
from rq.command import send_stop_job_command
from rq.job import Dependency, Job
from tests import jobs
from tests.invariants import check
from tests.launch import Launch, burst, expire, marked, marks
from tests.waiting import wait_until

WORKERS = pytest.mark.parametrize('cls', [Worker, SimpleWorker])


def note(queue: Queue, word: str, *parents: Any, **words: Any) -> Job:
    return queue.enqueue(jobs.note, word, depends_on=list(parents), job_id=word, **words)


@pytest.fixture
def other(redis: Redis) -> Queue:
    return Queue('other', connection=redis)


@pytest.fixture
def sound(redis: Redis) -> Iterator[None]:
    """Afterwards everything must stand where it belongs."""
    yield
    assert check(redis) == []


pytestmark = pytest.mark.usefixtures('sound')


@WORKERS
def test_chain(redis: Redis, queue: Queue, cls: Any) -> None:
    made = [note(queue, 'a')]
    for word in 'bcd':
        made.append(note(queue, word, made[-1]))
    burst(redis, queue, cls=cls)
    assert marks(redis) == ['a', 'b', 'c', 'd'] and all(job.is_finished for job in made)
    assert redis.keys('*:dependents') == []


@WORKERS
def test_diamond(redis: Redis, queue: Queue, cls: Any) -> None:
    top = note(queue, 'top')
    sides = [note(queue, word, top) for word in ('left', 'right')]
    note(queue, 'bottom', *sides)
    burst(redis, queue, cls=cls)
    assert marks(redis)[0] == 'top' and marks(redis)[3:] == ['bottom'] and len(marks(redis)) == 4


def test_fan_in_and_out(redis: Redis, queue: Queue) -> None:
    first = [note(queue, f'first{number}') for number in range(4)]
    middle = note(queue, 'middle', *first)
    for number in range(4):
        note(queue, f'last{number}', middle)
    burst(redis, queue)
    assert [word[:4] for word in marks(redis)] == ['firs'] * 4 + ['midd'] + ['last'] * 4


def test_results_that_are_not_kept(redis: Redis, queue: Queue) -> None:
    """A dependency that is gone counts as met."""
    first = note(queue, 'a', result_ttl=0)
    second = note(queue, 'b', first, result_ttl=0)
    note(queue, 'c', first, second)
    burst(redis, queue)
    assert marks(redis) == ['a', 'b', 'c']


def test_across_queues(redis: Redis, queue: Queue, other: Queue, launch: Launch) -> None:
    launch('other').ready()
    far = note(other, 'far', note(queue, 'near'))
    burst(redis, queue)
    wait_until(lambda: far.is_finished, 5, 'the job of the other queue runs')
    assert marks(redis) == ['near', 'far']


@pytest.mark.parametrize('function', [jobs.div, jobs.kills_itself, jobs.leaves])
def test_a_parent_that_fails(redis: Redis, queue: Queue, function: Any) -> None:
    parent = queue.enqueue(function, *([3] if function is jobs.leaves else []))
    strict = note(queue, 'strict', parent)
    note(queue, 'lenient', Dependency(parent, allow_failure=True))
    burst(redis, queue)
    assert parent.is_failed and strict.is_deferred and marks(redis) == ['lenient']
    parent.delete()  # what is gone counts as met
    burst(redis, queue)
    assert marks(redis) == ['lenient', 'strict']


def test_a_parent_that_fails_for_good(redis: Redis, queue: Queue) -> None:
    parent = queue.enqueue(jobs.div, retry=Retry(max=1, interval=60))
    lenient = note(queue, 'lenient', Dependency(parent, allow_failure=True))
    burst(redis, queue)
    assert parent.is_scheduled and lenient.is_deferred
    redis.zadd('rq:scheduled:default', {parent.id: 1})
    burst(redis, queue)
    assert parent.is_failed and lenient.is_finished


@pytest.mark.parametrize('function', [jobs.fails_until, jobs.kills_once])
def test_a_parent_that_is_retried(redis: Redis, queue: Queue, function: Any) -> None:
    parent = queue.enqueue(function, *([1] if function is jobs.fails_until else []), retry=Retry(max=2))
    note(queue, 'child', parent)
    note(queue, 'lenient', Dependency(parent, allow_failure=True))
    burst(redis, queue)
    assert parent.is_finished and sorted(marks(redis)) == ['child', 'lenient']


def test_a_parent_that_asks_for_too_many_retries(redis: Redis, queue: Queue) -> None:
    parent = queue.enqueue(jobs.returns_retry, max=1)
    lenient = note(queue, 'lenient', Dependency(parent, allow_failure=True))
    burst(redis, queue)
    assert parent.is_failed and lenient.is_finished


def test_a_failed_parent_is_requeued(redis: Redis, queue: Queue) -> None:
    parent = queue.enqueue(jobs.fails_until, 1)
    child = note(queue, 'child', parent)
    burst(redis, queue)
    assert child.is_deferred
    parent.requeue()
    burst(redis, queue)
    assert parent.is_finished and child.is_finished


def test_an_abandoned_parent(redis: Redis, queue: Queue, launch: Launch) -> None:
    parent = queue.enqueue(jobs.gate, job_timeout=60)
    strict, lenient = note(queue, 'strict', parent), note(queue, 'lenient', Dependency(parent, allow_failure=True))
    worker = launch('default').ready()
    marked(redis, 'at gate')
    worker.signal(9)
    worker.wait()
    expire(redis)
    queue.started_job_registry.cleanup()
    assert parent.is_failed and strict.is_deferred and lenient.is_queued
    redis.rpush('test:gate', 'open')  # for the horse, if it lives


def test_a_stopped_parent(redis: Redis, queue: Queue, launch: Launch) -> None:
    parent = queue.enqueue(jobs.gate)
    lenient = note(queue, 'lenient', Dependency(parent, allow_failure=True))
    launch('default').ready()
    marked(redis, 'at gate')
    send_stop_job_command(redis, parent.id)
    wait_until(lambda: parent.is_stopped, 8, 'the job is stopped')
    assert lenient.is_deferred


def test_dependents_of_a_job_that_enqueues_them_itself(redis: Redis, queue: Queue) -> None:
    """Registered while it runs: none is overlooked, whenever it comes."""
    parent = queue.enqueue(enqueues_dependents, 20)
    burst(redis, queue)
    assert parent.is_finished and len(marks(redis)) == 20


def enqueues_dependents(number: int) -> None:
    job = jobs.get_current_job()
    assert job is not None
    for each in range(number):
        Queue(connection=job.connection).enqueue(jobs.note, str(each), depends_on=job)


def test_enqueued_while_workers_run(redis: Redis, queue: Queue, launch: Launch) -> None:
    """Whether the parent ends before or after its dependent is enqueued: it runs once."""
    for _ in range(2):
        launch('default').ready()
    made = []
    for number in range(60):
        parent = queue.enqueue(jobs.add)
        made += [parent, note(queue, f'{number}', parent)]
    wait_until(lambda: all(job.is_finished for job in made), 20, 'all of them run')
    assert sorted(map(int, marks(redis))) == list(range(60))


def test_very_many_dependents(redis: Redis, queue: Queue, launch: Launch) -> None:
    """More than one script may release: the workers' clocks go on."""
    parent = queue.enqueue(jobs.add)
    datas = [Queue.prepare_data(jobs.nothing, depends_on=parent) for _ in range(1200)]
    queue.enqueue_many(datas)
    launch('default', cls='SimpleWorker').ready()
    wait_until(lambda: len(queue.finished_job_registry) == 1201, 30, 'all of them run')
    assert not redis.exists('rq:releasing')


# --- rate limits ------------------------------------------------------------------------------------------------------


def counts_itself() -> None:
    """Notes how many run beside it; the first waits for company, because short jobs may never meet."""
    redis = jobs.redis()
    beside = redis.incr('test:beside')
    if beside > int(redis.get('test:most') or 0):
        redis.set('test:most', beside)
    if beside >= 2:
        redis.rpush('test:company', 1)
    elif redis.get('test:most') == b'1':
        redis.blpop('test:company', timeout=15)
    redis.decr('test:beside')


def test_slots_over_two_workers(redis: Redis, queue: Queue, other: Queue, launch: Launch) -> None:
    for _ in range(3):
        launch('default', 'other').ready()
    limit = RateLimit('k', 2)
    made = [(queue, other)[number % 2].enqueue(counts_itself, rate_limit=limit) for number in range(24)]
    wait_until(lambda: all(job.is_finished for job in made), 20, 'all of them run')
    assert redis.get('test:most') == b'2'
    assert redis.zcard('rq:rl:k:allowed') == redis.zcard('rq:rl:k:rate_limited') == 0


@pytest.mark.parametrize('end', ['kill', 'stop', 'cancel', 'delete'])
def test_a_violent_end_frees_the_slot(redis: Redis, queue: Queue, launch: Launch, end: str) -> None:
    limit = RateLimit('k', 1)
    holder = queue.enqueue(jobs.gate, rate_limit=limit)
    following = queue.enqueue(jobs.note, 'next', rate_limit=limit)
    launch('default').ready()
    horse = int(marked(redis, 'at gate'))
    if end == 'kill':
        os.kill(horse, 9)
    elif end == 'stop':
        send_stop_job_command(redis, holder.id)
    else:
        getattr(holder, end)()
        assert following.get_status() == 'rate_limited'
    wait_until(lambda: following.is_finished, 25, 'the next one gets the slot')


# --- repeats ----------------------------------------------------------------------------------------------------------


def test_repeats_with_an_interval(redis: Redis, queue: Queue, launch: Launch) -> None:
    job = queue.enqueue(jobs.note, 'x', repeat=Repeat(2, [1, 0]))
    child = note(queue, 'child', job)
    launch('default').ready()
    wait_until(lambda: job.is_finished, 12, 'the last repetition is over')
    assert marks(redis).count('x') == 3 and len(job.results()) == 3
    assert child.is_finished and marks(redis)[1] == 'child'  # the first success released it


def test_repeats_of_a_job_that_leaves_nothing(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(jobs.note, 'x', repeat=Repeat(2), result_ttl=0)
    burst(redis, queue)
    assert marks(redis) == ['x'] * 3 and not Job.exists(job.id, redis)
    assert redis.keys('rq:finished:*') == []
