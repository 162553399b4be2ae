"""Many jobs in one process, as threads and as coroutines: side by side, each with its own end."""

import os
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from redis import Redis

from rq import Callback, Queue, Retry, SimpleWorker
from rq.command import send_stop_job_command
from rq.rules.lease import Lease
from rq.rules.watch import Why
from rq.store import claim, keys, settle
from rq.store.call import enqueue_on, run
from tests import jobs
from tests.executors import side
from tests.invariants import check
from tests.launch import burst, expire, marked, marks, told
from tests.waiting import wait_until

BOTH = pytest.mark.parametrize('word', ['thread', 'async'])


@pytest.fixture(autouse=True)
def nobody_is_left() -> Iterator[None]:
    """Jobs that are held in a thread come free, and each test has barriers of its own."""
    side.barriers.clear()
    yield
    for barrier in side.barriers.values():
        if isinstance(barrier, threading.Event):
            barrier.set()


def learn(queue: Queue, function: Any, *args: Any) -> None:
    """Let a worker find out that this is a coroutine function."""
    queue.enqueue(function, *args)


def share(redis: Redis, queue: Queue, word: str = 'async', concurrency: int = 4, **words: Any) -> Any:
    """A worker of this kind that has worked its queue off."""
    return burst(redis, queue, cls=words.pop('cls', SimpleWorker), executor=word, concurrency=concurrency, **words)


class Aside:
    """A worker that works in a thread of this process until it is told to leave."""

    def __init__(self, redis: Redis, queue: Queue, word: str = 'async', concurrency: int = 4, **words: Any) -> None:
        cls = words.pop('cls', SimpleWorker)
        self.worker = cls([queue], connection=redis, executor=word, concurrency=concurrency, **words)
        self.raised: BaseException | None = None
        self._thread = threading.Thread(target=self._work)

    def _work(self) -> None:
        try:
            self.worker.work()
        except BaseException as error:
            self.raised = error

    def __enter__(self) -> Any:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.worker._stop_requested = True
        self.join()

    def join(self) -> None:
        self._thread.join(20)
        assert not self._thread.is_alive()


@BOTH
def test_side_by_side(redis: Redis, queue: Queue, word: str) -> None:
    made = [queue.enqueue(side.meets, 4) for _ in range(8)]
    share(redis, queue, word)
    threads = set()
    for job in made:
        job_id, name = job.return_value().split()  # type: ignore[union-attr]
        assert job_id == job.id and name.startswith('rq-slot-')
        threads.add(name)
    assert len(threads) >= 4 and check(redis) == []


@BOTH
def test_coroutines_on_one_loop(redis: Redis, queue: Queue, word: str) -> None:
    made = [queue.enqueue(side.meets_async, 4) for _ in range(12)]
    share(redis, queue, word)
    assert [job.return_value() for job in made] == [f'{job.id} rq-loop' for job in made]
    assert check(redis) == []


@BOTH
def test_a_function_that_returns_a_coroutine(redis: Redis, queue: Queue, word: str) -> None:
    made = [queue.enqueue(side.makes_coroutine) for _ in range(3)]
    share(redis, queue, word)
    assert [job.return_value() for job in made] == ['rq-loop'] * 3


def test_outcomes_of_coroutines(redis: Redis, queue: Queue) -> None:
    for function in (side.fails_async, side.exits_async, side.cancels_itself, side.forks_async):
        made = [queue.enqueue(function) for _ in range(3)]
        share(redis, queue, concurrency=1)
        if function is side.forks_async:
            assert [job.return_value() for job in made] == ['parent'] * 3
            continue
        texts = [job.latest_result().exc_string for job in made]  # type: ignore[union-attr]
        what = {side.fails_async: 'ValueError: it broke', side.exits_async: 'SystemExit: 3'}
        assert all(what.get(function, 'CancelledError') in text for text in texts)
        assert all(job.is_failed for job in made)
    assert check(redis) == []


def test_callbacks_and_handlers_of_coroutines(redis: Redis, queue: Queue) -> None:
    learn(queue, side.where)
    learn(queue, side.fails_async)
    share(redis, queue, exception_handlers=[])
    redis.delete('test:told')
    good = queue.enqueue(side.where, on_success=Callback(jobs.on_success))
    bad = queue.enqueue(side.fails_async, on_failure=Callback(jobs.on_failure), retry=Retry(max=1))
    ugly = queue.enqueue(side.where, on_success=Callback(jobs.raising_callback))
    again = queue.enqueue(side.returns_retry_async)
    share(redis, queue, concurrency=1, exception_handlers=[jobs.foo_handler])
    share(redis, queue, concurrency=1, exception_handlers=[jobs.foo_handler])
    assert [word.split()[0] for word in told(redis) if good.id in word] == ['success']
    assert [word.split()[0] for word in told(redis) if bad.id in word] == ['failure', 'foo'] * 2
    assert [word.split()[0] for word in told(redis) if ugly.id in word] == ['raising', 'foo']
    assert [job.get_status() for job in (good, bad, ugly, again)] == ['finished', 'failed', 'failed', 'failed']
    assert marks(redis) == ['tried'] * 2 and check(redis) == []


