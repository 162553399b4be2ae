"""start: a job that no claim took begins."""

import pytest

from rq.rules.lease import Lease
from rq.store import keys, start
from rq.store.call import run
from tests.invariants import check
from tests.store.world import JOB, LEASES, NOW, WIP, dump, enqueue, job, text_of

LEASE = Lease('j', 'e', 'q', 'w')


def begin(redis, lease=LEASE, unlist=False, now=NOW):
    return run(redis, start.start(lease, 90, unlist, keys.queue('q'), now))


@pytest.fixture
def prepared(redis):
    enqueue(redis, ttl=100)
    redis.lmove(keys.queue('q'), f'{keys.queue("q")}:intermediate')
    run(redis, start.prepare(LEASE, 90, 'busy', NOW))
    return redis


@pytest.mark.parametrize('unlist', [True, False])
def test_begins(prepared, unlist):
    assert begin(prepared, unlist=unlist, now=NOW + 1) == 'ok'
    found, moment = job(prepared), text_of(NOW + 1)
    assert (found['status'], found['started_at'], found['last_heartbeat']) == ('started', moment, moment)
    assert found['worker_name'] == 'w' and prepared.ttl(JOB) == -1
    assert prepared.exists(f'{keys.queue("q")}:intermediate') == (not unlist)
    assert prepared.hget(keys.worker('w'), 'last_heartbeat').decode() == moment
    assert prepared.ttl(keys.worker('w')) == 90 and prepared.ttl(keys.worker_executions('w')) == 90
    assert prepared.hget(keys.execution('j', 'e'), 'begun') == b'1'
    assert not unlist or check(prepared) == []


def test_without_an_execution(redis):
    enqueue(redis)
    assert begin(redis, LEASE._replace(execution='')) == 'ok'
    assert job(redis)['status'] == 'started' and not redis.keys(f'{keys.PREFIX}:execution*')


def test_taken_over(prepared):
    prepared.zrem(WIP, 'j:e')
    before = job(prepared)
    assert begin(prepared) == 'lost' and job(prepared) == before


def test_canceled_between_dequeue_and_start(prepared):
    prepared.hset(JOB, 'status', 'canceled')
    assert begin(prepared) == 'lost' and job(prepared)['status'] == 'canceled'
    assert not prepared.exists(WIP, LEASES)


def test_gone(prepared):
    prepared.delete(JOB)
    assert begin(prepared) == 'gone' and JOB not in dump(prepared)
