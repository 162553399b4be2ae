"""The work that any worker does for all: what there is of it, and that it is one worker's turn at a time."""

import pytest

from rq.store import aside, chores, failures, keys, outbox, promote
from rq.store.call import run
from tests.store.world import NOW, SECOND, rest, unchanged

QUEUES = ('q', 'r')


def look(redis, now=NOW, **pauses):
    return run(redis, chores.look(QUEUES, now=now, **pauses))


def nothing_but(redis, now=NOW):
    """What a look finds beside the sweeps and the tidying, which nobody has done yet."""
    found = look(redis, now)
    return found._replace(tidy=False, sweep=[])


IDLE = chores.Chores(False, False, False, [], [])


def test_nothing(redis):
    with unchanged(redis):
        assert look(redis) == chores.Chores(False, False, True, [], ['q', 'r'])


def test_sweep_and_tidy_once_for_all(redis):
    run(redis, aside.sweep('r', now=NOW))
    assert look(redis, NOW + 0.6).sweep == ['q']
    assert look(redis, NOW + 0.8).sweep == ['q', 'r']
    run(redis, failures.tidy(now=NOW))
    assert not look(redis, NOW + 0.6).tidy and look(redis, NOW + 0.8).tidy


def test_what_is_due_is_one_workers(redis):
    rest(redis, 'scheduled')
    redis.zadd(keys.place('scheduled', 'q'), {'j': SECOND})
    assert look(redis, NOW - 10).promote == []
    assert look(redis).promote == ['q']
    assert look(redis, NOW + 0.01).promote == [], 'somebody is at it'
    assert look(redis, NOW + 0.03).promote == ['q'], 'whoever that was has died, or there is more'
    assert redis.ttl(keys.turns('q')) > 0
    assert run(redis, promote.promote_due('q', now=NOW)) == 1
    assert nothing_but(redis, NOW + 1) == IDLE


def test_news(redis):
    redis.zadd(keys.OUTBOX, {'news': (NOW + 5) * 1000})
    assert nothing_but(redis) == IDLE
    assert look(redis, NOW + 6).news and look(redis, NOW + 6).news, 'each worker may tell some'
    assert run(redis, outbox.take(1, now=NOW + 6)) == ['news']
    assert nothing_but(redis, NOW + 6) == IDLE


def test_dependents(redis):
    redis.hset(keys.RELEASING, 'j', '0 finished')
    assert look(redis).dependents and not look(redis, NOW + 0.01).dependents and look(redis, NOW + 0.03).dependents


def test_turns(redis):
    def turns(names, now, work='rescue'):
        return run(redis, chores.turns(names, work, 1000, now))

    assert turns(['q'], NOW) == ['q']
    assert turns(QUEUES, NOW + 0.9) == ['r']
    assert turns(QUEUES, NOW + 0.9, 'promote') == ['q', 'r']
    assert turns(QUEUES, NOW + 1) == ['q']
    assert turns(QUEUES, NOW - 50) == ['q', 'r'], 'the clock was put back'


@pytest.mark.parametrize(
    'key, found',
    [
        (keys.OUTBOX, IDLE._replace(news=True)),
        (keys.RELEASING, IDLE._replace(dependents=True)),
        (keys.place('scheduled', 'r'), IDLE._replace(promote=['r'])),
        (keys.turns('r'), IDLE),
    ],
)
def test_keys_of_another_type_are_for_the_verbs(redis, key, found):
    redis.set(key, 'x')
    assert nothing_but(redis) == found
    for broken in (keys.TIDYING, keys.sweep('q')):
        redis.set(broken, 'x')
    assert look(redis).tidy and 'q' in look(redis).sweep


def test_broken_turns_are_forgotten(redis):
    redis.set(keys.turns('q'), 'x')
    redis.set(keys.TURNS, 'x')
    redis.hset(keys.RELEASING, 'j', '0 finished')
    redis.zadd(keys.place('scheduled', 'q'), {'j': SECOND})
    assert look(redis).promote == ['q'] and look(redis).promote == []
    assert redis.type(keys.TURNS) == redis.type(keys.turns('q')) == b'hash'


def test_full_memory_refuses_nobody_his_turn(redis):
    redis.zadd(keys.place('scheduled', 'q'), {'j': SECOND})
    redis.config_set('maxmemory', 1)
    try:
        assert look(redis).promote == ['q']
        assert run(redis, chores.turns(QUEUES, 'rescue', 1000, NOW)) == ['q', 'r']
    finally:
        redis.config_set('maxmemory', 0)
