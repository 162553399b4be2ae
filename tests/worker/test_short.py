"""The short way of a plain job in the worker itself, and the points from which it goes on by the long way."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest
from redis import Redis

from rq import Queue, Retry, SimpleWorker, Worker, get_current_job
from rq.job import Job
from rq.store.claim import Claimed
from rq.worker import short
from tests.executors.test_swift import (
    adds,
    asks_for_more,
    draws,
    falls_out,
    gives_what_cannot_be_stored,
    is_awaited,
    raises,
)
from tests.invariants import check

RECORD = {
    b'status': b'queued', b'origin': b'default', b'data': b'...', b'created_at': b'2026-11-22T10:00:00.000001Z',
    b'enqueued_at': b'2026-11-22T10:00:00Z', b'description': b'a \xff job', b'timeout': b'30', b'started_at': b'',
    b'success_callback_name': b'', b'execution': b'of before',
}  # fmt: skip
UNUSUAL = {
    b'created_at': b'yesterday', b'timeout': b'-1', b'result_ttl': b'for ever', b'success_callback_name': b'shop.done',
    b'failure_callback_name': b'shop.broke', b'retry_policy': b'{}', b'webhooks': b'[{}]', b'repeats_left': b'1',
    b'keep_on_failure': b'output', b'retry_intervals': b'[1.5]', b'data': b'', b'origin': b'', b'dependency_id': b'x',
}  # fmt: skip
calls: list[str] = []


def asks() -> list[Any]:
    job = get_current_job()
    assert job is not None and job is get_current_job()
    job.meta['asked'], job.description = True, 'another one'
    job.save_meta()
    return [job.id, job.worker_name, job.get_status()]


def uses_the_connection_at_hand() -> int:
    return len(Queue('other').job_ids)  # type: ignore[call-arg]  # as in 0.x


def imports_a_tracer() -> None:
    """As SDKs of tracers do it, perhaps with the first job that imports its application."""
    own = Worker.perform_job
    sys.modules['tests.tracer'] = ModuleType('tests.tracer')

    def perform_job(self: Any, job: Any, *rest: Any, **words: Any) -> bool:
        calls.append(job.id)
        return own(self, job, *rest, **words)

    Worker.perform_job = perform_job  # type: ignore[method-assign]


class Announces(SimpleWorker):
    def announce_job(self, job: Any, queue: Any) -> None:
        calls.append(job.id)
        super().announce_job(job, queue)


@pytest.fixture
def queue(redis: Redis) -> Queue:
    return Queue(connection=redis)


@pytest.fixture
def briefs(monkeypatch: pytest.MonkeyPatch) -> list[short.Brief]:
    """Those that were carried out."""
    seen: list[short.Brief] = []
    own = short.ShortWay.carry_out
    monkeypatch.setattr(short.ShortWay, 'carry_out', lambda self, brief: (seen.append(brief), own(self, brief))[1])
    return seen


def run(queue: Queue, *jobs: Job, cls: type[SimpleWorker] = SimpleWorker, **words: Any) -> None:
    cls([queue], connection=queue.connection, **words).work(burst=True)
    for job in jobs:
        job.refresh()
    assert check(queue.connection) == []


def test_what_is_plain(redis: Redis, queue: Queue) -> None:
    worker = SimpleWorker([queue], connection=redis)
    loop = type('Loop', (), {'worker': worker})
    way = short.ShortWay(loop)
    brief = way.brief_of(Claimed(0, 'j', 'e', 1e9, RECORD), queue, True)
    assert brief is not None and (brief.timeout, brief.result_ttl, brief.description) == (30, 500, 'a \\xff job')
    assert brief.lease[:4] == ('j', 'e', 'default', worker.name)
    assert 'job' not in vars(brief) and brief.job.id == 'j' and brief.job.timeout == 30
    for name, value in UNUSUAL.items():
        assert way.brief_of(Claimed(0, 'j', 'e', 1e9, {**RECORD, name: value}), queue, True) is None, name


def test_a_plain_job(queue: Queue, briefs: list[short.Brief]) -> None:
    """Its record is complete, and its object was never made."""
    job = queue.enqueue(adds, 1, 2)
    run(queue, job)
    assert job.is_finished and job.return_value() == 3
    assert job.enqueued_at <= job.started_at <= job.ended_at <= job.last_heartbeat  # type: ignore[operator]
    assert [vars(brief).get('job') for brief in briefs] == [None]


@pytest.mark.parametrize('words', [{}, {'batch_ms': 20}], ids=['alone', 'batches'])
def test_who_asks_gets_its_job_and_what_it_changes_is_kept(
    queue: Queue, briefs: list[short.Brief], words: dict[str, Any]
) -> None:
    jobs = [queue.enqueue(asks) for _ in range(4)]
    run(queue, *jobs, **words)
    for job in jobs:
        assert job.return_value() == [job.id, job.worker_name, 'started']
        assert job.meta == {'asked': True} and job.description == 'another one'
    assert len(briefs) == 4


def test_a_failure_is_the_same_by_both_ways(queue: Queue) -> None:
    jobs = []
    for cls in (SimpleWorker, Announces):
        jobs.append(queue.enqueue(raises, retry=Retry(max=1)))
        run(queue, jobs[-1], cls=cls)
    texts = [job.latest_result().exc_string for job in jobs]  # type: ignore[union-attr]
    assert texts[0] == texts[1] and texts[0].count('File "') == 1 and 'in raises' in texts[0]
    assert all(job.is_failed and len(job.attempts) == 2 for job in jobs)


def test_what_cannot_be_stored(queue: Queue) -> None:
    job = queue.enqueue(gives_what_cannot_be_stored)
    run(queue, job)
    assert job.is_finished and 'cannot be stored' in (job.warning or '')


def test_another_go_and_a_coroutine(queue: Queue) -> None:
    again, awaited = queue.enqueue(asks_for_more), queue.enqueue(is_awaited)
    run(queue, again, awaited)
    assert [one.type.name for one in again.results()] == ['MAX_RETRIES_EXCEEDED', 'RETRIED']
    assert awaited.return_value() == 5


def test_a_payload_that_cannot_be_loaded(queue: Queue) -> None:
    job = queue.enqueue(adds, 1, 2)
    queue.connection.hset(job.key, 'data', b'rubbish')
    run(queue, job)
    assert 'cannot be loaded' in job.latest_result().exc_string  # type: ignore[union-attr,operator]


def test_only_the_worker_has_a_say(queue: Queue) -> None:
    job, other = queue.enqueue(falls_out), queue.enqueue(draws)
    run(queue, job, other)
    assert job.return_value() == 'the horse' and other.is_finished


def test_the_connection_at_hand(queue: Queue) -> None:
    job = queue.enqueue(uses_the_connection_at_hand)
    run(queue, job)
    assert job.return_value() == 0


def test_a_tracer_that_a_job_imports_sees_the_next_one(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Worker, 'perform_job', Worker.perform_job)  # put back at the end
    monkeypatch.setitem(sys.modules, 'tests.tracer', ModuleType('before'))
    del sys.modules['tests.tracer']
    jobs = [queue.enqueue(imports_a_tracer), *(queue.enqueue(adds, 1, number) for number in range(3))]
    calls.clear()
    run(queue, *jobs)
    assert calls == [job.id for job in jobs[1:]]


def test_who_overrides_a_part_is_asked(queue: Queue, briefs: list[short.Brief]) -> None:
    job = queue.enqueue(adds, 1, 2)
    calls.clear()
    run(queue, job, cls=Announces)
    assert calls == [job.id] and briefs == [] and job.return_value() == 3


def test_a_timeout(queue: Queue) -> None:
    job = queue.enqueue('time.sleep', 60, job_timeout=1)
    run(queue, job)
    assert job.is_failed and 'JobTimeoutException' in (job.latest_result().exc_string or '')  # type: ignore[union-attr]


def test_who_asks_does_not_change_the_order_of_queues(redis: Redis) -> None:
    first, second = Queue('first', connection=redis), Queue('second', connection=redis)
    jobs = [queue.enqueue(asks) for queue in (first, first, second, second)]
    worker = SimpleWorker([first, second], connection=redis)
    worker.work(burst=True, dequeue_strategy='round_robin')
    order = sorted(jobs, key=lambda job: job.latest_result().created_at)  # type: ignore[union-attr]
    assert [job.origin for job in order] == ['first', 'second', 'first', 'second']


def replaces_a_part() -> None:
    """Without any import: of a class that is loaded already."""
    own = Worker.handle_job_success

    def handle_job_success(self: Any, job: Any, *rest: Any, **words: Any) -> None:
        calls.append(job.id)
        own(self, job, *rest, **words)

    Worker.handle_job_success = handle_job_success  # type: ignore[method-assign]


@pytest.mark.parametrize('words', [{}, {'batch_ms': 20}], ids=['alone', 'batches'])
def test_a_part_that_a_job_replaces_is_asked_from_then_on(
    queue: Queue, monkeypatch: pytest.MonkeyPatch, words: dict[str, Any]
) -> None:
    monkeypatch.setattr(Worker, 'handle_job_success', Worker.handle_job_success)  # put back at the end
    jobs = [queue.enqueue(replaces_a_part), *(queue.enqueue(adds, 1, number) for number in range(3))]
    calls.clear()
    run(queue, *jobs, **words)
    assert calls == [job.id for job in jobs]
