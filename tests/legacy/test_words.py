"""Queues and jobs in the words of 0.x (spec/legacy.md, section 3), and where RQ 3.0 wins (section 7)."""

import pytest

from rq import Connection, Queue
from rq.decorators import job as job_decorator
from rq.job import Job, JobStatus
from tests.jobs import add, words
from tests.launch import burst


@pytest.fixture
def old(redis):
    """A queue of era A."""
    with Connection(redis):
        return Queue('old')


# --- queues ---------------------------------------------------------------------------------------------------------


def test_the_second_argument_is_the_timeout(redis):
    with Connection(redis):
        assert Queue('x', 600).enqueue(add).timeout == 600
        assert Queue('x', '10m').enqueue(add).timeout == 600
        assert Queue('x', None).enqueue(add).timeout == 180
    made = [Queue('x', 600, redis), Queue('x', 600, connection=redis), Queue('x', '10m', redis, True, Job)]
    assert [(queue.connection, queue.enqueue(add).timeout, queue.era) for queue in made] == [(redis, 600, None)] * 3
    assert Queue('x', None, redis).connection is redis


def test_the_second_argument_is_the_connection(redis):
    queue = Queue('x', redis, 600)
    assert (queue.connection, queue.enqueue(add).timeout) == (redis, 600)
    with pytest.raises(TypeError):
        Queue('x', 600)


@pytest.mark.parametrize('word', ['async', 'is_async'])
def test_not_async(redis, word):
    with Connection(redis):
        job = Queue('x', **{word: False}).enqueue(add, 2, 3)
    assert job.is_finished
    assert job.return_value() == 5


def test_timeout_of_enqueue(redis, old):
    assert old.enqueue(add, timeout=60).timeout == 60
    assert old.enqueue(add, timeout=60, job_timeout=70).timeout == 70
    assert old.enqueue(add, timeout=None).timeout == 180
    assert old.enqueue(add, timeout='1h').timeout == 3600
    assert old.enqueue(words, kwargs={'timeout': 60}).kwargs == {'timeout': 60}
    job = Queue('new', redis).enqueue(words, timeout=60)
    assert (job.timeout, job.kwargs) == (180, {'timeout': 60})


def test_ttl_of_enqueue(redis, old):
    job = old.enqueue(add, ttl=-1)
    assert (job.ttl, redis.ttl(job.key)) == (None, -1)
    assert old.enqueue_call(add, ttl=-1).ttl is None
    with pytest.raises(ValueError):
        Queue('new', redis).enqueue(add, ttl=-1)


def test_enqueue_call_by_keyword(old):
    parent = old.enqueue(add)
    job = old.enqueue_call(
        func=add, args=(1,), kwargs={'y': 2}, timeout=5, result_ttl=6, ttl=7, description='d', depends_on=parent,
        job_id='given', at_front=True, meta={'a': 1},
    )  # fmt: skip
    assert (job.args, job.kwargs, job.timeout, job.result_ttl, job.ttl) == ((1,), {'y': 2}, 5, 6, 7)
    assert (job.description, job.id, job.meta, job.dependency) == ('d', 'given', {'a': 1}, parent)


@pytest.mark.parametrize('call', [lambda q, job: q.enqueue_job(job, timeout=33), lambda q, job: q.enqueue_job(job, 33)])
def test_enqueue_job_with_a_timeout(redis, old, call):
    job = Job.create(add, connection=redis)
    assert call(old, job).timeout == 33
    assert (Job.fetch(job.id, redis).timeout, old.job_ids) == (33, [job.id])


def test_enqueue_job_without_meta_data(redis, old):
    job = Job.create(add, connection=redis, origin='elsewhere')
    old.enqueue_job(job, set_meta_data=False)
    assert (job.origin, job.enqueued_at, old.job_ids) == ('elsewhere', None, [job.id])
    assert Job.fetch(job.id, redis).origin == 'elsewhere'


