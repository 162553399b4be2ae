"""The short way of a failing job leaves what the long one leaves."""

import logging
from typing import Any

import pytest
from redis import Redis

from rq import Queue, Retry, SimpleWorker, get_current_job
from rq.worker.short_failure import ShortFailures
from tests.launch import burst, told

SECRET = 'correct horse battery'


class Odd(Exception):
    """One of somebody's own."""


class Grouped(Exception):
    """Says what it is to be grouped by."""

    rq_fingerprint = 'all of them'


def breaks(number: int) -> None:
    raise ValueError(f'order {number} is broken')


def signs_in(password: str) -> None:
    raise Odd(f'{password} is wrong')


def chains() -> None:
    try:
        {}['missing']
    except KeyError as error:
        raise Grouped('no such thing') from error


def asks() -> None:
    assert get_current_job() is not None
    raise ValueError('it has seen its job')


class Long(SimpleWorker):
    """Takes the long way, because a part of it is somebody's."""

    def handle_exception(self, job: Any, *exc_info: Any) -> None:
        super().handle_exception(job, *exc_info)


CASES: dict[str, tuple[Any, tuple[Any, ...], dict[str, Any]]] = {
    'plain': (breaks, (7,), {}),
    'kept for a minute': (breaks, (7,), {'failure_ttl': 60}),
    'secret': (signs_in, (SECRET,), {}),
    'chain': (chains, (), {}),
    'retried': (breaks, (7,), {'retry': Retry(2)}),
    'retried later': (breaks, (7,), {'retry': Retry(2, interval=[5, 600])}),
    'retried first': (breaks, (7,), {'retry': Retry(1, enqueue_at_front=True)}),
    'its job was asked for': (asks, (), {}),
}
_OWN = ('worker_name', 'execution_id', 'pid')


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Of each failure whether it took the short way."""
    found: list[bool] = []
    settle = ShortFailures.settle

    def noted(self: Any, *words: Any) -> bool:
        found.append(settle(self, *words))
        return found[-1]

    monkeypatch.setattr(ShortFailures, 'settle', noted)
    return found


def left(redis: Redis, queue: Queue, cls: Any, name: str, **more: Any) -> dict[str, Any]:
    """What a job of a case leaves, without what is of its own."""
    function, args, words = CASES[name]
    redis.flushdb()
    job = queue.enqueue(function, *args, job_id='the-job', **words)
    burst(redis, queue, cls=cls, **more)
    job.refresh()
    attempts = [{k: v for k, v in vars(one).items() if k not in _OWN and '_at' not in k} for one in job.attempts]
    fields = set(redis.hkeys(job.key))
    result = job.latest_result()
    return {
        'status': job.get_status(), 'attempts': attempts, 'fields': fields, 'retries left': job.retries_left,
        'text': result.exc_string if result else None, 'ttl': redis.ttl(job.key) // 10,
        'failed': queue.failed_job_registry.get_job_ids(), 'scheduled': queue.scheduled_job_registry.get_job_ids(),
        'groups': [redis.hmget(key, 'count', 'title', 'message', 'frames') for key in redis.keys('rq:failure:*')],
        'keys': sorted(redis.keys('*the-job*')),
    }  # fmt: skip


@pytest.mark.parametrize('name', CASES)
def test_it_leaves_the_same(
    redis: Redis, queue: Queue, settled: list[bool], caplog: pytest.LogCaptureFixture, name: str
) -> None:
    caplog.set_level(logging.INFO, 'rq.worker')

    def lines(cls: Any) -> tuple[dict[str, Any], list[Any]]:
        caplog.clear()
        found = left(redis, queue, cls, name)
        said = [one for one in caplog.records if one.levelno >= logging.WARNING or 'tried again' in one.getMessage()]
        return found, [
            (one.levelno, str(one.msg), one.getMessage().partition(': ')[2], getattr(one, 'arguments', None))
            for one in said
        ]

    short = lines(SimpleWorker)
    assert settled and (name == 'its job was asked for') is not settled[0]
    settled.clear()
    long = lines(Long)
    for word, value in long[0].items():
        assert short[0][word] == value, word
    assert short[1] == long[1]
    assert not any(settled)
    assert SECRET not in str(short)


def hears(job: Any, *exc_info: Any) -> bool:
    job.connection.rpush('test:told', f'{exc_info[1]}')
    return True


@pytest.mark.parametrize('words', [{'exception_handlers': [hears]}, {'final_failure_handlers': [hears]}])
def test_whoever_listens_is_told(redis: Redis, queue: Queue, settled: list[bool], words: dict[str, Any]) -> None:
    left(redis, queue, SimpleWorker, 'plain', **words)
    assert told(redis) == ['order 7 is broken']
    assert settled == [False]


def test_a_hook_that_came_later_is_asked(redis: Redis, queue: Queue, settled: list[bool]) -> None:
    worker = SimpleWorker([queue], connection=redis)
    for number in (1, 2):
        queue.enqueue(breaks, number)
        if number == 2:
            worker.fingerprint = lambda job, failure, proposed: 'mine'  # type: ignore[method-assign]
        worker.work(burst=True)
    assert settled == [True, False]
    assert sorted(redis.hget(key, 'title') for key in redis.keys('rq:failure:*'))[-1] == b'mine'


def test_batches_take_it_too(redis: Redis, queue: Queue, settled: list[bool]) -> None:
    jobs = [queue.enqueue(breaks, number, retry=Retry(1)) for number in range(20)]
    burst(redis, queue, cls=SimpleWorker, batch_ms=50)
    assert settled == [True] * 40
    assert all(job.is_failed and len(job.attempts) == 2 for job in jobs)
