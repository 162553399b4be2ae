"""The short way of a plain job through its horse, and the points from which it goes on by the long way."""

from __future__ import annotations

import os
import random
from typing import Any

import pytest
from redis import Redis

from rq import Queue, Retry, Worker, get_current_job
from rq.job import Job
from rq.worker import swift


def adds(left: int, right: int) -> int:
    return left + right


def raises() -> None:
    raise ValueError('on purpose')


def asks() -> list[Any]:
    job = get_current_job()
    assert job is not None and job is get_current_job()
    job.meta['asked'], job.description = True, 'another one'
    job.save_meta()
    return [job.id, os.environ['RQ_JOB_ID'], job.worker_name, os.environ['RQ_WORKER_ID']]


def gives_what_cannot_be_stored() -> Any:
    return lambda: None


def asks_for_more() -> Retry:
    return Retry(max=1)


async def is_awaited() -> int:
    return 5


def draws() -> float:
    return random.random()


def falls_out() -> str:
    return 'the horse' if os.fork() else 'its child'


def sees_hooks() -> bool:
    """Whether what its children do after their fork is done."""
    reader, writer = os.pipe()
    os.register_at_fork(after_in_child=lambda: os.write(writer, b'third') and None)
    random.seed(1)
    before = random.getstate()
    if os.fork() == 0:
        os.write(writer, b'seeded' if random.getstate() != before else b'same')
        os._exit(0)
    os.wait()
    return os.read(reader, 100) == b'thirdseeded'


class Own(Worker):
    def handle_job_success(self, *args: Any, **kwargs: Any) -> None:
        super().handle_job_success(*args, **kwargs)


class OwnJob(Job):
    pass


def run(queue: Queue, function: Any, *args: Any, cls: type[Worker] = Worker) -> Any:
    job = queue.enqueue(function, *args)
    cls([queue], connection=queue.connection).work(burst=True)
    job.refresh()
    return job


@pytest.fixture
def queue(redis: Redis) -> Queue:
    return Queue(connection=redis)


def test_who_may_take_it(queue: Queue) -> None:
    worker = Worker([queue], connection=queue.connection)
    assert swift.is_possible(worker)
    worker.leave_job = lambda job: None  # type: ignore[method-assign]
    assert not swift.is_possible(worker)
    assert not swift.is_possible(Own([queue], connection=queue.connection))
    assert not swift.is_possible(Worker([queue], connection=queue.connection, job_class=OwnJob))


def test_a_replaced_method_of_jobs(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Job, 'perform', lambda self: 'replaced')
    assert not swift.is_possible(Worker([queue], connection=queue.connection))
    assert run(queue, adds, 1, 2).return_value() == 'replaced'


@pytest.mark.parametrize('cls', [Worker, Own])
def test_the_books(queue: Queue, cls: type[Worker]) -> None:
    job = run(queue, adds, 1, 2, cls=cls)
    assert job.is_finished and job.return_value() == 3
    assert job.started_at <= job.ended_at and job.enqueued_at <= job.started_at


def test_a_failure(queue: Queue) -> None:
    job = run(queue, raises)
    text = job.latest_result().exc_string
    assert job.is_failed and text.count('File "') == 1 and 'in raises' in text


def test_who_asks_gets_its_job_and_what_it_changes_is_kept(queue: Queue) -> None:
    job = run(queue, asks)
    found = job.return_value()
    assert found[0] == found[1] == job.id and found[2] == found[3] == job.worker_name
    assert job.meta == {'asked': True} and job.description == 'another one'


def test_what_cannot_be_stored(queue: Queue) -> None:
    job = run(queue, gives_what_cannot_be_stored)
    assert job.is_finished and 'cannot be stored' in job.warning


def test_another_go(queue: Queue) -> None:
    job = run(queue, asks_for_more)
    assert [one.type.name for one in job.results()] == ['MAX_RETRIES_EXCEEDED', 'RETRIED']


def test_a_coroutine(queue: Queue) -> None:
    assert run(queue, is_awaited).return_value() == 5


def test_a_payload_that_cannot_be_loaded(queue: Queue) -> None:
    job = queue.enqueue(adds, 1, 2)
    queue.connection.hset(job.key, 'data', b'rubbish')
    Worker([queue], connection=queue.connection).work(burst=True)
    assert 'cannot be loaded' in job.latest_result().exc_string  # type: ignore[union-attr]


def test_horses_draw_different_numbers(queue: Queue) -> None:
    jobs = [queue.enqueue(draws) for _ in range(4)]
    Worker([queue], connection=queue.connection).work(burst=True)
    assert len({job.return_value() for job in jobs}) == 4


def test_only_the_horse_has_a_say(queue: Queue) -> None:
    assert run(queue, falls_out).return_value() == 'the horse'


def test_what_jobs_fork_has_every_hook(queue: Queue) -> None:
    assert run(queue, sees_hooks).return_value() is True
