"""The failed queue is a view of the FailedJobRegistries (spec/legacy.md, section 5)."""

import pickle

import pytest

from rq import Queue, get_failed_queue, requeue_job
from rq.exceptions import InvalidJobOperationError
from rq.job import Job
from rq.queue import FailedQueue
from rq.registry import FailedJobRegistry
from rq.results import Result
from rq.store import keys, settle
from rq.store.call import run
from tests.invariants import check
from tests.jobs import add, fail
from tests.launch import burst
from tests.store.world import dump, started

YEAR = 365 * 24 * 3600


@pytest.fixture
def failed(redis):
    """The failed queue."""
    return get_failed_queue(redis)


def saved(redis, origin='fake', **words):
    """A job as old tests made them."""
    job = Job.create(add, args=(1, 2), connection=redis, origin=origin, **words)
    job.save()
    return job


def of_3_0(redis, queue_name='default', **words):
    """The id of a job that failed on a worker of RQ 3.0's rules."""
    queue = Queue(queue_name, redis)
    job = queue.enqueue(fail, **words)
    burst(redis, queue)
    return job.id


def left_by_old(redis, *jobs):
    """Ids in the list of an old version, with the hashes that it left."""
    for job in jobs:
        redis.hset(job.key, mapping={'status': 'failed', 'exc_info': 'old traceback'})
        redis.rpush('rq:queue:failed', job.id)


# --- looking --------------------------------------------------------------------------------------------------------


def test_it_is_a_queue(redis, failed):
    assert isinstance(failed, FailedQueue)
    assert isinstance(failed, Queue)
    assert (failed.name, failed.key, failed.connection, failed.era) == ('failed', 'rq:queue:failed', redis, 'A')
    assert (failed.count, len(failed), failed.job_ids, failed.jobs, failed.is_empty()) == (0, 0, [], [], True)
    assert redis.keys() == []


def test_it_shows_failures_of_3_0_of_all_queues_the_oldest_first(redis, failed):
    ids = [of_3_0(redis, 'b'), of_3_0(redis, 'a', failure_ttl=5 * YEAR), of_3_0(redis, 'b'), of_3_0(redis, 'c')]
    assert failed.job_ids == ids
    assert [job.id for job in failed.jobs] == ids
    assert (failed.count, len(failed), failed.is_empty()) == (4, 4, False)
    assert (failed.get_job_ids(1, 2), failed.get_job_ids(2), failed.get_job_ids(0, 0)) == (ids[1:3], ids[2:], [])
    assert (failed.get_job_position(ids[2]), failed.get_job_position('x')) == (2, None)


def test_the_old_list_comes_first_without_repetition(redis, failed):
    newer, both, older, lost = (saved(redis, 'q') for _ in range(4))
    failed.quarantine(both, 'x')
    failed.quarantine(newer, 'x')
    left_by_old(redis, older, both, lost)
    redis.delete(lost.key)
    assert failed.job_ids == [older.id, both.id, newer.id]
    assert failed.count == 3


def test_ids_without_a_hash_and_expired_entries_are_left_out(redis, failed):
    gone, expired = saved(redis, 'q'), saved(redis, 'q')
    failed.quarantine(gone, 'x')
    failed.quarantine(expired, 'x')
    redis.delete(gone.key)
    redis.zadd('rq:failed:q', {expired.id: 1})
    before = dump(redis)
    assert failed.job_ids == []
    assert dump(redis) == before


def test_jobs_queued_on_a_queue_of_that_name_are_no_failures(redis, failed):
    job = Queue('failed', redis).enqueue(add)
    assert failed.job_ids == []
    burst(redis, Queue('failed', redis))
    assert job.is_finished


def test_fetch_job(redis, failed):
    job, other = saved(redis), saved(redis)
    failed.quarantine(job, 'x')
    assert failed.fetch_job(job.id) == job
    assert failed.fetch_job(other.id) is None
    assert failed.fetch_job('unknown') is None


# --- quarantine -----------------------------------------------------------------------------------------------------


def test_quarantine(redis, failed):
    job = saved(redis)
    before = job.origin, job.enqueued_at
    assert failed.quarantine(job, ValueError('some error')) is job
    assert (failed.count, failed.job_ids) == (1, [job.id])
    fetched = Job.fetch(job.id, redis)
    assert fetched.is_failed
    assert (fetched.exc_info, job.exc_info) == ('some error', 'some error')
    assert (fetched.origin, fetched.enqueued_at) == before
    assert fetched in FailedJobRegistry('fake', redis)
    assert fetched.latest_result().type is Result.Type.FAILED
    assert redis.smembers('rq:queues') == {b'rq:queue:fake'}
    for key in (job.key, keys.results(job.id)):
        assert YEAR - 60 < redis.ttl(key) <= YEAR
    assert not redis.exists('rq:queue:failed')
    assert check(redis) == []


def test_quarantine_saves(redis, failed):
    job = Job.create(add, connection=redis, origin='q', meta={'a': 1})
    failed.quarantine(job, 'text')
    assert Job.fetch(job.id, redis).meta == {'a': 1}
    assert check(redis) == []


