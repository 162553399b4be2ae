"""promote_due: scheduled jobs whose time has come are queued."""

import pytest

from rq.store import enter, keys, promote
from rq.store.call import run
from tests.invariants import check
from tests.store.world import (
    JOB,
    NOW,
    SECOND,
    dump,
    enqueue,
    job,
    listed,
    members,
    record,
    rest,
    text_of,
    unchanged,
)


def schedule(redis, job_id='j', due=SECOND, **attributes):
    run(redis, enter.schedule(record(job_id, **attributes), due, now=NOW - 100))


def promote_due(redis, limit=100, now=NOW):
    return run(redis, promote.promote_due('q', limit, now))


def test_due(redis):
    schedule(redis)
    before = dump(redis)
    assert promote_due(redis) == 1
    assert dump(redis) == {
        keys.QUEUES: {keys.queue('q')},
        keys.queue('q'): ['j'],
        JOB: before[JOB] | {'status': 'queued', 'enqueued_at': text_of(NOW)},
    }
    assert redis.llen(keys.wake('q')) == 1
    assert check(redis) == []
    with unchanged(redis):
        assert promote_due(redis) == 0


def test_not_yet(redis):
    schedule(redis, due=SECOND + 1)
    with unchanged(redis):
        assert promote_due(redis, now=NOW + 0.7) == 0
    assert promote_due(redis, now=NOW + 0.75) == 1


def test_in_order_and_in_batches(redis):
    for number, due in enumerate((5, 3, 4, 1, 2)):
        schedule(redis, f'j{number}', due)
    assert promote_due(redis, 3) == 3
    assert listed(redis) == ['j3', 'j4', 'j1']
    assert check(redis) == []
    assert promote_due(redis, 3) == 2


@pytest.mark.parametrize('ended_at', [None, '', 'x'])
@pytest.mark.parametrize('field, after_a_run', [('enqueue_at_front', False), ('enqueue_at_front_on_retry', True)])
def test_front(redis, ended_at, field, after_a_run):
    enqueue(redis, 'k')
    rest(redis, 'scheduled', **{field: '1'}, **({} if ended_at is None else {'ended_at': ended_at}))
    promote_due(redis)
    assert listed(redis) == (['j', 'k'] if (ended_at == 'x') is after_a_run else ['k', 'j'])


@pytest.mark.parametrize('ttl, life', [('90', 90), ('1e400', 10**11), ('x', -1)])
def test_ttl_again(redis, ttl, life):
    rest(redis, 'scheduled', ttl=ttl)
    rest(redis, 'scheduled', 'k')
    assert promote_due(redis) == 2
    assert redis.ttl(JOB) == life
    assert len(listed(redis)) == 2


def test_the_queue_becomes_known_again(redis):
    schedule(redis)
    redis.delete(keys.QUEUES)
    promote_due(redis)
    assert redis.smembers(keys.QUEUES) == {keys.queue('q').encode()}


@pytest.mark.parametrize('status', ['created', 'queued'])
def test_what_a_program_registered_by_hand(redis, status):
    rest(redis, status)
    redis.zadd(keys.place('scheduled', 'q'), {'j': 1})
    assert promote_due(redis) == 1
    assert (job(redis)['status'], listed(redis)) == ('queued', ['j'])


def test_queued_meanwhile(redis):
    enqueue(redis)
    redis.zadd(keys.place('scheduled', 'q'), {'j': 1})
    assert promote_due(redis) == 1
    assert (job(redis)['status'], listed(redis)) == ('queued', ['j'])


@pytest.mark.parametrize('status', ['started', 'finished', 'canceled', None])
def test_whoever_changed_the_status_put_it_elsewhere(redis, status):
    if status:
        rest(redis, status)
    redis.zadd(keys.place('scheduled', 'q'), {'j': 1, 'k': 2})
    rest(redis, 'scheduled', 'k')
    before = job(redis)
    assert promote_due(redis) == 2
    assert (job(redis), members(redis, 'scheduled'), listed(redis)) == (before, {}, ['k'])


def test_another_type_does_not_stand_in_the_way(redis):
    redis.set(JOB, 'x')
    redis.zadd(keys.place('scheduled', 'q'), {'j': 1, b'\xff': 1})
    schedule(redis, 'k')
    assert promote_due(redis) == 3
    assert listed(redis) == ['k']


def test_a_foreign_scheduler_keeps_its_queue(redis):
    schedule(redis)
    redis.set(keys.scheduler_lock('q'), 'somebody', ex=61)
    with unchanged(redis):
        assert promote_due(redis) == 0
    redis.delete(keys.scheduler_lock('q'))
    assert promote_due(redis) == 1


@pytest.mark.parametrize(('left', 'handled'), [(53_500, 0), (52_500, 1), (-1, 0)])
def test_a_foreign_scheduler_that_is_dead(redis, left, handled):
    """It refreshes its lock each interval, to a minute beyond the next; a lock without an end says nothing."""
    schedule(redis)
    redis.set(keys.scheduler_lock('q'), 'somebody')
    if left > 0:
        redis.pexpire(keys.scheduler_lock('q'), left)
    assert promote_due(redis) == handled
