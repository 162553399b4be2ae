"""cancel: the job will not run."""

import pytest

from rq.store import aside, keys, operate, settle
from rq.store.call import run
from tests.invariants import check
from tests.store.world import (
    JOB,
    NOW,
    QUEUE,
    RESTING,
    SECOND,
    WIP,
    claims,
    enqueue,
    job,
    listed,
    members,
    rest,
    started,
    unchanged,
)


def cancel(redis):
    return run(redis, operate.cancel('j', now=NOW)).answer


@pytest.mark.parametrize('status', [s for s in RESTING if s != 'canceled'])
def test_from_rest(redis, status):
    rest(redis, status, again='1')
    redis.expire(JOB, 77)
    before = job(redis)
    assert cancel(redis) == 'ok'
    del before['again']
    assert job(redis) == before | {'status': 'canceled'}
    assert members(redis, 'canceled') == {'j': SECOND}
    assert redis.ttl(JOB) == 77
    assert check(redis) == []
    with unchanged(redis):
        assert cancel(redis) == 'canceled'


def test_queued(redis):
    enqueue(redis)
    enqueue(redis, 'k')
    assert cancel(redis) == 'ok'
    assert listed(redis) == ['k']
    assert check(redis) == []


def test_started_wins_over_the_outcome(redis):
    lease = started(redis)
    enqueue(redis)  # again: no longer wanted either
    assert cancel(redis) == 'ok'
    assert check(redis) == []
    assert run(redis, settle.finish(lease, 500, b'1', (), {}, NOW)) == 'lost'
    assert (job(redis)['status'], listed(redis)) == ('canceled', [])
    assert check(redis) == []


@pytest.mark.parametrize('member', ['j:theirs', 'j'])
def test_started_by_rq_3(redis, member):
    rest(redis, 'started')
    redis.zadd(WIP, {member: SECOND + 50})
    redis.zadd(keys.executions('j'), {'theirs': SECOND + 50})
    assert cancel(redis) == 'ok'
    assert members(redis, 'wip') == {}


def test_set_aside(redis):
    rest(redis, 'quantum')
    redis.rpush(keys.queue('q'), 'j')
    claims(redis)
    assert cancel(redis) == 'ok'
    assert check(redis) == []


def test_gone(redis):
    with unchanged(redis):
        assert cancel(redis) == 'gone'


def test_canceled_and_enqueued_again(redis):
    started(redis)
    cancel(redis)
    assert enqueue(redis) == 'ok'
    assert check(redis) == []


@pytest.mark.parametrize('status', ['queued', 'failed', 'started'])
def test_registry_of_another_type(redis, status):
    """It is canceled all the same, and shown."""
    started(redis) if status == 'started' else enqueue(redis) if status == 'queued' else rest(redis, status)
    redis.set(keys.place('canceled', 'q'), 'x')
    assert cancel(redis) == 'ok'
    assert job(redis)['status'] == 'canceled' and list(aside.of_queue(redis, 'q')) == ['j']
    assert listed(redis) == [] and members(redis, 'failed') == {}
    with unchanged(redis):
        assert cancel(redis) == 'canceled'


def test_queue_of_another_type(redis):
    enqueue(redis)
    redis.delete(QUEUE)
    redis.set(QUEUE, 'x')
    assert cancel(redis) == 'ok' and members(redis, 'canceled') == {'j': SECOND}
    redis.delete(QUEUE)
    assert check(redis) == []
