"""Suspension: the key, its time, and the heartbeat of a worker that asks."""

import inspect

from redis import Redis

from rq import SimpleWorker, suspension


def test_names() -> None:
    assert suspension.WORKERS_SUSPENDED == 'rq:suspended'
    assert list(inspect.signature(suspension.is_suspended).parameters) == ['connection', 'worker']
    assert list(inspect.signature(suspension.suspend).parameters) == ['connection', 'ttl']
    assert list(inspect.signature(suspension.resume).parameters) == ['connection']


def test_suspend_and_resume(redis: Redis) -> None:
    assert not suspension.is_suspended(redis)
    suspension.suspend(redis)
    assert (redis.get('rq:suspended'), redis.ttl('rq:suspended')) == (b'1', -1)
    assert suspension.is_suspended(redis)
    suspension.resume(redis)
    suspension.resume(redis)
    assert not suspension.is_suspended(redis)
    assert redis.keys('*') == []


def test_for_a_while(redis: Redis) -> None:
    suspension.suspend(redis, ttl=50)
    assert 45 < redis.ttl('rq:suspended') <= 50
    suspension.suspend(redis)  # the later word counts
    assert redis.ttl('rq:suspended') == -1
    suspension.suspend(redis, 0)
    assert not suspension.is_suspended(redis)


def test_a_worker_that_asks_says_that_it_lives(redis: Redis) -> None:
    worker = SimpleWorker(['default'], connection=redis)
    worker.register_birth()
    redis.hset(worker.key, 'last_heartbeat', 'long ago')
    redis.expire(worker.key, 10)
    assert not suspension.is_suspended(redis, worker)
    assert redis.hget(worker.key, 'last_heartbeat') != b'long ago'
    assert redis.ttl(worker.key) > 400
    suspension.suspend(redis)
    assert suspension.is_suspended(redis, worker)
