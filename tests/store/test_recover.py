"""recover: what a worker of RQ 3.0 left on the intermediate list."""

import pytest

from rq.store import start
from rq.store.call import run
from tests.invariants import check
from tests.store.world import JOB, NOW, QUEUE, WAKE, enqueue, job, listed, text_of

INTERMEDIATE = f'{QUEUE}:intermediate'
SEEN = f'{INTERMEDIATE}:first_seen:j'


@pytest.fixture
def parked(redis):
    enqueue(redis)
    redis.lmove(QUEUE, INTERMEDIATE)
    redis.set(SEEN, 1)
    enqueue(redis, 'k')
    redis.delete(WAKE)
    return redis


def recover(redis, now=NOW + 9):
    return run(redis, start.recover('q', QUEUE, 'j', SEEN, now))


def test_to_the_front(parked):
    assert recover(parked) == 'recovered'
    assert listed(parked) == ['j', 'k'] and not parked.exists(INTERMEDIATE, SEEN)
    assert (job(parked)['status'], job(parked)['enqueued_at']) == ('queued', text_of(NOW + 9))
    assert parked.llen(WAKE) == 1 and check(parked) == []


def test_once(parked):
    assert (recover(parked), recover(parked)) == ('recovered', 'dropped')
    assert listed(parked) == ['j', 'k']


@pytest.mark.parametrize('status', ['started', 'finished', 'canceled', None])
def test_has_its_place_elsewhere(parked, status):
    if status:
        parked.hset(JOB, 'status', status)
    else:
        parked.delete(JOB)
    assert recover(parked) == 'dropped'
    assert listed(parked) == ['k'] and not parked.exists(INTERMEDIATE, SEEN)