@pytest.mark.parametrize('ttl, life', [(100, 100), (-1, -1)])
def test_quarantine_obeys_the_failure_ttl(redis, failed, ttl, life):
    job = saved(redis, failure_ttl=ttl)
    failed.quarantine(job, 'text')
    assert redis.ttl(job.key) == redis.ttl(keys.results(job.id)) == life
    assert failed.job_ids == [job.id]


def test_quarantine_takes_a_job_from_its_place(redis, failed):
    queued = Queue('q', redis).enqueue(add)
    scheduled = Queue('q', redis).enqueue_at(queued.created_at, add)
    failed.quarantine(queued, 'x')
    failed.quarantine(scheduled, 'x')
    assert failed.count == 2
    assert check(redis) == []


def test_what_runs_is_left_to_its_worker(redis, failed):
    lease = started(redis)
    job = Job.fetch('j', redis)
    before = dump(redis)
    failed.quarantine(job, 'x')
    assert dump(redis) == before
    assert run(redis, settle.finish(lease, 500, b'1', (), {})) == 'ok'
    assert check(redis) == []


# --- requeue, remove, empty -----------------------------------------------------------------------------------------


def test_requeue(redis, failed):
    job = saved(redis, 'q')
    failed.quarantine(job, 'text')
    again = failed.requeue(job.id)
    assert again == job
    assert (again.exc_info, again.get_status(), again.origin) == (None, 'queued', 'q')
    assert (failed.count, Queue('q', redis).job_ids) == (0, [job.id])
    assert redis.hget(job.key, 'exc_info') is None
    assert check(redis) == []


def test_requeue_from_the_old_list(redis, failed):
    job = saved(redis, 'q')
    left_by_old(redis, job)
    assert failed.fetch_job(job.id).exc_info == 'old traceback'
    assert failed.requeue(job.id).exc_info is None
    assert (failed.count, Queue('q', redis).job_ids, redis.exists('rq:queue:failed')) == (0, [job.id], 0)
    assert check(redis) == []


def test_requeue_drops_an_unknown_id(redis, failed):
    redis.rpush('rq:queue:failed', 'unknown')
    assert failed.requeue('unknown') is None
    assert not redis.exists('rq:queue:failed')


def test_requeue_refuses_what_has_not_failed(redis, failed):
    job = Queue('q', redis).enqueue(add)
    before = dump(redis)
    with pytest.raises(InvalidJobOperationError, match='^Cannot requeue non-failed jobs$'):
        failed.requeue(job.id)
    assert dump(redis) == before


def test_requeue_job_without_a_connection(redis, failed):
    from rq import Connection

    job = saved(redis, 'q')
    left_by_old(redis, job)
    with Connection(redis):
        assert requeue_job(job.id) == job
        with pytest.raises(InvalidJobOperationError):
            requeue_job(job.id)
    assert Queue('q', redis).job_ids == [job.id]


def test_remove(redis, failed):
    left, stored, both = (saved(redis, 'q') for _ in range(3))
    failed.quarantine(stored, 'x')
    failed.quarantine(both, 'x')
    left_by_old(redis, left, both)
    assert [failed.remove(one) for one in (left, stored.id, both, 'unknown')] == [1, 1, 1, 0]
    assert failed.job_ids == []
    assert all(redis.exists(job.key) for job in (left, stored, both))


def test_empty(redis, failed):
    other = Queue('q', redis).enqueue(add)
    left, stored = saved(redis, 'q'), saved(redis, 'r')
    failed.quarantine(stored, 'x')
    left_by_old(redis, left)
    assert failed.empty() == 2
    assert failed.job_ids == []
    assert redis.keys('rq:job:*') == [other.key.encode()]
    assert not redis.exists('rq:queue:failed')
    assert check(redis) == []


def test_3_0_sees_what_was_quarantined(redis, failed):
    job = saved(redis, 'q')
    failed.quarantine(job, 'text')
    assert Queue('q', redis).failed_job_registry.get_job_ids() == [job.id]
    Job.fetch(job.id, redis).requeue()
    assert failed.count == 0
    assert check(redis) == []


def test_a_job_as_an_old_version_left_it(redis, failed):
    """As 0.5 wrote it: a pickled call, whole seconds, the traceback as plain text; and no registries at all."""
    call = pickle.dumps(('tests.jobs.add', None, (2, 3), {}), protocol=2)
    hash_ = {
        'created_at': '2014-10-01T10:00:00Z', 'enqueued_at': '2014-10-01T10:00:01Z', 'ended_at': '2014-10-01T10:00:02Z',
        'data': call, 'origin': 'default', 'description': 'tests.jobs.add(2, 3)', 'exc_info': 'ZeroDivisionError: x',
        'timeout': '180', 'status': 'failed',
    }  # fmt: skip
    redis.hset('rq:job:old-1', mapping=hash_)
    redis.sadd('rq:queues', 'rq:queue:default', 'rq:queue:failed')
    redis.rpush('rq:queue:failed', 'old-1')
    (job,) = failed.jobs
    assert (job.exc_info, job.func_name, job.args, job.origin) == (
        'ZeroDivisionError: x',
        'tests.jobs.add',
        (2, 3),
        'default',
    )
    assert failed.requeue('old-1').get_status() == 'queued'
    burst(redis, Queue(connection=redis))
    assert Job.fetch('old-1', redis).return_value() == 5
    assert check(redis) == []