@BOTH
@pytest.mark.parametrize('function', [side.waits_async, side.spins])
def test_a_time_limit(redis: Redis, queue: Queue, word: str, function: Any) -> None:
    made = [queue.enqueue(function, 'on', job_timeout=1, retry=Retry(max=1)) for _ in range(2)]
    good = queue.enqueue(side.where)
    share(redis, queue, word, exception_handlers=[jobs.foo_handler])
    for job in made:
        result: Any = job.latest_result()
        assert (
            job.is_failed
            and 'JobTimeoutException: Task exceeded maximum timeout value (1 seconds)' in result.exc_string
        )
        assert function.__name__ in result.exc_string  # says where it was
        assert [one.kind for one in job.attempts] == ['timed_out'] * 2
    assert [word.split()[2] for word in told(redis)] == ['JobTimeoutException'] * 4
    assert good.is_finished and check(redis) == []


def test_the_place_of_a_coroutine_whose_time_is_over(redis: Redis, queue: Queue) -> None:
    made = [queue.enqueue(side.waits_async, job_timeout=1, keep_on_failure='locals') for _ in range(2)]
    share(redis, queue, concurrency=1)
    for job in made:
        (attempt,) = job.attempts
        assert 'in _pauses' in attempt.exc_string and 'in the coroutine' in str(attempt.chain)


def test_what_cannot_be_interrupted_is_given_up(redis: Redis, queue: Queue, monkeypatch: Any) -> None:
    """Its outcome is recorded, its end counts for nothing, and its place is taken until then."""
    monkeypatch.setattr('rq.rules.watch.KILL_GRACE', 0.2)
    job = queue.enqueue(side.held, job_timeout=1)
    with Aside(redis, queue, 'thread', 2, exception_handlers=[jobs.foo_handler]) as aside:
        wait_until(lambda: job.is_failed, 10, 'it is given up')
        result: Any = job.latest_result()
        assert 'did not react, so it was given up' in result.exc_string
        assert [word.split()[0] for word in told(redis)] == ['foo']
        pool = aside.worker._loop.executor
        assert pool.stuck == 1 and queue.enqueue(jobs.add) and aside.raised is None
        side.barriers['side'].set()
        wait_until(lambda: pool.stuck == 0, 10, 'the thread has ended')
        one, two = queue.enqueue(side.meets, 2), queue.enqueue(side.meets, 2)
        wait_until(lambda: one.is_finished and two.is_finished, 10, 'there is room for two')
    assert job.is_failed and len(job.results()) == 1 and check(redis) == []


def test_a_worker_whose_places_are_all_taken_leaves(redis: Redis, queue: Queue, monkeypatch: Any) -> None:
    monkeypatch.setattr('rq.rules.watch.KILL_GRACE', 0.2)
    made = [queue.enqueue(side.held, f'h{number}', job_timeout=1) for number in range(2)]
    after = queue.enqueue(jobs.add)
    with Aside(redis, queue, 'thread', 2) as aside:
        aside.join()
    assert isinstance(aside.raised, SystemExit) and aside.raised.code == 1
    assert all(job.is_failed for job in made) and after.is_queued and check(redis) == []


