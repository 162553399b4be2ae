"""Bad input, bad luck: each costs that one job a clear failure, and nothing else."""

import sys
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from rq import Callback, Queue, Retry, SimpleWorker, Worker
from rq.failure.orphans import failure_of
from rq.job import Job
from tests import jobs
from tests.invariants import check
from tests.launch import burst, marks, told

BOTH = pytest.mark.parametrize('cls', [Worker, SimpleWorker])


def text_of(job: Job) -> str:
    result: Any = job.latest_result()
    return str(result.exc_string)


@BOTH
@pytest.mark.parametrize(
    'name, words',
    [
        ('no.such.module', "Cannot import 'no.such.module'"),
        ('tests.jobs.missing', 'missing'),
        ('tests.jobs.Bag.missing', 'missing'),
        ('', 'dotted name'),
        ('..', 'dotted name'),
        ('broken_rq_test.run', 'failed while it was imported'),
        ('exiting_rq_test.run', 'SystemExit'),
        ('syntax_rq_test.run', 'SyntaxError'),
        ('tests.jobs.HARD', 'TypeError'),
    ],
)
def test_not_importable(
    redis: Redis, queue: Queue, cls: Any, name: str, words: str, tmp_path: Path, monkeypatch: Any
) -> None:
    (tmp_path / 'broken_rq_test.py').write_text('1 / 0')
    (tmp_path / 'exiting_rq_test.py').write_text('import sys\nsys.exit(0)')
    (tmp_path / 'syntax_rq_test.py').write_text('def broken(:')
    monkeypatch.syspath_prepend(str(tmp_path))
    bad, good = queue.enqueue(name, retry=Retry(max=1)), queue.enqueue(jobs.add)
    burst(redis, queue, cls=cls, exception_handlers=[jobs.foo_handler])
    assert bad.is_failed and good.is_finished
    assert words in text_of(bad)
    assert len(told(redis)) == 2
    assert check(redis) == []
    sys.modules.pop('broken_rq_test', None)


@BOTH
@pytest.mark.parametrize('data', [b'', b'junk', b'\x80\x05K\x01.', b'x\x9cjunk', b'\x80\x05(' * 5000])
def test_payload_that_does_not_load(redis: Redis, queue: Queue, cls: Any, data: bytes) -> None:
    bad, good = queue.enqueue(jobs.add), queue.enqueue(jobs.add)
    redis.hset(bad.key, 'data', data)
    burst(redis, queue, cls=cls, exception_handlers=[jobs.foo_handler])
    assert bad.is_failed and good.is_finished
    assert 'DeserializationError' in text_of(bad) and told(redis) == [f'foo {bad.id} DeserializationError True']
    assert check(redis) == []


def test_a_record_without_payload(redis: Redis, queue: Queue) -> None:
    bad, good = queue.enqueue(jobs.add), queue.enqueue(jobs.add)
    redis.hdel(bad.key, 'data')
    burst(redis, queue)
    assert redis.hget(bad.key, 'status') == b'failed' and good.is_finished
    assert check(redis) == [f'job {bad.id} is a ghost with only {sorted(k.decode() for k in redis.hgetall(bad.key))}']


@pytest.mark.parametrize('how', ['raise', 'exit', 'die'])
def test_traps_in_the_payload(redis: Redis, queue: Queue, how: str) -> None:
    bad, good = queue.enqueue(jobs.words, jobs.Trap(how)), queue.enqueue(jobs.add)
    burst(redis, queue)
    assert bad.is_failed and good.is_finished and check(redis) == []


@pytest.mark.parametrize('how', ['raise', 'exit', 'die'])
@pytest.mark.parametrize('field', ['meta', 'result'])
def test_traps_in_what_the_worker_need_not_look_at(redis: Redis, queue: Queue, how: str, field: str) -> None:
    job = queue.enqueue(jobs.add)
    redis.hset(job.key, field, job.serializer.dumps({'trap': jobs.Trap(how)}))
    burst(redis, queue)
    assert job.is_finished and job in queue.finished_job_registry


