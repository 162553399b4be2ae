"""Result, return values, exc_info."""

import inspect
import pickle
import threading
from datetime import UTC, datetime
from typing import Any

import pytest
from redis import Redis

from rq import Queue, Retry
from rq.defaults import UNSERIALIZABLE_RETURN_VALUE_PAYLOAD
from rq.job import Job
from rq.results import Result
from tests import jobs
from tests.launch import burst

TIMES = 'execution_id execution_started_at execution_ended_at'
SIGNATURES = {
    '__init__': f'self job_id type connection id created_at return_value exc_string worker_name serializer {TIMES}',
    'create': f'job type ttl return_value exc_string worker_name pipeline {TIMES}',
    'create_failure': f'job ttl exc_string worker_name pipeline {TIMES}',
    'create_retried': f'job ttl return_value worker_name {TIMES} pipeline',
    'create_max_retries_exceeded': f'job ttl return_value worker_name {TIMES} pipeline',
    'all': 'job serializer',
    'fetch_latest': 'job serializer timeout',
    'restore': 'job_id result_id payload connection serializer',
    'save': 'self ttl pipeline',
}


@pytest.mark.parametrize('name', SIGNATURES)
def test_signature(name: str) -> None:
    assert list(inspect.signature(getattr(Result, name)).parameters) == SIGNATURES[name].split()


def test_types() -> None:
    assert [(one.name, one.value) for one in Result.Type] == [
        ('SUCCESSFUL', 1), ('FAILED', 2), ('STOPPED', 3), ('RETRIED', 4), ('MAX_RETRIES_EXCEEDED', 5),
    ]  # fmt: skip


def test_a_success(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(jobs.words, 1, a='ü')
    assert (job.return_value(), job.latest_result(), job.results()) == (None, None, [])
    worker = burst(redis, queue)
    assert job.return_value() == [[1], {'a': 'ü'}]
    result: Any = job.latest_result()
    assert (result.type, result.return_value, result.exc_string) == (Result.Type.SUCCESSFUL, [[1], {'a': 'ü'}], None)
    assert (result.job_id, result.worker_name, result.connection) == (job.id, worker.name, redis)
    assert len(result.execution_id) == 32
    assert result.execution_started_at <= result.execution_ended_at <= datetime.now(UTC)
    assert abs((datetime.now(UTC) - result.created_at).total_seconds()) < 10
    assert result and result == Result.fetch_latest(job) and Result.count(job) == 1 and Result.fetch(job) is None
    with pytest.warns(DeprecationWarning):
        assert job.result == [[1], {'a': 'ü'}]
    with pytest.warns(DeprecationWarning):
        assert job.exc_info is None


def test_a_value_of_none(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(jobs.nothing)
    burst(redis, queue)
    result: Any = job.latest_result()
    assert result.type is Result.Type.SUCCESSFUL and result.return_value is None is job.return_value()


def test_a_failure(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(jobs.fail, 'grün')
    burst(redis, queue)
    result: Any = job.latest_result()
    assert result.type is Result.Type.FAILED and job.return_value() is None
    assert 'ValueError: grün' in result.exc_string and 'in fail' in result.exc_string
    assert '/rq/perform/' not in result.exc_string, 'frames of ours tell a user nothing'
    with pytest.warns(DeprecationWarning):
        assert job.exc_info == result.exc_string


def test_values_are_kept_until_asked_again(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(jobs.add, 1, 1, job_id='mine')
    burst(redis, queue)
    assert job.return_value() == 2
    queue.enqueue(jobs.add, 2, 2, job_id='mine')
    burst(redis, queue)
    assert (job.return_value(), job.return_value(refresh=True)) == (2, 4)
    assert [result.return_value for result in job.results()] == [4, 2]
    queue.enqueue(jobs.div, job_id='mine')
    burst(redis, queue)
    assert job.return_value(refresh=True) is None


def test_results_of_attempts(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(jobs.fails_until, 2, retry=Retry(max=5))
    burst(redis, queue)
    assert [result.type.name for result in job.results()] == ['SUCCESSFUL']


def test_latest_result_waits(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(jobs.add)
    timer = threading.Timer(0.3, lambda: Result.create(job, Result.Type.SUCCESSFUL, 100, return_value=5))
    timer.start()
    result: Any = job.latest_result(timeout=10)
    timer.join()
    assert result.return_value == 5
    assert job.latest_result(timeout=1) == result
    assert Job.create(jobs.add, connection=redis).latest_result(timeout=1) is None


def test_made_by_hand(redis: Redis, queue: Queue) -> None:
    job, moment = queue.enqueue(jobs.add), datetime(2030, 1, 1, tzinfo=UTC)
    Result.create_failure(job, 10, 'text', 'w', None, 'e', moment, moment)
    Result.create_retried(job, -1, Retry(2), 'w', 'e', moment, moment)
    last = Result.create_max_retries_exceeded(job, None, Retry(2), 'w', 'e', moment, moment)
    found = Result.all(job)
    assert [one.type.value for one in found] == [5, 4, 2] and found[0] == last
    assert (found[2].exc_string, found[2].worker_name, found[2].execution_ended_at) == ('text', 'w', moment)
    assert redis.ttl(Result.get_key(job.id)) == -1
    with redis.pipeline() as pipeline:
        Result.create(job, Result.Type.SUCCESSFUL, 10, return_value=lambda: None, pipeline=pipeline)
        assert Result.count(job) == 3
        pipeline.execute()
    assert Result.all(job)[0].return_value == UNSERIALIZABLE_RETURN_VALUE_PAYLOAD
    Result.delete_all(job)
    assert Result.count(job) == 0


@pytest.mark.parametrize(
    'entry, value, text',
    [
        ({'type': 1, 'worker_name': '', 'return_value': b'!!!'}, UNSERIALIZABLE_RETURN_VALUE_PAYLOAD, None),
        ({'type': 1, 'return_value': b'aaaa'}, UNSERIALIZABLE_RETURN_VALUE_PAYLOAD, None),
        ({'type': 2, 'exc_string': b'plain, text'}, None, 'plain, text'),
        ({'type': 2, 'execution_started_at': 'never', 'worker_name': b'\xff'}, None, None),
    ],
)
def test_broken_entries(redis: Redis, queue: Queue, entry: Any, value: Any, text: Any) -> None:
    job = queue.enqueue(jobs.add)
    redis.xadd(Result.get_key(job.id), entry)
    result: Any = job.latest_result()
    assert (result.return_value, result.exc_string) == (value, text)


def test_results_of_rq_before_streams(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(jobs.add)
    redis.hset(job.key, 'result', job.serializer.dumps(7))
    with pytest.warns(DeprecationWarning):
        assert Job.fetch(job.id, redis).result == 7
    redis.hset(job.key, 'result', b'junk')
    fetched = Job.fetch(job.id, redis)
    with pytest.warns(DeprecationWarning):
        assert fetched.result == UNSERIALIZABLE_RETURN_VALUE_PAYLOAD


def test_history_is_bounded(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(jobs.returns_retry, max=150)
    burst(redis, queue, cls=__import__('rq').SimpleWorker)
    assert job.is_failed and 10 <= Result.count(job) <= 110


def test_a_type_is_pickled_by_the_name_of_rq() -> None:
    data = pickle.dumps(Result.Type.FAILED)
    assert b'Result.Type' in data and pickle.loads(data) is Result.Type.FAILED


def test_the_fields_are_text(queue: Queue) -> None:
    job = queue.enqueue(jobs.add)
    assert isinstance(Result.create(job, Result.Type.SUCCESSFUL, 5, return_value=3).serialize()['return_value'], str)
