"""Queue: the words of enqueue, bulk, pipelines, schedules; looking and removing."""

import inspect
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from redis import Redis

from rq import Queue, Retry
from rq.exceptions import DuplicateJobError, InvalidJobOperation, PayloadTooLargeError, TimeoutFormatError
from rq.job import Job
from rq.queue import EnqueueData
from rq.serializers import DefaultSerializer, JSONSerializer
from tests import jobs
from tests.invariants import check
from tests.launch import burst

CALL = (
    'self func args kwargs timeout result_ttl ttl failure_ttl description depends_on job_id at_front meta retry repeat '
    'on_success on_failure on_stopped rate_limit pipeline unique webhooks on_final_failure keep_on_failure'
)
SIGNATURES = {
    'enqueue_call': CALL,
    'create_job': 'self func args kwargs timeout result_ttl ttl failure_ttl description depends_on job_id meta status '
    'retry repeat on_success on_failure on_stopped webhooks group_id rate_limit on_final_failure keep_on_failure',
    'prepare_data': 'func args kwargs timeout result_ttl ttl failure_ttl description depends_on job_id at_front meta '
    'retry on_success on_failure on_stopped repeat webhooks on_final_failure keep_on_failure',
    'enqueue': 'self f args kwargs',
    'enqueue_at': 'self datetime f args kwargs',
    'enqueue_in': 'self time_delta func args kwargs',
    'enqueue_job': 'self job pipeline at_front unique',
    'schedule_job': 'self job datetime pipeline unique',
    'enqueue_many': 'self job_datas pipeline group_id',
    'setup_dependencies': 'self job pipeline',
    'all': 'connection job_class serializer death_penalty_class',
    'from_queue_key': 'queue_key connection job_class serializer death_penalty_class',
    'get_job_ids': 'self offset length',
    'get_jobs': 'self offset length',
    'push_job_id': 'self job_id pipeline at_front',
    'remove': 'self job_or_id pipeline',
    'delete': 'self delete_jobs',
    '__init__': 'self name connection default_timeout is_async job_class serializer death_penalty_class '
    'keep_on_failure kwargs',
}


@pytest.mark.parametrize('name', SIGNATURES)
def test_signature(name: str) -> None:
    assert list(inspect.signature(getattr(Queue, name)).parameters) == SIGNATURES[name].split()


def test_fields_of_bulk_data() -> None:
    assert list(EnqueueData._fields) == SIGNATURES['prepare_data'].split()


def test_identity(redis: Redis) -> None:
    one, same, other = Queue('a', redis), Queue('a', connection=redis), Queue('b', connection=redis)
    assert one == same and one < other and len({one, same, other}) == 2
    assert (str(one), repr(one), one.key, one.name) == ('<Queue a>', "Queue('a')", 'rq:queue:a', 'a')
    assert bool(one) and len(one) == 0 and list(one) == [one]
    with pytest.raises(TypeError):
        assert one == 'a'
    with pytest.raises(TypeError, match='connection'):
        Queue('a')
    with pytest.warns(DeprecationWarning, match='async'):
        assert not Queue(connection=redis, **{'async': False}).is_async
    assert Queue(connection=redis, unknown=1).name == 'default'
    assert (one.log.name, one.DEFAULT_TIMEOUT, one.job_class, one.is_async) == ('rq.queue', 180, Job, True)


def test_all_and_keys(redis: Redis) -> None:
    for name in ('a', 'b', 'c:d', 'ü'):
        Queue(name, connection=redis).enqueue(jobs.add)
    assert sorted(queue.name for queue in Queue.all(redis)) == ['a', 'b', 'c:d', 'ü']
    assert Queue.from_queue_key('rq:queue:x', redis).name == 'x'
    with pytest.raises(ValueError, match='rq:queue:'):
        Queue.from_queue_key('other:x', redis)