def test_listing_loads_nothing(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(jobs.words, jobs.Trap('die'), meta={'trap': jobs.Trap('die')})
    assert queue.jobs == [job] and Job.fetch(job.id, redis).description


def test_payload_that_hangs_is_timed_out(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(jobs.words, jobs.Trap('hang'), job_timeout=1)
    burst(redis, queue)
    assert job.is_failed and 'JobTimeoutException' in text_of(job) and 'PayloadError' not in text_of(job)


@BOTH
@pytest.mark.parametrize(
    'field, value',
    [
        ('timeout', 'soon'),
        ('retries_left', 'x'),
        ('created_at', 'noon'),
        ('retry_intervals', '{"a": 1}'),
        ('result_ttl', '1e400'),
        ('failure_ttl', '9' * 30),
        ('timeout', 'inf'),
        ('timeout', '9' * 400),
        ('ttl', '-5'),
        ('dependency_ids', '['),
        ('success_callback_timeout', 'x'),
        ('started_at', '\xff'),
        ('webhooks', '{'),
        ('origin', 'another'),
        ('description', b'\xff\xfe\x00'),
        ('worker_name', b'\xff'),
        ('group_id', 'x'),
    ],
)
def test_broken_fields(redis: Redis, queue: Queue, cls: Any, field: str, value: Any) -> None:
    bad, good = queue.enqueue(jobs.add), queue.enqueue(jobs.add)
    redis.hset(bad.key, field, value)
    burst(redis, queue, cls=cls, exception_handlers=[jobs.foo_handler])
    assert good.is_finished
    assert redis.hget(bad.key, 'status') in (b'failed', b'finished')
    if redis.hget(bad.key, 'status') == b'failed':
        raw: Any = redis.xrevrange(f'rq:results:{bad.id}')
        assert raw, 'it says why'
    assert check(redis) == []


@BOTH
@pytest.mark.parametrize('member', [b'\xff\xfe', b'', b'a b', b'x' * 100_000, b'rq:job:x', b'gone', '🦆'.encode()])
def test_ids_that_are_none(redis: Redis, queue: Queue, cls: Any, member: bytes) -> None:
    redis.rpush(queue.key, member)
    good = queue.enqueue(jobs.add)
    burst(redis, queue, cls=cls)
    assert good.is_finished and queue.count == 0


def test_unknown_status_and_wrong_type_are_set_aside(redis: Redis, queue: Queue) -> None:
    odd = queue.enqueue(jobs.add)
    redis.hset(odd.key, 'status', 'dancing')
    redis.set('rq:job:text', 'no hash')
    redis.rpush(queue.key, 'text')
    good = queue.enqueue(jobs.add)
    burst(redis, queue)
    assert good.is_finished and set(redis.hkeys('rq:aside:default')) == {odd.id.encode(), b'text'}


def test_a_queue_key_that_is_no_list(redis: Redis, queue: Queue) -> None:
    redis.set('rq:queue:odd', 'text')
    good = queue.enqueue(jobs.add)
    burst(redis, Queue('odd', connection=redis), queue)
    assert good.is_finished


def test_a_long_list_of_dead_ids(redis: Redis, queue: Queue, monkeypatch: Any) -> None:
    monkeypatch.setattr('rq.store.claim.TURNS', 1)
    redis.rpush(queue.key, *[f'gone{number}' for number in range(1500)])
    good = queue.enqueue(jobs.add)
    burst(redis, queue)
    assert good.is_finished


# --- results ------------------------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize(
    'func, args, words',
    [
        (jobs.returns_lambda, (), 'Unserializable return value'),
        (jobs.returns_bytes, (17 << 20,), 'Result too large: '),
    ],
)
def test_results_that_cannot_be_stored(redis: Redis, queue: Queue, cls: Any, func: Any, args: Any, words: str) -> None:
    bad = queue.enqueue(func, *args, retry=Retry(max=3), on_success=Callback(jobs.on_success))
    good = queue.enqueue(jobs.add)
    burst(redis, queue, cls=cls)
    assert bad.is_finished and good.is_finished
    assert bad.return_value().startswith(words)
    assert marks(redis) == ['ran'] and len(told(redis)) == 1, 'the work is done, and not done again'
    assert check(redis) == []


@pytest.mark.parametrize('how', ['raise', 'exit', 'die'])
def test_a_result_with_a_trap_hurts_only_who_looks(redis: Redis, queue: Queue, how: str) -> None:
    job = queue.enqueue(jobs.returns_trap, how)
    burst(redis, queue)
    assert job.is_finished


# --- what a job does to its own record ----------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize(
    'attributes',
    [
        {'result_ttl': 'for ever'},
        {'failure_ttl': 'x'},
        {'description': 'ü\udcff'},
        {'retry_intervals': 'abc'},
        {'ttl': [1]},
        {'timeout': {'a': 1}},
        {'enqueue_at_front_on_retry': 'yes'},
        {'meta': 5},
        {'origin': 'elsewhere'},
        {'retries_left': 'many'},
        {'number_of_retries': 'many'},
    ],
)
@pytest.mark.parametrize('then', ['succeeds', 'fails'])
def test_jobs_that_spoil_their_record(redis: Redis, queue: Queue, cls: Any, attributes: Any, then: str) -> None:
    func = jobs.touches if then == 'succeeds' else 'tests.failure.test_bad_input.touches_and_fails'
    bad, good = queue.enqueue(func, kwargs=attributes), queue.enqueue(jobs.add)
    burst(redis, queue, cls=cls)
    assert good.is_finished
    assert redis.hget(bad.key, 'status') in (b'finished', b'failed')
    assert check(redis) == []


@BOTH
@pytest.mark.parametrize('name', ['description', 'result_ttl', 'retry_intervals'])
def test_jobs_that_put_objects_into_their_record(redis: Redis, queue: Queue, cls: Any, name: str) -> None:
    bad, good = queue.enqueue(jobs.touches_oddly, name), queue.enqueue(jobs.add)
    burst(redis, queue, cls=cls)
    assert good.is_finished and redis.hget(bad.key, 'status') in (b'finished', b'failed')
    assert check(redis) == []


def touches_and_fails(**attributes: Any) -> None:
    jobs.touches(**attributes)
    raise ValueError('and then it failed')


def test_what_a_job_changes_is_stored(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(jobs.touches, description='new', result_ttl=50)
    burst(redis, queue)
    job.refresh()
    assert (job.description, job.result_ttl) == ('new', 50) and 45 < redis.ttl(job.key) <= 50


def test_poison(redis: Redis, queue: Queue) -> None:
    """Three workers lost within a day."""
    job = queue.enqueue(jobs.add, retry=Retry(max=10), on_failure=Callback(jobs.on_failure))
    for count in range(1, 4):
        redis.delete(queue.key)
        redis.hset(job.key, mapping={'status': 'started', 'execution': f'e{count}'})
        redis.zadd('rq:wip:default', {f'{job.id}:e{count}': 1})
        queue.started_job_registry.cleanup()
        assert job.get_status() == ('failed' if count == 3 else 'queued')
    assert 'PoisonJobError' in told(redis)[-1] and '3 workers were lost' in text_of(job)
    assert callable(failure_of) and check(redis) == []
