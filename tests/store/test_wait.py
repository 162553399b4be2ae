"""Waiting: a token wakes one, the time runs out, the connection breaks."""

import select

import pytest
from redis.exceptions import ConnectionError

from rq.connections import rebuild
from rq.store import claim, keys
from rq.store.call import run
from rq.store.wait import Waiter
from tests.invariants import check
from tests.store.world import NOW, claims, enqueue, listed, of_one_node, rest
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


ID = 'e0' * 16


class TestCallBehind:
    """A call that is sent with the wait, and run by the server when that is over."""

    @staticmethod
    def behind(queue='q'):
        return claim.claim('w', [queue], [ID], now=NOW)

    @pytest.fixture(autouse=True)
    def known(self, redis):
        run(redis, self.behind('other'))

    @pytest.fixture
    def client(self, redis):
        with rebuild(redis) as client:
            client.ping()
            yield client

    def test_who_is_woken_has_the_answer(self, redis, waiter):
        descriptor = waiter.start(['q'], 30, self.behind)
        wait_until(lambda: blocked(redis) == 1)
        assert waiter.has_call and not readable(descriptor, 0)
        enqueue(redis)
        wait_until(lambda: redis.hget(keys.job('j'), 'status') == b'started')
        assert readable(descriptor)
        assert [each[:3] for each in waiter.finish().taken] == [(0, 'j', ID)]
        assert not waiter.has_call
        assert check(redis) == []

    def test_the_time_runs_out(self, redis, waiter):
        assert readable(waiter.start(['q'], 0.01, self.behind))
        assert waiter.finish().taken == []

    def test_starting_twice_is_one_call(self, redis, waiter):
        asked = []

        def behind():
            asked.append(1)
            return self.behind()

        waiter.start(['q'], 30, behind)
        waiter.start(['q'], 30, behind)
        assert asked == [1]

    def test_stopped(self, redis, waiter, client):
        """What the call does then is known."""
        for job_id in ('j', None, 'k'):
            waiter.start(['q'], 30, self.behind)
            wait_until(lambda: blocked(redis) == 1)
            if job_id:
                rest(redis, 'queued', job_id)
                redis.rpush(keys.queue('q'), job_id)  # as RQ 3.0: without a token
            assert [each.job_id for each in waiter.stop(client, 10).taken] == ([job_id] if job_id else [])
            redis.flushall()

    def test_stopped_when_it_is_over_already(self, redis, waiter, client):
        descriptor = waiter.start(['q'], 30, self.behind)
        wait_until(lambda: blocked(redis) == 1)
        enqueue(redis)
        assert readable(descriptor)
        assert [each.job_id for each in waiter.stop(client, 10).taken] == ['j']

    def test_a_script_that_is_not_known(self, redis, waiter):
        redis.script_flush()
        enqueue(redis)
        redis.script_flush()
        assert readable(waiter.start(['q'], 30, self.behind))
        assert waiter.finish() is None and listed(redis) == ['j']
        assert readable(waiter.start(['q'], 0.01))
        assert waiter.finish() is None

    def test_who_may_not_stop_it_waits(self, redis):
        redis.execute_command('ACL', 'SETUSER', 'plain', 'on', 'nopass', '~*', '&*', '+@all', '-client')
        with rebuild(redis) as plain:
            plain.connection_pool.connection_kwargs |= {'username': 'plain', 'password': 'any'}
            waiter = Waiter(plain)
            waiter.start(['q'], 0.3, self.behind)
            assert waiter.stop(plain, 10).taken == []
            waiter.start(['q'], 30, self.behind)
            with pytest.raises(TimeoutError):
                waiter.stop(plain, 0.01)
            waiter.drop()
        redis.execute_command('ACL', 'DELUSER', 'plain')

    def test_dropped(self, redis, waiter):
        waiter.start(['q'], 30, self.behind)
        wait_until(lambda: blocked(redis) == 1)
        waiter.drop()
        wait_until(lambda: blocked(redis) == 0)
        enqueue(redis)
        assert not waiter.has_call and listed(redis) == ['j']