@pytest.mark.parametrize('function', [side.waits_async, side.spins, side.held])
def test_stop(redis: Redis, queue: Queue, function: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr('rq.executors.pool._PATIENCE', dict.fromkeys(Why, 0.5))
    learn(queue, side.where)
    with Aside(redis, queue, exception_handlers=[jobs.foo_handler], name='w'):
        for number in range(2):
            job = queue.enqueue(function, f'run {number}', on_stopped=Callback(jobs.on_stopped), retry=Retry(max=3))
            marked(redis, f'run {number}')
            send_stop_job_command(redis, job.id)
            wait_until(partial(getattr, job, 'is_stopped'), 10, 'it is stopped')
            assert told(redis)[-1] == f'stopped {job.id} {os.getpid()}'
            result: Any = job.latest_result()
            assert result.exc_string == 'Job stopped by user, work-horse terminated.'
        good = queue.enqueue(jobs.add)
        wait_until(lambda: good.is_finished, 10, 'the worker lives')
        if 'side' in side.barriers:
            side.barriers['side'].set()
    assert len(told(redis)) == 2 and check(redis) == []


@pytest.mark.parametrize('function', [side.waits_async, side.spins])
def test_a_lost_lease_ends_the_job_silently(redis: Redis, queue: Queue, function: Any) -> None:
    learn(queue, side.where)
    with Aside(redis, queue, exception_handlers=[jobs.foo_handler]) as aside:
        aside.worker.renew_interval = 0.1
        job = queue.enqueue(function, 'runs')
        marked(redis, 'runs')
        wait_until(lambda: redis.zcard(keys.wip(queue.name)) == 1, 10, 'the other one is off the books')
        take_over(redis, job)
        pool = aside.worker._loop.executor
        wait_until(lambda: not pool._rides, 10, 'it has ended')
    assert job.is_finished and told(redis) == [] and len(job.results()) == 1 and check(redis) == []


def take_over(redis: Redis, job: Any) -> None:
    """Another worker takes it for abandoned, and finishes it."""
    (member,) = redis.zrange(keys.wip(job.origin), 0, -1)
    rescue = claim.rescue(job.origin, 'other', ['theirs'], cleaning=True)
    with redis.pipeline() as together:  # its own worker renews all the time
        together.zadd(keys.wip(job.origin), {member: 1}).zadd(keys.leases(job.origin), {member: 1})
        enqueue_on(together, rescue)
        (orphan,) = rescue.decode(together.execute()[-1]).orphans
    run(redis, settle.finish(Lease(orphan.job_id, orphan.execution, job.origin, 'other'), 500, None, (), {}))


@pytest.mark.parametrize('function', [side.waits_async, side.spins, side.held])
def test_out_of_grace(redis: Redis, queue: Queue, function: Any) -> None:
    """What runs goes back to its queue, uncharged."""
    learn(queue, side.where)
    with Aside(redis, queue, exception_handlers=[jobs.foo_handler]) as aside:
        aside.worker.shutdown_grace = 0.2
        made = [queue.enqueue(function, f'runs {number}', retry=Retry(max=1)) for number in range(2)]
        for number in range(2):
            marked(redis, f'runs {number}')
        aside.worker._stop_requested = True
        aside.worker._loop.warm_shutdown_begins()
        aside.join()
    assert {job.get_status().value for job in made} == {'queued'} and sorted(queue.job_ids) == sorted(
        job.id for job in made
    )
    assert told(redis) == [] and all(job.attempts == [] for job in made)


def test_warm_shutdown_waits(redis: Redis, queue: Queue) -> None:
    with Aside(redis, queue, 'thread') as aside:
        made = [queue.enqueue(side.held, f'h{number}') for number in range(3)]
        for number in range(3):
            marked(redis, f'h{number}')
        late = queue.enqueue(jobs.add)
        wait_until(lambda: late.is_finished, 10, 'there is room for a fourth')
        aside.worker._stop_requested = True
        aside.worker._loop.warm_shutdown_begins()
        left = queue.enqueue(jobs.add)
        side.barriers['side'].set()
        aside.join()
    assert [job.return_value() for job in made] == ['held'] * 3 and left.is_queued and check(redis) == []


def test_who_keeps_the_loop_to_itself_is_ended(redis: Redis, queue: Queue, monkeypatch: Any) -> None:
    """Those that it kept waiting go back, and run."""
    monkeypatch.setattr('rq.rules.watch.KILL_GRACE', 0.2)
    learn(queue, side.where)
    learn(queue, side.fails_async)
    share(redis, queue)
    with Aside(redis, queue):
        first = queue.enqueue(side.where)
        wait_until(lambda: first.is_finished, 10, 'the loop turns')
        bad = queue.enqueue(side.keeps_the_loop, job_timeout=1)
        wait_until(lambda: bad.is_failed, 15, 'it is given up')
        good = queue.enqueue(side.where)
        wait_until(lambda: good.is_finished, 15, 'the loop turns again')
    assert check(redis) == []


@pytest.mark.parametrize('function', [side.deaf_async, side.deafest_async])
def test_a_coroutine_that_swallows_its_cancelling(redis: Redis, queue: Queue, monkeypatch: Any, function: Any) -> None:
    monkeypatch.setattr('rq.rules.watch.KILL_GRACE', 0.2)
    with Aside(redis, queue) as aside:
        job = queue.enqueue(function, job_timeout=1)
        wait_until(lambda: job.is_failed, 10, 'it is given up')
        side.barriers['side'].set()
        wait_until(lambda: aside.worker._loop.executor.stuck == 0, 10, 'it has ended')
    assert len(job.results()) == 1 and check(redis) == []


def test_a_success_callback_out_of_time(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(side.where, on_success=Callback(side.spins_on_success, timeout=1))
    share(redis, queue)
    result: Any = job.latest_result()
    assert job.is_failed and 'JobTimeoutException' in result.exc_string and check(redis) == []


def test_a_handler_that_cannot_be_interrupted(redis: Redis, queue: Queue, monkeypatch: Any) -> None:
    monkeypatch.setattr('rq.rules.watch.KILL_GRACE', 0.2)
    handlers = [jobs.foo_handler, side.held_in_handler, jobs.bar_handler]
    job = queue.enqueue(jobs.fail, description='held')
    with Aside(redis, queue, exception_handlers=handlers) as aside:
        aside.worker.handler_timeout = 1
        wait_until(lambda: job.is_failed, 15, 'the failure is stored')
    assert [word.split()[0] for word in told(redis)] == ['foo', 'bar']
    result: Any = job.latest_result()
    assert 'exception handler 2 did not end in its time' in result.exc_string and check(redis) == []


@BOTH
def test_wrapped_seams_are_called(redis: Redis, queue: Queue, word: str, monkeypatch: Any) -> None:
    """Side by side all the same, and who looks when ours returns sees the outcome."""
    made = [queue.enqueue(side.meets_async, 3) for _ in range(6)]
    share(redis, queue, word, cls=side.Clocked)
    for job in made:
        assert job.return_value() == f'{job.id} rq-loop'
        assert marks(redis).index(f'begin {job.id}') < marks(redis).index(f'end {job.id} finished')
    assert check(redis) == []


def test_a_job_class_that_executes_in_its_own_way(redis: Redis, queue: Queue) -> None:
    made = [queue.enqueue(side.where) for _ in range(3)]
    share(redis, queue, job_class=side.OtherJob)
    assert marks(redis) == ['executes'] * 3 and [job.return_value() for job in made] == ['rq-loop'] * 3


@BOTH
def test_an_override_that_raises(redis: Redis, queue: Queue, word: str) -> None:
    made = [queue.enqueue(jobs.add) for _ in range(3)]
    share(redis, queue, word, cls=side.Broken)
    for job in made:
        result: Any = job.latest_result()
        assert job.is_failed and 'an override is broken' in result.exc_string
    assert check(redis) == []


@pytest.mark.parametrize('function', [side.talks, side.talks_async])
def test_what_each_of_them_says(redis: Redis, queue: Queue, function: Any, capsys: Any) -> None:
    made = {word: queue.enqueue(function, 3, word, keep_on_failure='output') for word in ('one', 'two', 'three')}
    share(redis, queue)
    for word, job in made.items():
        output = job.attempts[0].output
        assert output.startswith(f'{word} prints\n') and output.endswith(f'WARNING of.job: {word} logs\n')
        assert output.count('\n') == 2
    assert 'one prints' in capsys.readouterr().out


def test_no_reply_of_an_interrupted_conversation_is_taken_for_another(redis: Redis, queue: Queue) -> None:
    made = [queue.enqueue(side.echoes, job_timeout=1) for _ in range(3)]
    share(redis, queue, 'thread', concurrency=1)
    after = queue.enqueue(side.echoes, 0.2)
    share(redis, queue, 'thread', concurrency=1)
    assert [job.attempts[0].kind for job in made] == ['timed_out'] * 3 and after.is_finished


def test_an_orphan_is_rescued_beside_running_jobs(redis: Redis, queue: Queue) -> None:
    lost = queue.enqueue(jobs.add)
    claim_and_vanish(redis, queue)
    expire(redis)
    with Aside(redis, queue, 'thread', exception_handlers=[jobs.foo_handler]) as aside:
        aside.worker.rescue_interval = 0.1
        busy = queue.enqueue(side.held)
        wait_until(lambda: lost.is_failed, 15, 'it is taken over')
        side.barriers['side'].set()
        wait_until(lambda: busy.is_finished, 10, 'the other goes on')
    assert [word.split()[:3] for word in told(redis)] == [['foo', lost.id, 'AbandonedJobError']]
    assert check(redis) == []


def claim_and_vanish(redis: Redis, queue: Queue) -> None:
    """Take a job as a worker does that is lost then."""
    claims = run(redis, claim.claim('gone', [queue.name], [uuid4().hex], begun=True))
    assert len(claims.taken) == 1


def test_nothing_is_left_behind(redis: Redis, queue: Queue) -> None:
    def again() -> tuple[int, int]:
        for function in (side.where, side.where, jobs.add, jobs.current, jobs.fail, side.fails_async):
            queue.enqueue(function)
        share(redis, queue)
        return len(list(Path('/proc/self/fd').iterdir())), threading.active_count()

    again()
    before = again()
    for _ in range(3):
        assert again() == before
