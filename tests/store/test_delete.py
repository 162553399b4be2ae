"""delete: the job and all that belongs to it is removed."""

import pytest

from rq.store import claim, keys, operate, settle
from rq.store.call import run
from tests.store.world import NOW, QUEUE, RESTING, WIP, claims, dump, enqueue, listed, rest, started, unchanged


def delete(redis, remove_from_queue=True):
    return run(redis, operate.delete('j', remove_from_queue))


@pytest.mark.parametrize('status', [*RESTING, 'queued'])
def test_from_rest(redis, status):
    enqueue(redis) if status == 'queued' else rest(redis, status)
    redis.sadd(keys.dependents('j'), 'x')
    redis.sadd(keys.dependencies('j'), 'x')
    redis.xadd(keys.results('j'), {'type': 1})
    redis.zadd(keys.executions('j'), {'e': 1})
    redis.hset(keys.execution('j', 'e'), 'id', 'e')
    assert delete(redis) == 'ok'
    assert dump(redis) == ({keys.QUEUES: {QUEUE}} if status == 'queued' else {})
    with unchanged(redis):
        assert delete(redis) == 'gone'


def test_a_listing_may_stay(redis):
    enqueue(redis)
    assert delete(redis, remove_from_queue=False) == 'ok'
    assert listed(redis) == ['j']
    assert claims(redis).dropped == [b'j']


def test_started(redis):
    lease = started(redis)
    assert delete(redis) == 'ok'
    redis.delete(keys.worker('w'))
    assert dump(redis) == {keys.QUEUES: {QUEUE}}
    assert run(redis, claim.renew('w', [lease], NOW)) == [False]
    assert run(redis, settle.finish(lease, 500, b'1', (), {}, NOW)) == 'gone'
    assert dump(redis) == {keys.QUEUES: {QUEUE}}


def test_started_by_rq_3(redis):
    rest(redis, 'started')
    redis.zadd(WIP, {'j:theirs': 5})
    redis.zadd(keys.executions('j'), {'theirs': 5})
    assert delete(redis) == 'ok'
    assert dump(redis) == {}


def test_set_aside(redis):
    rest(redis, 'quantum')
    redis.rpush(QUEUE, 'j')
    claims(redis)
    redis.delete(keys.worker('w'))
    assert delete(redis) == 'ok'
    assert dump(redis) == {}


def test_others_stay(redis):
    rest(redis, 'failed', 'k')
    enqueue(redis, 'l')
    with unchanged(redis):
        enqueue(redis, 'j')
        redis.delete(keys.wake('q'))
        delete(redis)
        redis.lpush(keys.wake('q'), 1)
