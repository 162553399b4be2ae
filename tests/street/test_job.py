"""Job: its words, its record, its verbs."""

import inspect
import warnings
import zlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from redis import Redis

from rq import Callback, Queue, Retry, get_current_job
from rq.exceptions import DeserializationError, InvalidJobOperation, NoSuchJobError
from rq.job import Job, JobStatus, parse_job_id, validate_job_id
from rq.serializers import JSONSerializer
from tests import jobs
from tests.invariants import check
from tests.launch import burst

SIGNATURES = {
    'create': 'func args kwargs connection result_ttl ttl status description depends_on timeout retry id origin meta '
    'failure_ttl serializer group_id on_success on_failure on_stopped webhooks on_final_failure keep_on_failure',
    'fetch': 'id connection serializer',
    'fetch_many': 'job_ids connection serializer',
    'exists': 'job_id connection',
    'cancel': 'self pipeline enqueue_dependents remove_from_dependencies',
    'cleanup': 'self ttl pipeline remove_from_queue',
    'delete': 'self pipeline remove_from_queue delete_dependents',
    'get_meta': 'self refresh',
    'get_result_ttl': 'self default_ttl',
    'get_status': 'self refresh',
    'get_ttl': 'self default_ttl',
    'heartbeat': 'self timestamp ttl pipeline xx',
    'latest_result': 'self timeout',
    'prepare_for_execution': 'self worker_name pipeline',
    'requeue': 'self at_front',
    'return_value': 'self refresh',
    'save': 'self pipeline include_meta include_result',
    'set_status': 'self status pipeline',
    'to_dict': 'self include_meta include_result',
    '__init__': 'self id connection serializer',
}


@pytest.mark.parametrize('name', SIGNATURES)
def test_signature(name: str) -> None:
    assert list(inspect.signature(getattr(Job, name)).parameters) == SIGNATURES[name].split()


def test_keyword_only_words_of_create() -> None:
    parameters = inspect.signature(Job.create).parameters.values()
    assert [one.name for one in parameters if one.kind is one.KEYWORD_ONLY] == SIGNATURES['create'].split()[-6:]


def test_attributes_of_a_new_job(redis: Redis) -> None:
    job = Job(connection=redis)
    none = (
        'description enqueued_at started_at ended_at timeout result_ttl failure_ttl ttl worker_name retries_left '
        'number_of_retries retry_intervals redis_server_version last_heartbeat allow_dependency_failures '
        'enqueue_at_front group_id repeats_left repeat_intervals rate_limit_key rate_limit_concurrency'
    )
    assert [name for name in none.split() if getattr(job, name) is not None] == []
    assert (job.origin, job.meta, job.webhooks, job.enqueue_at_front_on_retry) == ('', {}, [], False)
    assert job.created_at.tzinfo is not None and job.created_at <= datetime.now(UTC)
    assert job.connection is redis and job.log.name == 'rq.job'


def test_needs_a_connection() -> None:
    with pytest.raises(TypeError, match='connection'):
        Job()
    with pytest.raises(TypeError, match='connection'):
        Job.create(jobs.add)


def test_id(redis: Redis) -> None:
    job = Job(connection=redis)
    assert len(job.id) == 36 and job.id == job.id
    job.id = 'mine'
    assert (job.key, Job.key_for('x'), Job.redis_job_namespace_prefix) == ('rq:job:mine', 'rq:job:x', 'rq:job:')
    assert parse_job_id('a:b') == 'a'


@pytest.mark.parametrize('bad, error', [('', ValueError), ('a b', ValueError), ('a:b', ValueError), (5, TypeError)])
@pytest.mark.parametrize('bad_bytes', [False, True])
def test_bad_ids(redis: Redis, bad: Any, error: Any, bad_bytes: bool) -> None:
    bad, error = (b'mine', TypeError) if bad_bytes else (bad, error)
    with pytest.raises(error):
        validate_job_id(bad)
    with pytest.raises(error):
        Job(id=bad, connection=redis)
    with pytest.raises(error):
        Job.create(jobs.add, id=bad, connection=redis)
    assert redis.keys() == []


def test_equality_and_text(redis: Redis) -> None:
    one, same, other = (Job(id=name, connection=redis) for name in ('a', 'a', 'b'))
    assert one == same and one != other and len({one, same, other}) == 2 and one != 'a'
    one.description = 'what it does'
    assert str(one) == '<Job a: what it does>' and 'a' in repr(one)


