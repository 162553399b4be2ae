"""requeue: a job of a registry is queued again."""

import pytest

from rq.store import aside, keys, operate
from rq.store.call import run
from tests.invariants import check
from tests.store.world import (
    DATA,
    JOB,
    NOW,
    QUEUE,
    REGISTRY,
    WIP,
    enqueue,
    job,
    listed,
    members,
    rest,
    started,
    text_of,
    unchanged,
)


def requeue(redis, kind='failed', queue='q', front=False):
    entered = run(redis, operate.requeue(keys.place(kind, queue), 'j', front, NOW))
    assert entered.at == NOW
    return entered.answer


@pytest.mark.parametrize('status', REGISTRY)
@pytest.mark.parametrize('front, order', [(False, ['k', 'j']), (True, ['j', 'k'])])
def test_from_a_registry(redis, status, front, order):
    enqueue(redis, 'k')
    rest(redis, status, started_at='x', ended_at='x', exc_info='x', lost=2, lost_at=1, retries_left=0)
    redis.expire(JOB, 77)
    redis.delete(keys.wake('q'))
    assert requeue(redis, REGISTRY[status], front=front) == 'ok'
    assert job(redis) == {
        'status': 'queued',
        'enqueued_at': text_of(NOW),
        'origin': 'q',
        'data': DATA,
        'retries_left': '0',
    }
    assert listed(redis) == order
    assert redis.ttl(JOB) == 77
    assert redis.llen(keys.wake('q')) == 1
    assert check(redis) == []
    with unchanged(redis):
        assert requeue(redis, REGISTRY[status]) == 'absent'


def test_its_own_ttl_again(redis):
    rest(redis, 'failed', ttl=90)
    requeue(redis)
    assert redis.ttl(JOB) == 90


@pytest.mark.parametrize('status', ['failed', 'finished', 'queued'])
def test_absent(redis, status):
    enqueue(redis) if status == 'queued' else rest(redis, status)
    with unchanged(redis):
        assert requeue(redis, 'canceled') == 'absent'


def test_gone_cleans_the_registry(redis):
    redis.zadd(keys.place('failed', 'q'), {'j': 1, 'k': 1})
    assert requeue(redis) == 'gone'
    assert members(redis, 'failed') == {'k': 1}
    assert not redis.exists(JOB)


def test_started(redis):
    started(redis)
    redis.zadd(keys.place('failed', 'q'), {'j': 1})
    with unchanged(redis):
        assert requeue(redis) == 'started'
    redis.delete(WIP, keys.leases('q'))
    assert requeue(redis) == 'ok'
    assert check(redis) == []


@pytest.mark.parametrize('is_listed', [False, True])
def test_queued_and_in_a_registry(redis, is_listed):
    rest(redis, 'queued')
    redis.zadd(keys.place('failed', 'q'), {'j': 1})
    if is_listed:
        redis.rpush(QUEUE, 'j')
    assert requeue(redis) == 'ok'
    assert listed(redis) == ['j']
    assert check(redis) == []


@pytest.mark.parametrize('queue', ['q', 'a:b c'])
def test_without_an_origin_the_registry_tells_the_queue(redis, queue):
    rest(redis, 'failed', queue=queue)
    redis.hdel(JOB, 'origin')
    assert requeue(redis, queue=queue) == 'ok'
    assert listed(redis, queue) == ['j']
    assert check(redis) == []


def test_from_the_registry_of_another_queue(redis):
    rest(redis, 'failed')
    redis.zadd(keys.place('failed', 'other'), {'j': 1})
    assert requeue(redis, queue='other') == 'ok'
    assert (listed(redis), members(redis, 'failed', 'other')) == (['j'], {})
    assert check(redis) == []


@pytest.mark.parametrize(
    'key, fields', [(QUEUE, {}), (keys.waiting('L'), {'rate_limit_key': 'L', 'rate_limit_concurrency': 1})]
)
def test_into_a_key_of_another_type(redis, key, fields):
    """It is not in nowhere: it is set aside, and goes on when the key was put right."""
    rest(redis, 'failed', **fields)
    redis.set(key, 'x')
    assert requeue(redis) == 'broken'
    assert list(aside.of_queue(redis, 'q')) == ['j'] and members(redis, 'failed') == {}
    redis.delete(key)
    assert run(redis, aside.return_aside('q', 'j', NOW)) == ('ok', '')
    assert listed(redis) == ['j'] and check(redis) == []


def test_list_of_queues_of_another_type(redis):
    rest(redis, 'failed')
    redis.delete(keys.QUEUES)
    redis.set(keys.QUEUES, 'x')
    assert requeue(redis) == 'ok' and listed(redis) == ['j']
