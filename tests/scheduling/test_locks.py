"""Locks with an owner, and what a worker of ours makes of them."""

import pytest

from rq import Queue
from rq.store import keys, locks, promote
from rq.store.call import run
from rq.utils import now
from tests.jobs import add

LOCK = keys.scheduler_lock('q')


def test_lock(redis):
    assert run(redis, locks.lock(LOCK, 'a', 61.5)) == 'acquired'
    assert (redis.get(LOCK), redis.ttl(LOCK)) == (b'a', 61)
    assert run(redis, locks.lock(LOCK, 'b', 100)) == 'taken'
    assert (redis.get(LOCK), redis.ttl(LOCK)) == (b'a', 61)
    assert run(redis, locks.lock(LOCK, 'a', 100)) == 'refreshed'
    assert redis.ttl(LOCK) == 100


def test_unlock(redis):
    run(redis, locks.lock(LOCK, 'a', 60))
    assert run(redis, locks.unlock(LOCK, 'b')) is False
    assert run(redis, locks.unlock(LOCK, 'a')) is True
    assert run(redis, locks.unlock(LOCK, 'a')) is False
    assert not redis.exists(LOCK)


def test_what_is_no_lock_is_left_alone(redis):
    redis.rpush(LOCK, 'x')
    assert run(redis, locks.lock(LOCK, 'a', 60)) == 'taken'
    assert run(redis, locks.unlock(LOCK, 'a')) is False
    assert redis.llen(LOCK) == 1


def test_the_scripts_by_themselves(redis):
    """RQ shows them, so a program may call them with nothing but the lock as key."""
    assert redis.eval(locks.ACQUIRE_OR_REFRESH_LOCK_SCRIPT, 1, LOCK, 'a', 5) == b'acquired'
    assert redis.eval(locks.RELEASE_LOCK_SCRIPT, 1, LOCK, 'a') == 1


@pytest.mark.parametrize(
    'hold, promoted',
    [
        (lambda redis: None, 1),
        (lambda redis: run(redis, locks.lock(LOCK, 'ours', 60)), 1),
        (lambda redis: redis.set(LOCK, 'of-rq-3', ex=61), 0),
        (lambda redis: redis.set(LOCK, '4711', ex=61), 0),
        (lambda redis: redis.rpush(LOCK, 'x'), 0),
    ],
    ids=['free', 'ours', 'foreign', 'pid', 'broken'],
)
def test_promotion_respects_foreign_locks(redis, hold, promoted):
    queue = Queue('q', connection=redis)
    queue.enqueue_at(now(), add)
    hold(redis)
    assert run(redis, promote.promote_due('q')) == promoted
    assert queue.count == promoted


def test_a_lock_that_was_ours_and_is_foreign_now(redis):
    run(redis, locks.lock(LOCK, 'ours', 60))
    run(redis, locks.unlock(LOCK, 'ours'))
    redis.set(LOCK, 'of-rq-3', ex=61)
    Queue('q', connection=redis).enqueue_at(now(), add)
    assert run(redis, promote.promote_due('q')) == 0


def test_scheduler_pid(redis):
    assert Queue('q', connection=redis).scheduler_pid is None
    redis.set(LOCK, 'name')
    assert Queue('q', connection=redis).scheduler_pid is None
    redis.hset(keys.scheduler('name'), 'pid', 12)
    assert Queue('q', connection=redis).scheduler_pid == 12
