"""enqueue_plain: what `enqueue_new` does, for one job that has no more than most others."""

from typing import Any

import pytest
from redis import Redis
from redis.exceptions import OutOfMemoryError, ResponseError

from rq.rules.timing import from_epoch
from rq.store import enter, keys
from rq.store.call import Call, run
from rq.store.headed import Headed
from tests.invariants import check
from tests.store.world import NOW, QUEUE, SECOND, WAKE, dump, text_of, unchanged

NAMES = ('description', 'data')
MANY = 64  # of `lib/plain_entry`


def own(job_id: str, second: int = SECOND, description: str = 'd') -> enter.Plain:
    """A record that was made in this second."""
    return enter.Plain(str(second), text_of(second + 0.000001), job_id, description, b'[]')


def enter_one(redis: Redis, job_id: str, now: Any = NOW, by: str = '', **words: Any) -> enter.Entered:
    return run(redis, enter.enqueue_plain('q', 180, by, own(job_id, **words), now))


@pytest.mark.parametrize('by', ['', 'shop/views.py:41 checkout'])
@pytest.mark.parametrize('number', [1, 20])
def test_as_one_after_the_other(redis: Redis, number: int, by: str) -> None:
    ids = [f'j{each:03}' for each in range(number)]
    fixed = {'origin': 'q', 'timeout': 180, 'created_at': own('').created_at, **({'by': by} if by else {})}
    for each in ids:
        call = enter.enqueue_alike('q', enter.Alike(False, '', NAMES), fixed, [each, 'd', b'[]'])
        run(redis, Call(call.script, call.keys, [NOW, *call.args[1:]], call.decode))
    wanted, tokens = dump(redis), redis.llen(WAKE)
    redis.flushdb()
    for each in ids:
        assert enter_one(redis, each, by=by) == ('ok', NOW)
    assert dump(redis) == wanted and redis.llen(WAKE) == tokens
    assert 0 < redis.ttl(WAKE) <= 60
    assert check(redis) == []


def test_the_time_is_the_servers(redis: Redis) -> None:
    """Whatever second the producer's clock shows."""
    for offset in (-3600, 0, 3600):
        before = redis.time()
        made = enter_one(redis, f'j{offset + 9000}', now='', second=before[0] + offset)
        after = redis.time()
        assert before <= divmod(round(made.at * 1e6), 1_000_000) <= after
        stored = redis.hget(keys.job(f'j{offset + 9000}'), 'enqueued_at') or b''
        assert stored.decode() == text_of(made.at) and from_epoch(made.at)


def test_a_repeated_call_writes_nothing(redis: Redis) -> None:
    enter_one(redis, 'a')
    with unchanged(redis):
        assert enter_one(redis, 'a').answer == 'already'


def test_a_long_queue_needs_no_more_tokens(redis: Redis) -> None:
    redis.rpush(QUEUE, *range(MANY - 1))
    enter_one(redis, 'a')
    assert redis.sismember(keys.QUEUES, QUEUE) and redis.llen(WAKE) == 1
    enter_one(redis, 'b')
    assert redis.llen(WAKE) == 1


def test_full_memory_refuses_it(redis: Redis) -> None:
    redis.config_set('maxmemory', 1)
    try:
        with unchanged(redis), pytest.raises(OutOfMemoryError):
            enter_one(redis, 'a')
    finally:
        redis.config_set('maxmemory', 0)


@pytest.mark.parametrize('key', [QUEUE, keys.QUEUES])
def test_a_key_of_another_type_refuses_it(redis: Redis, key: str) -> None:
    redis.set(key, 'no such thing')
    with pytest.raises(ResponseError, match='WRONGTYPE'):
        enter_one(redis, 'a')
    assert not redis.keys(keys.job('*')) and redis.type(QUEUE) in (b'none', b'string')


@pytest.mark.parametrize('description', ['d', 'ä', ''])
@pytest.mark.parametrize('job_id', ['j', '0a4b9c1e-7f52-4d3a-9b86-5e1d2c3f4a70'])
@pytest.mark.parametrize('second', [7, SECOND])
def test_it_is_packed_as_any_call(description: str, job_id: str, second: int) -> None:
    call = enter.enqueue_plain('q', 180, 'x', own(job_id, second, description))
    assert call.packed() == Headed(call.head, call.tail, call.decode).packed()
    assert call.packed().startswith(b'*%d\r\n' % len(call.words()))
