"""The short way of plain jobs through slots, the points from which they go on by the long way, and short rounds."""

from __future__ import annotations

import asyncio
import contextvars
import os
import sys
import threading
import time
from types import ModuleType
from typing import Any

import pytest
from redis import Redis

from rq import Queue, Retry, SimpleWorker, get_current_job
from rq.connections import another, rebuild
from rq.eras import at_hand
from rq.executors.slots import Slot
from rq.job import Job
from rq.results import Result
from rq.rules.batching import BatchSize
from rq.worker import taken
from rq.worker.side_by_side import SideBySide
from tests.invariants import check
from tests.launch import burst, marks, told
from tests.waiting import wait_until

BOTH = pytest.mark.parametrize('word', ['thread', 'async'])


def adds(left: int, right: int) -> int:
    return left + right


async def adds_async(left: int, right: int) -> str:
    await asyncio.sleep(0)
    return f'{left + right} {threading.current_thread().name}'


def raises() -> None:
    raise ValueError('on purpose')


async def raises_async() -> None:
    await asyncio.sleep(0)
    raise ValueError('on purpose')


def asks() -> list[Any]:
    job = get_current_job()
    assert job is not None and job is get_current_job()
    job.meta['asked'], job.description = True, 'another one'
    job.save_meta()
    return [job.id, job.worker_name, job.connection is at_hand()]


async def asks_async() -> list[Any]:
    await asyncio.sleep(0)
    return asks()


def gives_what_cannot_be_stored() -> Any:
    return lambda: None


async def gives_what_cannot_be_stored_async() -> Any:
    return lambda: None


class Exits:
    def __reduce__(self) -> Any:
        sys.exit('on its way')


def gives_what_exits() -> Any:
    return Exits()


async def gives_what_exits_async() -> Any:
    await asyncio.sleep(0)
    return Exits()


_left: dict[str, Any] = {}


def leaves_a_thread() -> None:
    def asks_late() -> None:
        _left['may go on'].wait(20)
        job = get_current_job()
        _left['found'] = job.id if job is not None else None

    _left['may go on'] = threading.Event()
    _left['thread'] = threading.Thread(target=contextvars.copy_context().run, args=(asks_late,))
    _left['thread'].start()


def asks_what_was_left() -> Any:
    _left['may go on'].set()
    _left['thread'].join(20)
    return _left['found']


async def returns_late() -> str:
    """Swallow each interruption, and ask for no job."""
    freed = asyncio.ensure_future(asyncio.to_thread(_left['given up'].wait, 20))
    while not freed.done():
        try:
            await asyncio.shield(freed)
        except asyncio.CancelledError:
            continue
    return 'after all'


def frees_it(job_id: str) -> None:
    job = Job.fetch(job_id, connection=at_hand())
    wait_until(lambda: job.is_scheduled, 15, 'it is given up')
    _left['given up'].set()
    wait_until(lambda: _left['worker']._loop.executor.stuck == 0, 15, 'it has ended')


def asks_for_more() -> Retry:
    return Retry(max=1)


async def asks_for_more_async() -> Retry:
    return Retry(max=1)


def falls_out() -> str:
    return 'the worker' if os.fork() else 'its child'