@pytest.mark.parametrize('name', ['wip:default', 'job:x', 'queue', 'default:leases', 'finished:default', '*'])
def test_names_that_look_like_keys(redis: Redis, name: str) -> None:
    queue, normal = Queue(name, connection=redis), Queue(connection=redis)
    good, bad = queue.enqueue(jobs.add), queue.enqueue(jobs.div)
    other = normal.enqueue(jobs.add)
    burst(redis, queue, normal)
    assert good.is_finished and bad.is_failed and other.is_finished
    assert queue.failed_job_registry.get_job_ids() == [bad.id] and len(normal.failed_job_registry) == 0
    assert check(redis) == []


@pytest.mark.parametrize('name', ['default:intermediate', 'a:intermediate:first_seen:b'])
def test_names_that_are_refused(redis: Redis, name: str) -> None:
    with pytest.raises(ValueError, match='cannot be a queue name'):
        Queue(name, connection=redis)
    with pytest.raises(TypeError):
        Queue(5, connection=redis)


def test_words_of_enqueue(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(
        jobs.words, 1, timeout=5, a=2, job_timeout='1h', description='what', result_ttl='1m', ttl='2h',
        failure_ttl='1d',
        job_id='mine', meta={'m': 1}, retry=Retry(3, 5),
    )  # fmt: skip
    for one in (job, Job.fetch('mine', redis)):
        assert (one.args, one.kwargs) == ((1,), {'timeout': 5, 'a': 2})
        assert (one.timeout, one.result_ttl, one.ttl, one.failure_ttl) == (3600, 60, 7200, 86400)
        assert (one.description, one.meta, one.retries_left, one.retry_intervals) == ('what', {'m': 1}, 3, [5])
        assert (one.origin, one.get_status()) == ('default', 'queued')
        assert one.enqueued_at is not None
    assert 7100 < redis.ttl(job.key) <= 7200
    assert (queue.job_ids, queue.count, queue.is_empty()) == (['mine'], 1, False)
    assert redis.smembers('rq:queues') == {b'rq:queue:default'}


def test_explicit_args(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(jobs.words, args=(1,), kwargs={'ttl': 2}, dropped=3)
    assert (job.args, job.kwargs) == ((1,), {'ttl': 2})
    with pytest.raises(AssertionError):
        queue.enqueue(jobs.words, 5, args=(1,))
    assert queue.count == 1


def test_default_timeout(redis: Redis, queue: Queue) -> None:
    assert queue.enqueue(jobs.add).timeout == 180
    assert Queue(connection=redis, default_timeout='2m').enqueue(jobs.add).timeout == 120  # type: ignore[arg-type]
    assert Queue(connection=redis, default_timeout=50).enqueue(jobs.add, job_timeout=-1).timeout == -1


@pytest.mark.parametrize(
    'words, error',
    [
        ({'job_timeout': 0}, ValueError),
        ({'job_timeout': 'soon'}, TimeoutFormatError),
        ({'ttl': 0}, ValueError),
        ({'ttl': -1}, ValueError),
        ({'ttl': 'x'}, TimeoutFormatError),
        ({'unique': True}, ValueError),
        ({'job_id': 'a b'}, ValueError),
        ({'job_id': 5}, TypeError),
        ({'on_success': 5}, ValueError),
        ({'depends_on': 5}, ValueError),
        ({'repeat': 5}, TypeError),
        ({'rate_limit': 5}, TypeError),
        ({'webhooks': 'http://x/'}, TypeError),
        ({'unique': True, 'job_id': 'j', 'depends_on': 'other'}, ValueError),
        ({'args': (lambda: None,)}, Exception),
        ({'args': (b'x' * (17 << 20),)}, PayloadTooLargeError),
    ],
)
def test_enqueue_refuses_and_stores_nothing(redis: Redis, queue: Queue, words: Any, error: Any) -> None:
    for put in (queue.enqueue, lambda f, **more: queue.enqueue_in(timedelta(1), f, **more)):
        if words.get('unique') and 'depends_on' in words and put != queue.enqueue:
            continue  # what is scheduled does not look at those it depends on
        with pytest.raises(error):
            put(jobs.words, **words)
    assert redis.keys() == []


def test_main_functions_are_refused(redis: Redis, queue: Queue) -> None:
    def local() -> None: ...

    local.__module__ = '__main__'
    with pytest.raises(ValueError, match='__main__'):
        queue.enqueue(local)
    with pytest.raises(TypeError):
        queue.enqueue(5)
    assert redis.keys() == []


def test_at_front(redis: Redis, queue: Queue) -> None:
    one = queue.enqueue(jobs.add)
    two = queue.enqueue(jobs.add, at_front=True)
    three = queue.enqueue_call(jobs.add, at_front=True)
    assert queue.job_ids == [three.id, two.id, one.id]


def test_unique(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(jobs.add, job_id='mine', unique=True)
    for put in (queue.enqueue, lambda f, **words: queue.enqueue_in(timedelta(1), f, **words)):
        with pytest.raises(DuplicateJobError, match='mine'):
            put(jobs.add, job_id='mine', unique=True)
    assert queue.count == 1 and len(queue.scheduled_job_registry) == 0
    burst(redis, queue)
    with pytest.raises(DuplicateJobError):
        queue.enqueue(jobs.add, job_id='mine', unique=True)
    job.delete()
    assert queue.enqueue(jobs.add, job_id='mine', unique=True).is_queued


def test_the_same_id_again(redis: Redis, queue: Queue) -> None:
    queue.enqueue(jobs.div, job_id='mine', meta={'a': 1})
    job = queue.enqueue(jobs.add, 2, 3, job_id='mine')
    assert queue.job_ids == ['mine']
    burst(redis, queue)
    assert job.return_value() == 5
    job = queue.enqueue(jobs.div, job_id='mine')
    burst(redis, queue)
    assert job.is_failed and len(queue.finished_job_registry) == 0
    job = queue.enqueue_in(timedelta(1), jobs.add, job_id='mine')
    assert job.is_scheduled and len(queue.failed_job_registry) == 0 and check(redis) == []


def test_pipeline(redis: Redis, queue: Queue) -> None:
    with redis.pipeline() as pipeline:
        job = queue.enqueue(jobs.add, pipeline=pipeline)
        later = queue.enqueue_in(timedelta(1), jobs.add, pipeline=pipeline)
        many = queue.enqueue_many([Queue.prepare_data(jobs.add), Queue.prepare_data(jobs.add, at_front=True)], pipeline)
        assert redis.keys() == []
        pipeline.execute()
    assert queue.job_ids == [many[1].id, job.id, many[0].id]
    assert later.is_scheduled and job.enqueued_at is not None and check(redis) == []


def test_bulk(redis: Redis, queue: Queue) -> None:
    datas = [Queue.prepare_data(jobs.add, (number,), job_id=f'j{number}', timeout='1m') for number in range(1200)]
    made = queue.enqueue_many(datas)
    assert [job.id for job in made] == queue.job_ids == [f'j{number}' for number in range(1200)]
    assert (made[7].args, made[7].timeout, made[7].get_status()) == ((7,), 60, 'queued')
    assert queue.enqueue_many([]) == []
    with pytest.raises(ValueError, match='twice'):
        queue.enqueue_many([Queue.prepare_data(jobs.add, job_id='x')] * 2)
    with pytest.raises(ValueError):
        queue.enqueue_many([Queue.prepare_data(jobs.add), Queue.prepare_data(jobs.add, timeout=0)])
    assert queue.count == 1200


def test_bulk_is_all_or_nothing_about_what_can_be_known(redis: Redis, queue: Queue) -> None:
    datas = [Queue.prepare_data(jobs.add) for _ in range(600)]
    with pytest.raises(Exception, match='pickle|local'):
        queue.enqueue_many([*datas, Queue.prepare_data(jobs.words, (lambda: None,))])
    assert redis.keys() == []


def test_enqueue_at_and_in(redis: Redis, queue: Queue) -> None:
    at = datetime(2040, 1, 1, 12, tzinfo=UTC)
    job = queue.enqueue_at(at, jobs.words, 1, a=2, job_timeout='1h', at_front=True)
    registry = queue.scheduled_job_registry
    assert registry.get_scheduled_time(job) == at
    assert (job.get_status(), job.args, job.kwargs, job.timeout) == ('scheduled', (1,), {'a': 2}, 3600)
    assert Job.fetch(job.id, redis).enqueue_at_front is True
    naive = queue.enqueue_at(datetime(2040, 1, 1, 12), jobs.add)
    assert registry.get_scheduled_time(naive) == datetime(2040, 1, 1, 12).astimezone()
    soon = queue.enqueue_in(timedelta(minutes=1), jobs.add)
    wait = (registry.get_scheduled_time(soon) - datetime.now(UTC)).total_seconds()
    assert 57 < wait <= 60 and queue.count == 0
    past = queue.enqueue_in(timedelta(minutes=-1), jobs.add)
    burst(redis, queue)
    assert past.is_finished and soon.is_scheduled and check(redis) == []


def test_schedule_a_running_job_is_refused(redis: Redis, queue: Queue) -> None:
    job = queue.enqueue(jobs.add, job_id='mine')
    redis.hset(job.key, mapping={'status': 'started', 'execution': 'x'})
    redis.zadd('rq:wip:default', {'mine:x': 9_999_999_999})
    with pytest.raises(InvalidJobOperation, match='running'):
        queue.enqueue_in(timedelta(1), jobs.add, job_id='mine')


def test_front_of_a_due_job(redis: Redis, queue: Queue) -> None:
    first = queue.enqueue(jobs.note, 'first')
    due = queue.enqueue_in(timedelta(seconds=-5), jobs.note, 'due', at_front=True)
    burst(redis, Queue('other', connection=redis))
    assert queue.job_ids == [first.id] and due.is_scheduled
    burst(redis, queue, Queue('other', connection=redis))
    assert due.is_finished


def test_create_and_enqueue_job(redis: Redis, queue: Queue) -> None:
    job = queue.create_job(jobs.add, (1,), timeout=5, job_id='mine', description='d')
    assert redis.keys() == [] and (job.origin, job._status, job.timeout) == ('default', 'queued', 5)
    other = Queue('other', connection=redis)
    assert other.enqueue_job(job, at_front=True) is job
    assert (job.origin, other.job_ids, queue.job_ids) == ('other', ['mine'], [])
    assert Queue('third', connection=redis).schedule_job(job, datetime(2040, 1, 1)).origin == 'third'
    assert check(redis) == []


def test_looking(redis: Redis, queue: Queue) -> None:
    made = [queue.enqueue(jobs.add, number) for number in range(5)]
    ids = [job.id for job in made]
    assert queue.get_job_ids() == ids and queue.get_job_ids(1, 2) == ids[1:3] and queue.get_job_ids(0, 0) == []
    assert queue.get_job_ids(3) == ids[3:] and queue.get_jobs(1, 1) == [made[1]] and queue.jobs == made
    assert queue.get_job_position(made[2]) == queue.get_job_position(ids[2]) == 2
    assert queue.get_job_position('gone') is None
    assert queue.fetch_job(ids[0]) == made[0] and queue.fetch_job('gone') is None
    assert Queue('other', connection=redis).fetch_job(ids[0]) is None
    redis.delete(made[1].key)
    assert made[1] not in queue.jobs
    assert queue.fetch_job(ids[1]) is None and ids[1] not in queue.job_ids
    assert [type(getattr(queue, f'{kind}_job_registry')).__name__ for kind in ('failed', 'scheduled', 'canceled')] == [
        'FailedJobRegistry', 'ScheduledJobRegistry', 'CanceledJobRegistry',
    ]  # fmt: skip


def test_one_broken_record_does_not_hide_the_others(redis: Redis, queue: Queue) -> None:
    good, bad = queue.enqueue(jobs.add), queue.enqueue(jobs.add)
    redis.hset(bad.key, 'timeout', 'nonsense')
    redis.rpush(queue.key, b'\xff\xfe not an id')
    assert good in queue.jobs


def test_removing(redis: Redis, queue: Queue) -> None:
    made = [queue.enqueue(jobs.add) for _ in range(4)]
    queue.remove(made[1])
    queue.remove(made[2].id)
    assert queue.job_ids == [made[0].id, made[3].id]
    queue.push_job_id('x', at_front=True)
    assert queue.pop_job_id() == 'x'
    assert queue.empty() == 2 and queue.count == 0
    assert not Job.exists(made[0].id, redis) and Job.exists(made[1].id, redis)
    assert queue.pop_job_id() is None and queue.empty() == 0
    kept = queue.enqueue(jobs.add)
    queue.delete(delete_jobs=False)
    assert Queue.all(redis) == [] and Job.exists(kept.id, redis)
    gone = queue.enqueue(jobs.add)
    queue.delete()
    assert not Job.exists(gone.id, redis)


class Shouting:
    """A serializer of the user's own."""

    @staticmethod
    def dumps(value: Any) -> bytes:
        return b'!' + DefaultSerializer.dumps(value)

    @staticmethod
    def loads(data: bytes) -> Any:
        assert data[:1] == b'!'
        return DefaultSerializer.loads(data[1:])


@pytest.mark.parametrize(
    'serializer', [Shouting, Shouting(), 'tests.street.test_queue.Shouting', JSONSerializer, 'json']
)
def test_serializers(redis: Redis, serializer: Any) -> None:
    queue = Queue(connection=redis, serializer=serializer)
    job = queue.enqueue(jobs.words, 'x' * 100, meta={'a': 1})
    later = queue.enqueue(jobs.returns_retry, max=1)
    burst(redis, queue, serializer=serializer)
    fetched = Job.fetch(job.id, redis, serializer)
    assert (fetched.return_value(), fetched.meta) == ([['x' * 100], {}], {'a': 1})
    assert fetched.args[0] == 'x' * 100
    assert Job.fetch(later.id, redis, serializer).is_failed
    assert check(redis) == []


@pytest.mark.parametrize(
    ('serializer', 'error'),
    [(json, TypeError), (5, NotImplementedError), (object(), NotImplementedError), ('nowhere.at.all', ValueError)],
)
def test_bad_serializers(redis: Redis, serializer: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        Queue(connection=redis, serializer=serializer).enqueue(jobs.add)
    assert redis.keys() == []


class LoudJob(Job):
    """A job class of the user's own."""

    def perform(self) -> Any:
        return f'{super().perform()}!'


def test_classes_of_their_own(redis: Redis) -> None:
    queue = Queue(connection=redis, job_class='tests.street.test_queue.LoudJob')
    job = queue.enqueue(jobs.add)
    assert type(job) is type(queue.jobs[0]) and type(job).__name__ == 'LoudJob'
    burst(redis, queue, job_class=type(job))
    assert job.return_value() == '2!'


def test_unique_jobs_are_no_part_of_a_pipeline(redis: Redis, queue: Queue) -> None:
    pipeline = redis.pipeline()
    queue.enqueue(jobs.add, job_id='once', unique=True, pipeline=pipeline)
    assert queue.job_ids == ['once']
    with pytest.raises(DuplicateJobError):
        queue.enqueue(jobs.add, job_id='once', unique=True, pipeline=pipeline)


def test_at_front_may_be_none(queue: Queue) -> None:
    assert queue.enqueue(jobs.add, at_front=None).id in queue.job_ids
