"""Group: jobs that belong together."""

import pytest
from redis import Redis

from rq import Queue
from rq.exceptions import NoSuchGroupError
from rq.group import Group
from rq.job import Job
from tests import jobs
from tests.invariants import check
from tests.launch import burst

data = Queue.prepare_data


def group_of(redis: Redis, queue: Queue, *ids: str) -> Group:
    group = Group.create(redis, name='g')
    group.enqueue_many(queue, [data(jobs.add, job_id=job_id) for job_id in ids])
    return group


def test_made(redis: Redis) -> None:
    assert Group.create(redis, name='g').key == Group.get_key('g') == 'rq:group:g'
    assert len(Group(redis).name) == 32
    assert redis.keys() == []
    with pytest.raises(NoSuchGroupError):
        Group.fetch('g', redis)


def test_enqueue_many(redis: Redis, queue: Queue) -> None:
    group = group_of(redis, queue, 'a', 'b')
    assert queue.job_ids == ['a', 'b'] and Job.fetch('a', redis).group_id == 'g'
    assert redis.smembers('rq:group:g') == {b'a', b'b'} and redis.smembers('rq:groups') == {b'g'}
    assert sorted(job.id for job in group.get_jobs()) == ['a', 'b']
    assert [one.name for one in Group.all(redis)] == ['g'] and Group.fetch('g', redis).name == 'g'
    group.enqueue_many(queue, [data(jobs.add, job_id='c', depends_on='a')])
    assert Job.fetch('c', redis).is_deferred and redis.scard('rq:group:g') == 3
    assert check(redis) == []


@pytest.mark.parametrize('depends_on', [None, 'a'])
def test_a_given_pipeline_is_executed(redis: Redis, queue: Queue, depends_on: str | None) -> None:
    with redis.pipeline() as pipeline:
        pipeline.set('beside', 1)
        datas = [data(jobs.add, job_id='a'), data(jobs.add, job_id='b', depends_on=depends_on)]
        Group.create(redis, 'g').enqueue_many(queue, datas, pipeline=pipeline)
        assert len(pipeline) == 0
    assert redis.get('beside') == b'1' and queue.count == (1 if depends_on else 2)
    assert redis.scard('rq:group:g') == 2


def test_no_jobs_no_group(redis: Redis, queue: Queue) -> None:
    assert Group.create(redis, 'g').enqueue_many(queue, []) == []
    assert redis.keys() == []


def test_jobs_leave(redis: Redis, queue: Queue) -> None:
    group = group_of(redis, queue, 'a', 'b', 'c', 'd')
    Job.fetch('a', redis).delete()
    assert redis.smembers('rq:group:g') == {b'b', b'c', b'd'}
    group.delete_job('b')
    with redis.pipeline() as pipeline:
        group.delete_job('c', pipeline=pipeline)
        assert redis.scard('rq:group:g') == 2
        pipeline.execute()
    redis.delete('rq:job:d')
    assert group.get_jobs() == [] and not redis.exists('rq:group:g')
    assert Group.all(redis) == [] and not redis.exists('rq:groups')


def test_the_end_of_a_job_that_leaves_nothing(redis: Redis, queue: Queue) -> None:
    group = Group.create(redis, 'g')
    datas = [data(jobs.add, job_id='a', result_ttl=0), data(jobs.div, job_id='b', failure_ttl=0), data(jobs.add)]
    kept = group.enqueue_many(queue, datas)[2]
    burst(redis, queue)
    assert group.get_jobs() == [kept] and redis.scard('rq:group:g') == 1


def test_delete_after_the_group_is_gone(redis: Redis, queue: Queue) -> None:
    group_of(redis, queue, 'a')
    redis.delete('rq:group:g')
    Job.fetch('a', redis).delete()
    assert not Job.exists('a', redis)


def test_empty_queue(redis: Redis, queue: Queue) -> None:
    group_of(redis, queue, 'a', 'b')
    queue.empty()
    assert not redis.exists('rq:group:g') and check(redis) == []


def test_clean_registries(redis: Redis, queue: Queue) -> None:
    group_of(redis, queue, 'a', 'b')
    redis.sadd('rq:groups', 'gone')
    redis.delete('rq:job:a')
    Group.clean_registries(redis)
    assert redis.smembers('rq:group:g') == {b'b'} and redis.smembers('rq:groups') == {b'g'}
    redis.delete('rq:job:b')
    Group.clean_registries(redis)
    assert not redis.exists('rq:group:g', 'rq:groups')


def test_maintenance_lock(redis: Redis) -> None:
    assert Group.acquire_maintenance_lock(redis, 60) and not Group.acquire_maintenance_lock(redis, 60)
    assert 0 < redis.ttl('rq:clean_groups') <= 60


def test_a_synchronous_queue(redis: Redis) -> None:
    here = Queue('here', connection=redis, is_async=False)
    made = Group.create(redis, 'g').enqueue_many(here, [data(jobs.add), data(jobs.div)])
    assert [job.get_status() for job in made] == ['finished', 'failed'] and redis.scard('rq:group:g') == 2
