"""The outbox: news are put there by the script that writes the outcome, and taken for a while."""

import pytest

from rq.defaults import DELIVERIES_KEPT
from rq.store import keys, operate, outbox, settle
from rq.store.call import run
from tests.store.world import MS, NOW, enqueue, members, started, unchanged

TIMES = (1.5, 4.0, 2.5)
NEWS = '{"id": "1", "job": "j", "calls": []}'


def waiting(redis):
    return {news.decode(): score for news, score in redis.zrange(keys.OUTBOX, 0, -1, withscores=True)}


@pytest.mark.parametrize(
    'settled',
    [
        lambda lease: settle.finish(lease, 500, None, TIMES, {}, NOW, news=NEWS),
        lambda lease: settle.finish(lease, 0, None, TIMES, {}, NOW, news=NEWS),
        lambda lease: settle.finish(lease, 500, None, TIMES, {}, NOW, repeat=0, news=NEWS),
        lambda lease: settle.fail(lease, 500, 'x', TIMES, {}, now=NOW, news=NEWS),
        lambda lease: settle.fail(lease, 500, 'x', TIMES, {}, stored=False, now=NOW, news=NEWS),
    ],
)
def test_with_the_outcome(redis, settled):
    call = settled(started(redis))
    run(redis, call)
    assert waiting(redis) == {NEWS: MS}
    with unchanged(redis):
        run(redis, call)


def test_without_an_outcome_no_news(redis):
    lease = started(redis)
    run(redis, operate.cancel('j'))
    assert run(redis, settle.finish(lease, 500, None, TIMES, {}, NOW, news=NEWS)) == 'lost'
    assert waiting(redis) == {}


def test_without_news(redis):
    run(redis, settle.finish(started(redis), 500, None, TIMES, {}, NOW))
    assert not redis.exists(keys.OUTBOX)


def test_taken_for_a_while(redis):
    redis.zadd(keys.OUTBOX, {'a': MS - 5, 'b': MS, 'c': MS + 1})
    assert run(redis, outbox.take(1, 60, NOW)) == ['a']
    assert run(redis, outbox.take(5, 60, NOW)) == ['b']
    assert run(redis, outbox.take(5, 60, NOW)) == []
    assert waiting(redis) == {'a': MS + 60_000, 'b': MS + 60_000, 'c': MS + 1}
    assert run(redis, outbox.exchange('a')) == 0
    assert run(redis, outbox.take(5, 60, NOW + 60)) == ['c', 'b']
    assert 'a' not in waiting(redis)


def test_junk_can_be_removed(redis):
    redis.zadd(keys.OUTBOX, {b'\xff': MS})
    (junk,) = run(redis, outbox.take(5, 60, NOW))
    assert run(redis, outbox.exchange(junk)) == 0 and not redis.exists(keys.OUTBOX)


def test_held(redis):
    redis.zadd(keys.OUTBOX, {'a': MS, 'b': MS + 1})
    assert run(redis, outbox.hold('a', 60, only_due=True, now=NOW))
    assert not run(redis, outbox.hold('a', 60, only_due=True, now=NOW))  # a call repeated, or somebody else
    assert not run(redis, outbox.hold('b', 60, only_due=True, now=NOW))
    assert not run(redis, outbox.hold('gone', 60, now=NOW))
    assert run(redis, outbox.hold('b', 7, now=NOW)) and run(redis, outbox.hold('b', 7, now=NOW))
    assert waiting(redis) == {'a': MS + 60_000, 'b': MS + 7000}


def test_exchanged(redis):
    redis.zadd(keys.OUTBOX, {'a': MS + 60_000, 'b': MS})
    call = outbox.exchange('a', '{"try": 1}', 2.5, ['a again'], now=NOW)
    assert run(redis, call) == 0
    assert waiting(redis) == {'a again': MS + 2500, 'b': MS}
    assert outbox.deliveries(redis, 5) == [(MS / 1000, {'try': 1})]
    with unchanged(redis):
        assert run(redis, call) == -1
    assert run(redis, outbox.exchange('b', rest=['b1', 'b2'], now=NOW)) == 0
    assert waiting(redis) == {'a again': MS + 2500, 'b1': MS, 'b2': MS}
    assert len(outbox.deliveries(redis, 5)) == 1


def test_deliveries_are_capped(redis):
    for number in range(DELIVERIES_KEPT + 5):
        redis.zadd(keys.OUTBOX, {'a': MS})
        run(redis, outbox.exchange('a', f'{{"try": {number}}}', now=NOW))
    found = outbox.deliveries(redis, 10_000)
    assert len(found) == DELIVERIES_KEPT and found[0][1] == {'try': DELIVERIES_KEPT + 4}
    assert redis.ttl(keys.DELIVERIES) > 0


def test_news_are_capped(redis):
    """A listener that hangs must not fill the server: who has waited longest goes, and that is on record."""
    redis.zadd(keys.OUTBOX, {f'{number}': MS - 10 + number for number in range(6)})
    assert run(redis, outbox.exchange('5', '{"try": 1}', 9, ['5 again'], most=4, now=NOW)) == 2
    assert sorted(waiting(redis)) == ['2', '3', '4', '5 again']
    (_, dropped), (_, tried) = outbox.deliveries(redis, 5)
    assert dropped['outcome'] == 'dropped' and '2 news' in dropped['error'] and tried == {'try': 1}


def test_what_was_told_is_removed_from_a_full_server(redis):
    redis.zadd(keys.OUTBOX, {'a': MS})
    redis.config_set('maxmemory', 1000)
    try:
        assert run(redis, outbox.exchange('a', '{"try": 1}', now=NOW)) == 0
    finally:
        redis.config_set('maxmemory', 0)
    assert not redis.exists(keys.OUTBOX) and outbox.deliveries(redis, 5)


def test_nothing_else_is_told_twice(redis):
    enqueue(redis)
    assert run(redis, outbox.take(5, 60, NOW)) == [] and members(redis, 'finished') == {}
