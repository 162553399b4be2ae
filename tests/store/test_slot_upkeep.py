"""Rate limits by hand and by maintenance: fill, free, clean."""

import pytest

from rq.store import keys, settle, slots
from rq.store.call import run
from tests.store.test_slots import LIMITED, TIMES, books, limited, running
from tests.store.world import (
    JOB,
    NOW,
    SECOND,
    listed,
    rest,
    unchanged,
)


def test_fill(redis):
    running(redis, 'k', 'o', 'x')
    redis.hset(keys.limit('l'), 'concurrency', 2)
    assert run(redis, slots.fill('l', 3, NOW)) == ['k', 'o']
    assert (books(redis), listed(redis)) == ((['j', 'k', 'o'], ['x']), ['k', 'o'])
    with unchanged(redis):
        assert run(redis, slots.fill('l', 3, NOW)) == []


@pytest.mark.parametrize('broken', ['gone', 'no origin', 'another status', 'another type'])
def test_fill_drops_what_does_not_wait(redis, broken):
    running(redis, 'a', 'b')
    redis.delete(keys.slots('l'))
    if broken in ('gone', 'another type'):
        redis.delete(keys.job('a'))
    if broken == 'another type':
        redis.set(keys.job('a'), 'x')
    if broken == 'no origin':
        redis.hdel(keys.job('a'), 'origin')
    if broken == 'another status':
        rest(redis, 'failed', 'a')
    assert run(redis, slots.fill('l', 1, NOW)) == ['b']
    assert books(redis) == (['b'], [])


@pytest.mark.parametrize('condition, frees', [('any', True), ('held', True), ('stale', False), ('waiting', False)])
def test_free_a_running_one(redis, condition, frees):
    running(redis, 'k')
    assert run(redis, slots.free('l', 'j', condition, NOW)) == (['k'] if frees else [])
    assert books(redis) == ((['k'], []) if frees else (['j'], ['k']))


@pytest.mark.parametrize('condition, wanted', [('any', ['k']), ('held', []), ('stale', []), ('waiting', [])])
def test_free_one_that_holds_none(redis, condition, wanted):
    running(redis, 'k', 'o')
    redis.hset(keys.limit('l'), 'concurrency', 2)
    assert run(redis, slots.free('l', 'gone', condition, NOW)) == wanted


@pytest.mark.parametrize('resting', ['failed', 'canceled', 'finished', 'scheduled', None])
@pytest.mark.parametrize('alive', [False, True])
def test_free_a_stale_one(redis, resting, alive):
    running(redis, 'k')
    redis.delete(JOB, keys.executions('j'))
    if resting:
        rest(redis, resting, **LIMITED)
    if alive:
        redis.zadd(keys.executions('j'), {'e': SECOND + 1})
    assert run(redis, slots.free('l', 'j', 'stale', NOW)) == ([] if alive else ['k'])


def test_leave_the_line(redis):
    running(redis, 'k')
    assert run(redis, slots.free('l', 'k', 'waiting', NOW)) == []
    assert books(redis) == (['j'], [])


@pytest.mark.parametrize('resting', ['failed', 'canceled', 'finished', 'scheduled', 'gone', 'other limit', 'junk'])
def test_clean(redis, resting):
    running(redis, 'k', 'o')
    redis.delete(JOB, keys.executions('j'))
    if resting == 'other limit':
        rest(redis, 'queued', **{**LIMITED, 'rate_limit_key': 'm'})
    elif resting == 'junk':
        redis.set(JOB, 'x')
    elif resting != 'gone':
        rest(redis, resting, **LIMITED)
    assert run(redis, slots.clean('l', NOW)) == 1
    assert books(redis) == (['k'], ['o'])
    with unchanged(redis):
        assert run(redis, slots.clean('l', NOW)) == 0


def test_clean_lets_those_be_who_are_active(redis):
    running(redis, 'k')
    with unchanged(redis):
        assert run(redis, slots.clean('l', NOW)) == 0


def test_an_unused_limit_is_forgotten(redis):
    lease = running(redis)
    run(redis, settle.finish(lease, 0, None, TIMES, {}, NOW))
    assert run(redis, slots.clean('l', NOW)) == 0
    assert not redis.exists(keys.LIMITS, keys.limit('l'), keys.slots('l'), keys.waiting('l'))


def test_very_many_wait(redis):
    """One end may find that all who wait are gone; the next one goes on."""
    lease = running(redis)
    for number in range(1500):
        redis.zadd(keys.waiting('l'), {f'gone{number}': 1})
    limited(redis, 'k')
    run(redis, settle.finish(lease, 500, None, TIMES, {}, NOW))
    assert books(redis)[0] == []
    run(redis, slots.clean('l', NOW))
    assert books(redis) == (['k'], [])