def test_dequeue(redis, old):
    ids = [old.enqueue(add).id for _ in range(3)]
    redis.delete(f'rq:job:{ids[0]}')
    assert old.dequeue().id == ids[1]
    assert old.dequeue().id == ids[2]
    assert old.dequeue() is None
    assert Queue('new', redis).dequeue() is None


def test_reading_and_emptying(redis, old):
    ids = [old.enqueue(add).id for _ in range(3)]
    assert (len(old), old.count, old.is_empty(), old.job_ids) == (3, 3, False, ids)
    assert [job.id for job in old.get_jobs(1, 1)] == ids[1:2]
    redis.delete(f'rq:job:{ids[1]}')
    old.compact()
    assert old.job_ids == [ids[0], ids[2]]
    assert old.empty() == 2
    old.delete()
    assert redis.keys('rq:job:*') == redis.keys('rq:queue:*') == []


def test_the_decorator(old, redis):
    def decorated(*args):
        raise AssertionError('not called here')

    decorated.__module__, decorated.__qualname__ = add.__module__, 'add'
    with Connection(redis):
        made = job_decorator('low', timeout=5, result_ttl=6, ttl=7, description='d', meta={'a': 1})(decorated)
        job = made.delay(1, 2)
    assert (job.origin, job.timeout, job.result_ttl, job.ttl) == ('low', 5, 6, 7)
    assert (job.description, job.meta, job.args) == ('d', {'a': 1}, (1, 2))


# --- jobs -----------------------------------------------------------------------------------------------------------


def test_status(redis, old):
    job = old.enqueue(add)
    redis.hset(job.key, 'status', 'deferred')
    with pytest.warns(DeprecationWarning, match='get_status'):
        assert job.status is JobStatus.DEFERRED
    with pytest.warns(DeprecationWarning, match='set_status'):
        job.status = 'failed'
    assert redis.hget(job.key, 'status') == b'failed'
    with pytest.warns(DeprecationWarning):
        job.status = JobStatus.QUEUED
    assert (job.is_queued, job.is_failed) == (True, False)


def test_ids(old):
    job = old.enqueue(add)
    assert job.get_id() == job.id
    job.set_id('another')
    assert (job.id, job.get_id()) == ('another', 'another')


@pytest.mark.filterwarnings('ignore::DeprecationWarning')
def test_result_and_return_value(redis, old):
    job = old.enqueue(add, 2, 3)
    burst(redis, old)
    assert (job.result, job.return_value()) == (5, 5)


@pytest.mark.filterwarnings('ignore::DeprecationWarning')
def test_exc_info_can_be_set(redis, old):
    job = Job.create(add, connection=redis)
    assert job.exc_info is None
    job.exc_info = 'text'
    job.save()
    assert (job.exc_info, Job.fetch(job.id, redis).exc_info) == ('text', 'text')
    job.exc_info = None
    assert job.exc_info is None


@pytest.mark.filterwarnings('ignore::DeprecationWarning')
def test_exc_info_goes_with_the_failure(redis, old):
    with Connection(redis):
        job = old.enqueue('tests.jobs.fail')
        burst(redis, old)
        assert 'ValueError: it broke' in Job.fetch(job.id).exc_info
        job.requeue()
        assert Job.fetch(job.id).exc_info is None


def test_create_checks_its_arguments(redis):
    with Connection(redis):
        job = Job.create(add, (1,), {'y': 2}, result_ttl=1, ttl=2, status='queued', description='d', timeout=3, id='i')
        assert (job.args, job.kwargs, job.connection, job.timeout) == ((1,), {'y': 2}, redis, 3)
        with pytest.raises(TypeError):
            Job.create(add, args='text')
        with pytest.raises(TypeError):
            Job.create(add, kwargs=[1])


def test_an_unknown_dependency_counts_as_met(redis, old):
    job = old.enqueue(add, depends_on='unknown')
    assert job.get_status() == 'queued'


def test_a_job_without_a_return_value_is_kept(redis, old):
    job = old.enqueue('tests.jobs.nothing')
    burst(redis, old)
    assert 400 < redis.ttl(job.key) <= 500
