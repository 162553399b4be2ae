"""prepare: an execution for a job that no claim took."""

import pytest

from rq.rules.lease import Lease
from rq.store import keys, settle, start
from rq.store.call import run
from tests.invariants import check
from tests.store.world import LEASES, MS, NOW, SECOND, WIP, dump, enqueue, job

LEASE = Lease('j', 'e', 'q', 'w')


def prepared(redis, state='busy'):
    enqueue(redis)
    redis.delete(keys.queue('q'))
    return run(redis, start.prepare(LEASE, 90, state, NOW))


def test_all_places(redis):
    assert prepared(redis) == NOW
    assert redis.zscore(WIP, 'j:e') == SECOND + 90 and redis.zscore(LEASES, 'j:e') == MS + 90_000
    assert redis.ttl(keys.execution('j', 'e')) == 90 and redis.ttl(keys.executions('j')) == 150
    assert (job(redis)['status'], job(redis)['execution']) == ('queued', 'e')
    assert dump(redis)[keys.worker('w')] == {'state': 'busy'} and redis.ttl(keys.worker('w')) == 480


@pytest.mark.parametrize('state', ['busy', ''])
def test_settles_as_after_a_claim(redis, state):
    prepared(redis, state)
    assert run(redis, settle.fail(LEASE, 60, 'text', (), {}, now=NOW)) == 'ok'
    assert job(redis)['status'] == 'failed' and redis.hget(keys.worker('w'), 'failed_job_count') == b'1'
    assert check(redis) == []


def test_twice_is_once(redis):
    prepared(redis)
    before = dump(redis)
    run(redis, start.prepare(LEASE, 90, 'busy', NOW + 5))
    assert dump(redis) == before


def test_no_record(redis):
    assert run(redis, start.prepare(LEASE, 90, 'busy', NOW)) is None
    assert dump(redis) == {}