@pytest.mark.parametrize('args', [range(1, 3), iter([1, 2]), {1: 'a', 2: 'b'}.keys()])
def test_arguments_of_any_iterable(redis: Redis, queue: Queue, args: Any) -> None:
    assert Job.fetch(queue.enqueue(jobs.words, args=args).id, redis).args == (1, 2)


def test_create_keeps_every_word(redis: Redis) -> None:
    job = Job.create(
        jobs.add, [1], {'y': 2}, redis, 10, 20, None, 'words', None, 30, Retry(2, [1, 2], True), 'mine', 'low',
        {'m': 1}, 40, None, None,
        on_success=Callback(jobs.on_success), on_failure=Callback('a.b', timeout='1m'),
        on_stopped=Callback(jobs.on_stopped),
    )  # fmt: skip
    job.save()
    fetched = Job.fetch('mine', redis)
    for one in (job, fetched):
        assert (one.args, one.kwargs, one.func_name, one.func) == ([1], {'y': 2}, 'tests.jobs.add', jobs.add)
        assert (one.result_ttl, one.ttl, one.timeout, one.failure_ttl) == (10, 20, 30, 40)
        assert (one.description, one.origin, one.meta) == ('words', 'low', {'m': 1})
        assert (one.retries_left, one.retry_intervals, one.enqueue_at_front_on_retry) == (2, [1, 2], True)
        assert (one.success_callback, one.success_callback_timeout) == (jobs.on_success, 60)
        assert (one.stopped_callback, one.failure_callback_timeout) == (jobs.on_stopped, 60)
    assert fetched.get_status() is JobStatus.CREATED
    assert fetched.created_at == job.created_at


@pytest.mark.parametrize(
    'words, error',
    [
        ({'func': 5}, TypeError),
        ({'func': jobs.add, 'args': 5}, TypeError),
        ({'func': jobs.add, 'kwargs': [1]}, TypeError),
        ({'func': jobs.add, 'on_success': 5}, ValueError),
        ({'func': jobs.add, 'on_failure': 5}, ValueError),
        ({'func': jobs.add, 'on_stopped': 5}, ValueError),
        ({'func': jobs.add, 'timeout': 'soon'}, Exception),
    ],
)
def test_create_refuses(redis: Redis, words: Any, error: Any) -> None:
    with pytest.raises(error):
        Job.create(connection=redis, **words)


def test_functions_as_callbacks_are_deprecated(redis: Redis) -> None:
    with pytest.warns(DeprecationWarning, match='on_success'):
        job = Job.create(jobs.add, connection=redis, on_success=jobs.on_success)
    assert job.success_callback is jobs.on_success


def test_call_strings(redis: Redis) -> None:
    def text(func: Any, *args: Any, **kwargs: Any) -> Any:
        return Job.create(func, args, kwargs, connection=redis).description

    assert text(jobs.add, 1, y=2) == 'tests.jobs.add(1, y=2)'
    assert text(jobs.words, b=1, a=2) == 'tests.jobs.words(a=2, b=1)'
    assert text(jobs.words, jobs.NoRepr()).startswith('tests.jobs.words(<NoRepr')
    assert text(jobs.words, 'x' * 100) == f'tests.jobs.words({repr("x" * 100)[:75]}...)'
    assert text('some.where') == 'some.where()'