async def keeps_busy(seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pass


class Late(SimpleWorker):
    def perform_job(self, *args: Any, **kwargs: Any) -> bool:
        self.connection.rpush('test:marks', 'seen')
        return super().perform_job(*args, **kwargs)


def replaces() -> None:
    """What a tracer does that is imported by a job."""
    sys.modules['rq_late_tracer'] = ModuleType('rq_late_tracer')
    SimpleWorker.perform_job = Late.perform_job  # type: ignore[method-assign]


@pytest.fixture
def queue(redis: Redis) -> Queue:
    return Queue(connection=redis)


def share(queue: Queue, word: str, function: Any, *args: Any, number: int = 3, **words: Any) -> list[Any]:
    made = [queue.enqueue(function, *args) for _ in range(number)]
    burst(queue.connection, queue, cls=SimpleWorker, executor=word, concurrency=4, **words)
    for job in made:
        job.refresh()
    return made


@BOTH
@pytest.mark.parametrize('function', [adds, adds_async])
def test_no_object_is_made_when_nobody_asks(queue: Queue, word: str, function: Any, monkeypatch: Any) -> None:
    made: list[str] = []
    of_claim = taken.of_claim
    monkeypatch.setattr(taken, 'of_claim', lambda *args: made.append('one') or of_claim(*args))
    found = share(queue, word, function, 1, 2, number=9)
    assert made == [] and check(queue.connection) == []
    for job in found:
        assert job.is_finished and job.return_value() == (3 if function is adds else '3 rq-loop')
        assert job.enqueued_at <= job.started_at <= job.ended_at and job.result_ttl is None


@BOTH
@pytest.mark.parametrize('function', [raises, raises_async])
def test_failures(queue: Queue, word: str, function: Any) -> None:
    heard: list[Any] = []
    made = share(queue, word, function, exception_handlers=[lambda job, *rest: heard.append(job.id)])
    for job in made:
        text = job.latest_result().exc_string
        assert job.is_failed and text.count('File "') == 1 and f'in {function.__name__}' in text
        assert [one.kind for one in job.attempts] == ['raised']
    assert sorted(heard) == sorted(job.id for job in made) and check(queue.connection) == []


@BOTH
@pytest.mark.parametrize('function', [asks, asks_async])
def test_who_asks_gets_its_job_and_what_it_changes_is_kept(queue: Queue, word: str, function: Any) -> None:
    for job in share(queue, word, function):
        assert job.return_value() == [job.id, job.worker_name, True]
        assert job.meta == {'asked': True} and job.description == 'another one'
    assert check(queue.connection) == []


@BOTH
@pytest.mark.parametrize('function', [gives_what_cannot_be_stored, gives_what_cannot_be_stored_async])
def test_what_cannot_be_stored(queue: Queue, word: str, function: Any) -> None:
    for job in share(queue, word, function):
        assert job.is_finished and 'cannot be stored' in job.warning


@BOTH
@pytest.mark.parametrize('function', [gives_what_exits, gives_what_exits_async])
def test_a_value_that_exits_when_it_is_stored(queue: Queue, word: str, function: Any) -> None:
    """As in a worker of one job, and others find its place free."""
    alone = queue.enqueue(function)
    burst(queue.connection, queue, cls=SimpleWorker)
    found = [job.latest_result() for job in (alone, *share(queue, word, function, number=9))]
    assert {one.type for one in found} == {Result.Type.FAILED}
    assert {one.exc_string.splitlines()[-1] for one in found} == {'SystemExit: on its way'}
    assert check(queue.connection) == []


@BOTH
def test_what_a_job_leaves_behind_is_in_no_books(queue: Queue, word: str, monkeypatch: Any) -> None:
    """A thread that asks for its job when that has ended, and another one has its place."""
    books: list[Any] = []
    leave = Slot.leave

    def looks(slot: Slot, was_struck: bool) -> None:
        books.append((id(slot), [lease.job_id for lease in slot.hooks.leases.values()], len(slot.hooks.executions)))
        leave(slot, was_struck)

    monkeypatch.setattr(Slot, 'leave', looks)
    first = queue.enqueue(leaves_a_thread)
    second = queue.enqueue(asks_what_was_left, depends_on=first)
    burst(queue.connection, queue, cls=SimpleWorker, executor=word, concurrency=4)
    assert second.return_value() == first.id
    place = books[0][0]
    assert books == [(place, [], 0), (place, [second.id], 1)]


def test_who_returns_after_all_takes_nothing_back(queue: Queue, monkeypatch: Any) -> None:
    """It was given up, and others were told; the next attempt waits."""
    claimed: list[Any] = []
    monkeypatch.setattr('rq.rules.watch.KILL_GRACE', 0.2)
    monkeypatch.setattr('rq.executions.take_lease', lambda *args: claimed.append(args))
    job = queue.enqueue(returns_late, job_timeout=1, retry=Retry(max=1, interval=600))
    queue.enqueue(frees_it, job.id)
    words: Any = {'executor': 'async', 'concurrency': 4, 'exception_handlers': [lambda *rest: True]}
    _left['worker'] = worker = SimpleWorker([queue], connection=queue.connection, **words)
    _left['given up'] = threading.Event()
    worker.work(burst=True)
    assert claimed == [] and job.is_scheduled and check(queue.connection) == []


@BOTH
@pytest.mark.parametrize('function', [asks_for_more, asks_for_more_async])
def test_another_go(queue: Queue, word: str, function: Any) -> None:
    for job in share(queue, word, function):
        assert [one.type.name for one in job.results()] == ['MAX_RETRIES_EXCEEDED', 'RETRIED']
    assert check(queue.connection) == []


def test_a_descendant_has_no_say(queue: Queue) -> None:
    assert [job.return_value() for job in share(queue, 'thread', falls_out)] == ['the worker'] * 3


@BOTH
def test_a_payload_that_cannot_be_loaded(queue: Queue, word: str) -> None:
    job = queue.enqueue(adds, 1, 2)
    queue.connection.hset(job.key, 'data', b'rubbish')
    share(queue, word, adds, 1, 2)
    assert 'cannot be loaded' in job.latest_result().exc_string and job.is_failed  # type: ignore[union-attr]


@BOTH
def test_a_part_of_us_that_is_replaced_by_a_job(queue: Queue, word: str, monkeypatch: Any) -> None:
    monkeypatch.setattr(SimpleWorker, 'perform_job', SimpleWorker.perform_job)
    monkeypatch.delitem(sys.modules, 'rq_late_tracer', raising=False)
    share(queue, word, replaces, number=1)
    assert marks(queue.connection) == []
    share(queue, word, adds_async, 1, 2)
    assert marks(queue.connection) == ['seen'] * 3


def test_a_job_of_the_short_way_is_told_of_its_end_from_outside(queue: Queue) -> None:
    """Who judges it needs its object, which the job itself has not asked for."""
    job = queue.enqueue('tests.executors.side.waits_async', 'waits', job_timeout=1, retry=None)
    burst(queue.connection, queue, cls=SimpleWorker, executor='async', concurrency=4)
    job.refresh()
    assert job.is_failed and job.attempts[0].kind == 'timed_out' and told(queue.connection) == []


@BOTH
def test_who_keeps_the_loop_to_itself_has_its_limit(queue: Queue, word: str) -> None:
    share(queue, word, keeps_busy, 0, number=1)
    good, bad = queue.enqueue(keeps_busy, 0), queue.enqueue(keeps_busy, 20, job_timeout=1)
    share(queue, word, adds_async, 1, 2)
    text = bad.latest_result().exc_string  # type: ignore[union-attr]
    assert 'exceeded maximum timeout value (1 seconds)' in text and 'in keeps_busy' in text
    assert good.is_finished and bad.attempts[0].kind == 'timed_out' and check(queue.connection) == []


def test_one_more_client_has_a_pool_of_its_own(redis: Redis) -> None:
    class Other(Redis):
        pass

    first = rebuild(redis, retries=True)
    for one in (first, rebuild(Other(connection_pool=redis.connection_pool), retries=True)):
        more = another(one)
        assert type(more) is type(one) and more.connection_pool is not one.connection_pool
        more.set('test:one', 'more')
        more.connection_pool.disconnect()
        assert one.get('test:one') == b'more'
        more.close()
        one.close()


class Rounds(SideBySide):
    """With so many places taken, and more that ended while we waited."""

    def __init__(self, taken: int, later: int = 0) -> None:
        self.running = dict.fromkeys(map(str, range(taken)))  # type: ignore[arg-type]
        self.executor = type('Nothing', (), {'stuck': 0})
        self._open, self._sizes, self._streak, self.batch_seconds = [], BatchSize(0), 1, 0
        self._later = later
        self.attend = self._attend

    def _attend(self, seconds: float) -> bool:
        for _ in range(self._later):
            self.running.popitem()
        return False


def test_how_many_places_a_round_fills() -> None:
    calm = float('inf')
    idle = Rounds(0)
    idle._streak = 0
    assert idle._places_of_a_round(100) == 100 and Rounds(0)._places_of_a_round(100) == 33
    assert Rounds(99, later=3)._places_of_a_round(100) == 4
    waiting = Rounds(60)
    waiting._calm_until = calm
    assert waiting._places_of_a_round(100) == 12
    assert Rounds(60)._places_of_a_round(100) == 33  # nobody has waited: whoever has so much to do does it at once
    few = Rounds(5)
    few._calm_until = calm
    assert few._places_of_a_round(8) == 3


def test_of_many_those_whose_time_is_over_are_found(queue: Queue) -> None:
    """Not all are looked at in each turn."""
    slow = queue.enqueue('tests.executors.side.waits_async', 'slow', job_timeout=1)
    others = [queue.enqueue(adds, 1, 2) for _ in range(200)]
    burst(queue.connection, queue, cls=SimpleWorker, executor='async', concurrency=20)
    wait_until(lambda: slow.is_failed and all(job.is_finished for job in others), 10, 'all have ended')
    assert check(queue.connection) == [] and isinstance(others[0], Job)
