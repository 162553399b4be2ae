"""empty: queued jobs are removed with their records."""

import pytest

from rq.store import keys, operate, settle
from rq.store.call import run
from tests.invariants import check
from tests.store.world import JOB, NOW, QUEUE, RESTING, dump, enqueue, job, listed, rest, started, take, unchanged


def test_all(redis):
    for number in range(3):
        enqueue(redis, f'j{number}')
    redis.sadd(keys.dependents('j0'), 'x')
    redis.sadd(keys.dependencies('j0'), 'x')
    redis.xadd(keys.results('j0'), {'type': 1})
    enqueue(redis, 'other', queue='r')
    assert run(redis, operate.empty('q')) == 3
    assert set(dump(redis)) == {keys.QUEUES, keys.queue('r'), keys.job('other')}
    with unchanged(redis):
        assert run(redis, operate.empty('q')) == 0


def test_in_batches_from_the_front(redis):
    for number in range(5):
        enqueue(redis, f'j{number}')
    assert run(redis, operate.empty('q', 3)) == 3
    assert listed(redis) == ['j3', 'j4']
    assert check(redis) == []
    assert run(redis, operate.empty('q', 3)) == 2


def test_dead_and_binary_ids(redis):
    redis.rpush(QUEUE, b'gone', b'\xff\xfe', b'', b'j:dependents')
    redis.sadd(keys.dependents('j'), 'x')
    assert run(redis, operate.empty('q')) == 4
    assert set(dump(redis)) == {keys.dependents('j')}


def test_the_record_of_a_running_job_is_not_taken_away(redis):
    enqueue(redis)
    redis.rpush(QUEUE, 'j')
    lease = take(redis)
    assert run(redis, operate.empty('q')) == 1
    assert run(redis, settle.finish(lease, 500, None, (), {}, NOW)) == 'ok'
    assert job(redis)['status'] == 'finished'
    assert check(redis) == []


@pytest.mark.parametrize('status', [s for s in RESTING if s != 'created'])
def test_a_second_listing_goes_alone(redis, status):
    rest(redis, status)
    with unchanged(redis):
        redis.rpush(QUEUE, 'j')
        assert run(redis, operate.empty('q')) == 1


@pytest.mark.parametrize('fields', [{}, {'status': 'created'}])
def test_a_created_job_that_was_only_listed(redis, fields):
    redis.hset(JOB, mapping={'data': 'x', **fields})
    redis.rpush(QUEUE, 'j')
    assert run(redis, operate.empty('q')) == 1
    assert dump(redis) == {}


def test_started_jobs_are_not_meant(redis):
    started(redis)
    with unchanged(redis):
        assert run(redis, operate.empty('q')) == 0
