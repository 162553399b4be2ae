"""What workers make of failures: groups of one cause, whatever the jobs ran in and however they ended."""

import signal
import warnings
from typing import Any

import pytest
from redis import Redis

from rq import Queue, Retry, SimpleWorker, SpawnWorker, Worker
from rq.store import failures, keys
from rq.store.failures import StoredGroup
from tests import jobs
from tests.invariants import check


class CardError(Exception):
    """An error that says what it is to be grouped by."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.rq_fingerprint = 'the card service is down'


class OddError(Exception):
    """An error that raises when it is asked for anything."""

    @property
    def rq_fingerprint(self) -> str:
        """No."""
        raise RuntimeError('no')


def sell(number: int) -> None:
    """Fails with another message each time, one call deeper each time."""
    if number % 3:
        sell(number - 1)
    raise ValueError(f'order {number} of "customer {number}" at /srv/{number}.csv')


def pays(number: int) -> None:
    """Fails on purpose."""
    raise CardError(f'attempt {number}')


def pays_elsewhere() -> None:
    """The same, from another place."""
    raise CardError('another way')


def odd() -> None:
    """Fails oddly."""
    raise OddError


def work(queue: Queue, kind: type[Any] = SimpleWorker, **words: Any) -> None:
    kind([queue], connection=queue.connection, **words).work(burst=True, logging_level='CRITICAL')


def groups(redis: Redis) -> list[StoredGroup]:
    return failures.groups_page(redis)


@pytest.mark.parametrize('kind', [Worker, SimpleWorker, SpawnWorker])
def test_one_cause_is_one_group(redis: Redis, queue: Queue, kind: type[Any]) -> None:
    for number in range(4):
        queue.enqueue(sell, number)
    job = queue.enqueue(sell, 4, retry=Retry(max=2))
    work(queue, kind)
    (group,) = groups(redis)
    assert group.title == f'ValueError in {__name__}:sell'
    assert (group.count, group.failed_count, sum(group.trend)) == (7, 5, 7)
    assert group.message == 'order <n> of <text> at <path>'
    assert {attempt.group for attempt in job.attempts} == {group.id} and len(job.attempts) == 3
    (bucket,) = group.buckets
    assert (bucket.queue, bucket.function) == ('default', f'{__name__}.sell')
    assert check(redis) == []


def test_the_same_cause_in_every_executor(redis: Redis, queue: Queue) -> None:
    for kind in (Worker, SimpleWorker, SpawnWorker):
        queue.enqueue(sell, 1)
        work(queue, kind)
    assert [group.count for group in groups(redis)] == [3]


def test_an_exception_that_says_what_it_is_grouped_by(redis: Redis, queue: Queue) -> None:
    queue.enqueue(pays, 1)
    queue.enqueue(pays, 2)
    queue.enqueue(pays_elsewhere)
    queue.enqueue(odd)
    work(queue)
    other, group = groups(redis)
    assert (group.title, group.count) == ('the card service is down', 3)
    assert other.title == f'OddError in {__name__}:odd'


def test_killed(redis: Redis, queue: Queue) -> None:
    for signum in (9, 9, 6):
        queue.enqueue(jobs.kills_itself, signum)
    queue.enqueue(jobs.exits, 3)
    queue.enqueue(jobs.nothing)
    work(queue, Worker)
    found = {group.title: (group.count, group.kind) for group in groups(redis)}
    assert found == {
        'Killed by signal 9 in tests.jobs.kills_itself': (2, 'killed'),
        'Killed by signal 6 in tests.jobs.kills_itself': (1, 'killed'),
        'SystemExit in tests.jobs:exits': (1, 'raised'),
    }
    assert check(redis) == []


def test_not_importable_and_undecodable(redis: Redis, queue: Queue) -> None:
    for name in ('no.such', 'no.such', 'tests.jobs.missing'):
        queue.enqueue(name)
    for number in range(2):
        job = queue.enqueue(jobs.nothing)
        redis.hset(job.key, 'data', f'nonsense {number}')
    work(queue)
    found = sorted((group.kind, group.count) for group in groups(redis))
    assert found == [('not_importable', 1), ('not_importable', 2), ('undecodable', 2)]


def test_stopped_and_successful_jobs_are_in_no_group(redis: Redis, queue: Queue) -> None:
    queue.enqueue(jobs.nothing)
    queue.enqueue(jobs.returns_retry, 1)
    work(queue)
    (group,) = groups(redis)
    assert group.title == 'Retry: it asked for more than <n> retries in tests.jobs.returns_retry'
    assert check(redis) == []


def test_a_worker_of_the_old_era(redis: Redis, queue: Queue) -> None:
    """Counted when the failure is decided; it stands in its bucket when the default handler has stored it."""
    queue.enqueue(sell, 0)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # the old word is warned of once a process
        work(queue, exc_handler=jobs.foo_handler)
    assert [(group.count, group.failed_count) for group in groups(redis)] == [(1, 1)]
    assert check(redis) == []


def test_requeued_and_succeeded(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(jobs.fails_until, 1)
    work(queue)
    assert groups(redis)[0].failed_count == 1
    job.requeue()
    work(queue)
    assert job.is_finished
    assert [(group.count, group.failed_count) for group in groups(redis)] == [(1, 0)]
    assert check(redis) == []


# --- the hook -----------------------------------------------------------------------------------------------------


class ByQueue:
    """Groups by the queue."""

    def fingerprint(self, job: Any, failure: Any, proposed: Any) -> str | None:
        """Its name."""
        return f'{job.origin} {failure.type_name} {proposed.kind}'


class SimpleByQueue(ByQueue, SimpleWorker):
    """In the process of the worker."""


class ForkedByQueue(ByQueue, Worker):
    """In a forked one."""


class SpawnedByQueue(ByQueue, SpawnWorker):
    """In a new one."""


@pytest.mark.parametrize('kind', [SimpleByQueue, ForkedByQueue, SpawnedByQueue])
def test_a_worker_that_groups_its_own_way(redis: Redis, queue: Queue, kind: type[Any]) -> None:
    job = queue.enqueue(sell, 0)
    queue.enqueue(jobs.div)
    work(queue, kind)
    assert {group.title for group in groups(redis)} == {'default ValueError raised', 'default ZeroDivisionError raised'}
    assert job.attempts[0].group in {group.id for group in groups(redis)}


def raises(job: Any, failure: Any, proposed: Any) -> str:
    """A hook that fails."""
    raise KeyError('hook')


@pytest.mark.parametrize('hook', [raises, lambda *words: None, lambda *words: 17, lambda: 'x', lambda *words: ''])
@pytest.mark.parametrize('kind', [SimpleWorker, Worker])
def test_a_hook_that_does_not_answer_changes_nothing(redis: Redis, queue: Queue, hook: Any, kind: Any) -> None:
    job = queue.enqueue(sell, 0)
    worker = kind([queue], connection=redis)
    worker.fingerprint = hook
    worker.work(burst=True, logging_level='CRITICAL')
    assert job.is_failed
    assert [group.title for group in groups(redis)] == [f'ValueError in {__name__}:sell']


def test_a_hook_that_hangs_is_ended(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(sell, 0)
    worker = Worker([queue], connection=redis)
    worker.fingerprint = lambda *words: signal.pause()  # type: ignore[method-assign]
    worker.handler_timeout = 1
    worker.work(burst=True, logging_level='CRITICAL')
    assert job.is_failed
    assert [group.title for group in groups(redis)] == [f'ValueError in {__name__}:sell']


# --- a broken group -----------------------------------------------------------------------------------------------


def test_broken_keys_end_no_job(redis: Redis, queue: Queue) -> None:
    queue.enqueue(sell, 0)
    work(queue)
    (group,) = groups(redis)
    for key in (keys.FAILURES, keys.failure(group.id), keys.failed_in(group.buckets[0].name)):
        redis.delete(key)
        redis.lpush(key, 'x')
        job = queue.enqueue(sell, 0)
        work(queue)
        assert job.is_failed and job.id in groups(redis)[0].sample_ids
