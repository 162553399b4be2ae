"""Waiting: a token wakes one, the time runs out, the connection breaks."""

import select

import pytest
from redis.exceptions import ConnectionError

from rq.store import keys
from rq.store.wait import Waiter
from tests.store.world import claims, enqueue, listed, of_one_node
from tests.waiting import wait_until


@pytest.fixture
def redis(redis):
    return of_one_node(redis)


@pytest.fixture
def waiter(redis):
    waiter = Waiter(redis)
    yield waiter
    waiter.drop()


def readable(descriptor, seconds=5.0):
    return bool(select.select([descriptor], [], [], seconds)[0])


def blocked(redis):
    return redis.info('clients')['blocked_clients']


def test_a_token_wakes(redis, waiter):
    descriptor = waiter.start(['p', 'q'], 30)
    assert not readable(descriptor, 0)
    enqueue(redis)
    assert readable(descriptor)
    waiter.finish()
    assert listed(redis) == ['j']
    assert not redis.exists(keys.wake('q'))


def test_a_token_that_was_there(redis, waiter):
    enqueue(redis)
    assert readable(waiter.start(['q'], 30))
    waiter.finish()


def test_a_job_is_a_token_for_one(redis):
    waiters = [Waiter(redis) for _ in range(3)]
    descriptors = [each.start(['q'], 30) for each in waiters]
    wait_until(lambda: blocked(redis) == 3)
    enqueue(redis)
    assert len(select.select(descriptors, [], [], 5)[0]) == 1
    assert blocked(redis) == 2
    for each in waiters:
        each.drop()


def test_a_claim_that_leaves_work_wakes_the_next(redis, waiter):
    enqueue(redis)
    enqueue(redis, 'k')
    redis.delete(keys.wake('q'))
    descriptor = waiter.start(['q'], 30)
    wait_until(lambda: blocked(redis) == 1)
    claims(redis)
    assert readable(descriptor)


def test_the_time_runs_out(waiter):
    descriptor = waiter.start(['q'], 0.01)
    assert readable(descriptor)
    waiter.finish()


def test_starting_twice_is_one_wait(redis, waiter):
    assert waiter.start(['q'], 30) == waiter.start(['q'], 30)
    enqueue(redis)
    enqueue(redis, 'k')
    assert readable(waiter.start(['q'], 30))
    waiter.finish()
    assert redis.llen(keys.wake('q')) == 1


def test_one_connection_for_many_waits(redis, waiter):
    descriptors = set()
    for number in range(5):
        enqueue(redis, f'j{number}')
        descriptors.add(waiter.start(['q'], 30))
        waiter.finish()
    assert len(descriptors) == 1


def test_dropping_leaves_no_waiter_behind(redis, waiter):
    waiter.start(['q'], 30)
    wait_until(lambda: blocked(redis) == 1)
    waiter.drop()
    wait_until(lambda: blocked(redis) == 0)
    enqueue(redis)
    assert redis.llen(keys.wake('q')) == 1
    assert readable(waiter.start(['q'], 30))


def test_a_broken_connection(redis, waiter):
    descriptor = waiter.start(['q'], 30)
    wait_until(lambda: blocked(redis) == 1)
    redis.execute_command('CLIENT', 'KILL', 'SKIPME', 'yes')
    assert readable(descriptor)
    with pytest.raises(ConnectionError):
        waiter.finish()
    enqueue(redis)
    assert readable(waiter.start(['q'], 30))
    waiter.finish()
