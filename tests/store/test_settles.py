"""What all settles share: the guard of the lease, repeated calls, and the mark of a second enqueue."""

import pytest

from rq.store import claim, keys, operate, settle
from rq.store.call import Answer, run
from tests.invariants import check
from tests.store.world import JOB, NOW, QUEUE, claims, dump, enqueue, job, listed, members, started, take, unchanged

TIMES = (1.5, 2.5, 1.0)
CHANGED = {'description': 'changed'}
VERBS = {
    'finish': lambda lease: settle.finish(lease, 500, b'1', TIMES, CHANGED, NOW),
    'fail': lambda lease: settle.fail(lease, 600, 'text', TIMES, CHANGED, now=NOW),
    'fail unstored': lambda lease: settle.fail(lease, 600, 'text', TIMES, CHANGED, stored=False, now=NOW),
    'stop': lambda lease: settle.stop(lease, 600, 'text', CHANGED, NOW),
    'retry': lambda lease: settle.retry(lease, 0, False, TIMES, CHANGED, NOW),
    'retry later': lambda lease: settle.retry(lease, 10, False, TIMES, CHANGED, NOW),
    'retry_returned': lambda lease: settle.retry_returned(lease, 0, False, 600, b'2', TIMES, CHANGED, NOW),
    'retry_returned later': lambda lease: settle.retry_returned(lease, 9, False, 600, b'2', TIMES, CHANGED, NOW),
    'release': lambda lease: settle.release(lease, NOW),
}
every_verb = pytest.mark.parametrize('verb', VERBS)


def unstored(verb):
    return ['j'] if 'unstored' in verb else []


@every_verb
def test_as_many_keys_as_the_header_says(verb):
    call = VERBS[verb](claim.Lease('j', 'e', 'q', 'w'))
    assert len(call.keys) == len(call.script.header['keys'].split())


@every_verb
def test_ok_then_already(redis, verb):
    call = VERBS[verb](started(redis))
    redis.hset(keys.execution('j', 'e'), 'begun', 1)
    assert run(redis, call) is Answer.OK
    assert check(redis, unstored(verb)) == []
    for key in ('leases:q', 'wip:q', 'executions:j', 'execution:j:e', 'worker:w:executions'):
        assert not redis.exists(f'{keys.PREFIX}:{key}')
    with unchanged(redis):
        assert run(redis, call) is Answer.ALREADY


@every_verb
def test_lost_by_cancel(redis, verb):
    lease = started(redis)
    run(redis, operate.cancel('j', now=NOW))
    assert run(redis, VERBS[verb](lease)) is Answer.LOST
    assert job(redis)['status'] == 'canceled'
    assert (job(redis).get('description'), redis.exists(keys.results('j'))) == (None, 0)
    assert 'failed_job_count' not in dump(redis)[keys.worker('w')]
    assert check(redis) == []
    with unchanged(redis):
        assert run(redis, VERBS[verb](lease)) is Answer.LOST


@every_verb
@pytest.mark.parametrize('begun', [False, True])
def test_lost_by_rescue(redis, verb, begun):
    lease = started(redis)
    if begun:
        run(redis, claim.begin(lease))
    run(redis, claim.rescue('q', 'v', ['f'], now=NOW + 31))
    with unchanged(redis):
        assert run(redis, VERBS[verb](lease)) is Answer.LOST
    assert check(redis) == []


@every_verb
def test_lost_to_a_cleaner_of_rq_3_that_queued_it_again(redis, verb):
    lease = started(redis)
    redis.zrem(keys.wip('q'), 'j:e')
    redis.hset(JOB, 'status', 'queued')
    redis.rpush(QUEUE, 'j')
    other = take(redis, 'f', worker='v')
    assert run(redis, VERBS[verb](lease)) is Answer.LOST
    assert job(redis)['execution'] == 'f'
    assert check(redis) == []
    assert run(redis, VERBS[verb](other)) is Answer.OK
    assert check(redis, unstored(verb)) == []


@every_verb
@pytest.mark.parametrize('how', ['delete', 'evicted'])
def test_gone(redis, verb, how):
    lease = started(redis)
    if how == 'delete':
        run(redis, operate.delete('j'))
    else:
        redis.delete(JOB)
    redis.delete(keys.worker('w'))
    for _ in range(2):
        assert run(redis, VERBS[verb](lease)) is Answer.GONE
        assert dump(redis) == {keys.QUEUES: {QUEUE}}


@every_verb
def test_no_ghost_of_an_expired_worker(redis, verb):
    lease = started(redis)
    redis.delete(keys.worker('w'))
    assert run(redis, VERBS[verb](lease)) is Answer.OK
    assert not redis.exists(keys.worker('w'))


@every_verb
@pytest.mark.parametrize('queue', ['q', 'other'])
def test_again(redis, verb, queue):
    lease = started(redis, retries_left=0)
    redis.hset(JOB, mapping={'lost': 2, 'lost_at': 5})
    assert enqueue(redis, queue=queue, description='new', retries_left=7, ttl=90) == 'again'
    assert run(redis, VERBS[verb](lease)) is Answer.OK
    found = job(redis)
    assert (found['status'], found['origin'], found['description']) == ('queued', queue, 'new')
    assert found['retries_left'] == '7'
    assert not {'again', 'lost', 'lost_at', 'started_at', 'ended_at'} & set(found)
    assert listed(redis, queue) == ['j']
    assert redis.ttl(JOB) == 90
    assert check(redis) == []
    with unchanged(redis):
        assert run(redis, VERBS[verb](lease)) in (Answer.LOST, Answer.ALREADY)
    assert len(claims(redis, 'f', queues=(queue,)).taken) == 1


@every_verb
def test_a_job_that_waits_has_its_ttl_again(redis, verb):
    lease = started(redis, ttl=90)
    assert redis.ttl(JOB) == -1
    run(redis, VERBS[verb](lease))
    status = job(redis)['status']
    assert redis.ttl(JOB) == {'queued': 90, 'scheduled': 90, 'finished': 500}.get(status, -1 if unstored(verb) else 600)


def test_two_executions_settle_each_its_own(redis):
    one, two = started(redis, 'i', 'e'), started(redis, 'j', 'f')
    assert run(redis, VERBS['finish'](two)) == run(redis, VERBS['fail'](one)) == 'ok'
    assert [*members(redis, 'finished'), *members(redis, 'failed')] == ['j', 'i']