def test_fetch(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(jobs.add)
    assert Job.fetch(job.id, connection=redis) == job == Job.fetch(f'{job.id}:execution', redis)
    assert Job.exists(job.id, redis) and not Job.exists('other', redis)
    with pytest.raises(NoSuchJobError, match='other'):
        Job.fetch('other', redis)
    redis.hset('rq:job:other', 'status', 'queued')
    with pytest.raises(NoSuchJobError):
        Job.fetch('other', redis)


def test_fetch_many(redis: Redis, queue: Queue) -> None:
    one, two = queue.enqueue(jobs.add), queue.enqueue(jobs.div)
    assert Job.fetch_many([two.id, 'gone', one.id, two.id], redis) == [two, None, one, two]
    assert Job.fetch_many([], redis) == []
    assert Job.fetch_many((id for id in [f'{one.id}:x']), connection=redis) == [one]


def test_save_leaves_the_status_alone(redis: Redis, queue: Queue) -> None:
    at = datetime.now(UTC) + timedelta(hours=1)
    enqueued = queue.enqueue(jobs.add)
    scheduled = queue.enqueue_at(at, jobs.add)
    (bulk,) = queue.enqueue_many([Queue.prepare_data(jobs.add)])
    for job in (enqueued, scheduled, bulk):
        redis.hset(job.key, 'status', 'finished')  # it moved on since
        job.meta['seen'] = True
        job.save()
        assert redis.hget(job.key, 'status') == b'finished'
        fetched = Job.fetch(job.id, redis)
        redis.hset(job.key, 'status', 'failed')
        fetched.save()
        assert redis.hget(job.key, 'status') == b'failed'


def test_save_in_a_job_leaves_the_status_alone(redis: Redis, queue: Queue) -> None:
    """It was canceled while it ran; saving meta must not bring it back."""
    job = queue.enqueue(jobs.cancels_and_saves_itself)
    burst(redis, queue)
    assert job.is_canceled and job.get_meta() == {'saved': True}
    assert check(redis) == []


def test_save_in_a_callback_leaves_the_status_alone(redis: Redis, queue: Queue) -> None:
    one = queue.enqueue(jobs.add, on_success=Callback(jobs.saving_callback))
    two = queue.enqueue(jobs.div, on_failure=Callback(jobs.saving_callback), retry=Retry(max=1, interval=60))
    burst(redis, queue)
    assert one.is_finished and two.is_scheduled
    assert one.get_meta() == two.get_meta() == {'told': True}
    assert check(redis) == []


def test_save_writes_a_status_that_was_set(redis: Redis) -> None:
    job = Job.create(jobs.add, connection=redis, status=JobStatus.DEFERRED)
    job.save()
    assert job.is_deferred
    job.set_status(JobStatus.CANCELED)
    assert Job.fetch(job.id, redis).is_canceled
    with redis.pipeline() as pipeline:
        job.set_status(JobStatus.FAILED, pipeline=pipeline)
        assert job.is_canceled
        pipeline.execute()
    assert job.is_failed


def test_save_without_a_function(redis: Redis) -> None:
    job = Job(connection=redis)
    with pytest.raises(ValueError):
        job.save()
    with pytest.raises(DeserializationError):
        job.func_name


def test_save_parts(redis: Redis) -> None:
    job = Job.create(jobs.add, connection=redis, meta={'a': 1})
    job.save(include_meta=False)
    assert not redis.hexists(job.key, 'meta')
    assert 'meta' in job.to_dict() and 'meta' not in job.to_dict(include_meta=False)


def test_refresh_forgets_what_is_gone(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(jobs.div, meta={'a': 1}, description='first', ttl=100)
    burst(redis, queue)
    job.refresh()
    assert job.ended_at and job.started_at and job.meta
    redis.hdel(job.key, 'ended_at', 'started_at', 'description', 'meta', 'ttl')
    job.refresh()
    assert (job.ended_at, job.started_at, job.description, job.meta, job.ttl) == (None, None, None, {}, None)


def test_meta(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(jobs.progress, meta={'start': 1})
    burst(redis, queue)
    assert job.get_meta(refresh=False) == {'start': 1}
    assert job.get_meta() == {'start': 1, 'progress': 50} == job.meta
    job.meta['more'] = 2
    job.save_meta()
    assert Job.fetch(job.id, redis).meta == {'start': 1, 'progress': 50, 'more': 2}


def test_unreadable_meta(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(jobs.add)
    redis.hset(job.key, 'meta', b'\x00junk')
    fetched = Job.fetch(job.id, redis)
    assert fetched.meta == {'unserialized': b'\x00junk'} == fetched.get_meta()
    fetched.save()
    assert redis.hget(job.key, 'meta') == b'\x00junk'
    burst(redis, queue)
    assert job.is_finished


def test_status(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(jobs.add)
    assert job.get_status() is JobStatus.QUEUED and job.is_queued
    words = 'canceled deferred failed finished ready_to_enqueue scheduled started stopped'
    assert not any(getattr(job, f'is_{word}') for word in words.split())
    redis.hset(job.key, 'status', 'finished')
    assert job.get_status(refresh=False) is JobStatus.QUEUED and job.is_finished
    redis.hset(job.key, 'status', 'nonsense')
    with pytest.raises(InvalidJobOperation, match='nonsense'):
        job.get_status()
    with pytest.raises(InvalidJobOperation):
        Job.create(jobs.add, connection=redis).get_status()


def test_members_of_the_status() -> None:
    assert [status.value for status in JobStatus] == [
        'created',
        'queued',
        'finished',
        'failed',
        'started',
        'deferred',
        'scheduled',
        'stopped',
        'canceled',
        'rate_limited',
        'ready_to_enqueue',
    ]
    assert JobStatus.FAILED == 'failed'


def test_unreadable_call(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(jobs.add)
    redis.hset(job.key, 'data', b'junk')
    fetched = Job.fetch(job.id, redis)
    for name in ('func_name', 'args', 'kwargs', 'instance', 'func'):
        with pytest.raises(DeserializationError):
            getattr(fetched, name)
    with pytest.raises(DeserializationError):
        fetched.get_call_string()


@pytest.mark.parametrize(
    'field, value', [('status', 'nonsense'), ('timeout', 'x'), ('created_at', 'noon'), ('retries_left', '')]
)
def test_broken_fields(redis: Redis, queue: Queue, field: str, value: str) -> None:
    job = queue.enqueue(jobs.add, retry=Retry(max=1))
    redis.hset(job.key, field, value)
    if value:
        with pytest.raises(ValueError, match=field):
            Job.fetch(job.id, redis)
    else:
        assert Job.fetch(job.id, redis).retries_left is None


def test_changing_the_call(redis: Redis) -> None:
    job = Job.create(jobs.add, [1], connection=redis)
    job.args, job.kwargs = (3,), {'y': 4}
    job.save()
    fetched = Job.fetch(job.id, redis)
    assert fetched.perform() == 7
    fetched.func_name = 'tests.jobs.words'
    fetched.save()
    assert Job.fetch(job.id, redis).func is jobs.words
    other = Job(id=job.id, connection=redis)
    other.data = fetched.data
    assert (other.func_name, other.args) == ('tests.jobs.words', (3,))


def test_perform_and_current_job(redis: Redis) -> None:
    assert get_current_job() is None
    job = Job.create(jobs.coroutine, [5], connection=redis)
    assert job.perform() == [5, job.id]
    assert get_current_job() is None
    with pytest.raises(ZeroDivisionError):
        Job.create(jobs.div, connection=redis).perform()
    assert get_current_job() is None
    with pytest.warns(DeprecationWarning):
        get_current_job(connection=redis)


@pytest.mark.parametrize(
    'func, args, value',
    [
        (jobs.Bag(3).add, (4,), 7),
        (jobs.Bag(3), (4,), 12),
        (jobs.Bag.made, (4,), 4),
        (jobs.Bag.plain, (4,), 4),
        ('tests.jobs.add', (4, 5), 9),
        ('tests.jobs.Bag.made', (4,), 4),
        (len, ([1, 2],), 2),
        (datetime.fromisoformat, ('2030-01-01',), datetime(2030, 1, 1)),
    ],
)
def test_what_can_be_a_job(redis: Redis, queue: Queue, func: Any, args: Any, value: Any) -> None:
    job = queue.enqueue(func, *args)
    burst(redis, queue)
    assert job.return_value() == value


def test_json(redis: Redis) -> None:
    queue = Queue(connection=redis, serializer=JSONSerializer)
    job = queue.enqueue(jobs.words, 1, a='ä', meta={'m': [1]})
    with pytest.raises(TypeError):
        queue.enqueue(jobs.words, object())
    assert zlib.decompress(redis.hget(job.key, 'data')) == b'["tests.jobs.words", null, [1], {"a": "\\u00e4"}]'
    burst(redis, queue, serializer='json')
    fetched = Job.fetch(job.id, redis, serializer='json')
    assert (fetched.return_value(), fetched.meta) == ([[1], {'a': 'ä'}], {'m': [1]})
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        assert Job.fetch(job.id, redis).id == job.id  # another serializer: only the payload cannot be read


def test_position_executions_and_registries(redis: Redis, queue: Queue) -> None:
    one, two = queue.enqueue(jobs.add), queue.enqueue(jobs.add)
    assert (one.get_position(), two.get_position(), two.get_executions()) == (0, 1, [])
    assert one.failed_job_registry == queue.failed_job_registry
    assert one.finished_job_registry.key == 'rq:finished:default'
    assert one.started_job_registry.key == 'rq:wip:default'
    assert one.execution_registry.key == f'rq:executions:{one.id}'
    burst(redis, queue)
    assert one.get_position() is None
