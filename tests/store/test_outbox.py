"""The outbox: news are put there by the script that writes the outcome, and taken for a while."""

import pytest

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
    outbox.remove(redis, 'a')
    assert run(redis, outbox.take(5, 60, NOW + 60)) == ['c', 'b']
    assert 'a' not in waiting(redis)


def test_nothing_else_is_told_twice(redis):
    enqueue(redis)
    assert run(redis, outbox.take(5, 60, NOW)) == [] and members(redis, 'finished') == {}
