"""enqueue_new: as many `enqueue`s one after the other, all or none of them, also when the call comes twice."""

from typing import Any

import pytest
from redis import Redis
from redis.exceptions import OutOfMemoryError, ResponseError

from rq.store import enter, keys
from rq.store.call import run
from tests.invariants import check
from tests.store.world import NOW, QUEUE, WAKE, dump, enqueue, record, take, text_of, unchanged

ALIKE = enter.Alike(False, '', ('description', 'data'))


def enter_all(redis: Redis, *ids: str, alike: enter.Alike = ALIKE, **fixed: Any) -> enter.Entered:
    """Jobs with these ids, of which each has a description of its own."""
    fixed = {'origin': 'q', 'timeout': 180, **fixed}
    values = [value for each in ids for value in (each, f'd{each}', b'[]')]
    call = enter.enqueue_alike('q', alike, fixed, values)
    call.args[0] = NOW
    return run(redis, call)


@pytest.mark.parametrize('front', [False, True])
@pytest.mark.parametrize('number', [1, 3, 20, 500])
def test_many_at_once_are_as_many_one_by_one(redis: Redis, number: int, front: bool) -> None:
    ids = [f'j{each:03}' for each in range(number)]
    for each in ids:
        enqueue(redis, each, front=front, description=f'd{each}', timeout=180)
        redis.hset(keys.job(each), 'data', b'[]')
    wanted, tokens = dump(redis), redis.llen(WAKE)
    redis.flushdb()
    entered = enter_all(redis, *ids, alike=enter.Alike(front, '', ALIKE.names))
    assert entered == ('ok', NOW)
    assert dump(redis) == wanted and redis.llen(WAKE) == tokens
    assert 0 < redis.ttl(WAKE) <= 60
    assert check(redis) == []


def test_one_record(redis: Redis) -> None:
    made = record('', description='d', timeout=180)
    assert run(redis, enter.enqueue_new(made, now=NOW)) == ('ok', NOW)
    fields = redis.hgetall(keys.job(made.id))
    assert fields[b'description'] == b'd' and fields[b'enqueued_at'].decode() == text_of(NOW)
    assert fields[b'status'] == b'queued' and b'nonce' not in fields
    assert redis.lrange(QUEUE, 0, -1) == [made.id.encode()]


def test_a_repeated_call_writes_nothing(redis: Redis) -> None:
    enter_all(redis, 'a', 'b')
    with unchanged(redis):
        assert enter_all(redis, 'a', 'b').answer == 'already'


def test_a_repeated_call_when_some_have_run(redis: Redis) -> None:
    enter_all(redis, 'a', 'b')
    take(redis)
    redis.delete(keys.job('a'))  # as results that are not kept
    with unchanged(redis):
        assert enter_all(redis, 'a', 'b').answer == 'already'


def test_each_waits_no_longer_than_its_ttl(redis: Redis) -> None:
    enter_all(redis, 'a', 'b', alike=enter.Alike(False, 60, ALIKE.names), ttl=60)
    assert 0 < redis.ttl(keys.job('a')) <= 60 and 0 < redis.ttl(keys.job('b')) <= 60
    enter_all(redis, 'c', alike=enter.Alike(False, 10**30, ALIKE.names))
    assert redis.ttl(keys.job('c')) > 10**9


def test_full_memory_refuses_all_of_them(redis: Redis) -> None:
    redis.config_set('maxmemory', 1)
    try:
        with unchanged(redis), pytest.raises(OutOfMemoryError):
            enter_all(redis, 'a', 'b')
    finally:
        redis.config_set('maxmemory', 0)


@pytest.mark.parametrize('key', [QUEUE, keys.QUEUES])
def test_a_key_of_another_type_refuses_all_of_them(redis: Redis, key: str) -> None:
    redis.set(key, 'no such thing')
    with pytest.raises(ResponseError, match='WRONGTYPE'):
        enter_all(redis, 'a', 'b')
    assert not redis.keys('rq:job:*') and redis.type(QUEUE) in (b'none', b'string')
