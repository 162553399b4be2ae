"""retry: another attempt after a failure."""

import pytest

from rq.store import keys, settle
from rq.store.call import run
from tests.invariants import check
from tests.store.world import JOB, NOW, SECOND, dump, enqueue, job, listed, members, results, started

TIMES = (1.5, 4.0, 2.5)


def retry(redis, lease, interval=0.0, front=False, **changed):
    return run(redis, settle.retry(lease, interval, front, TIMES, changed, NOW))


@pytest.mark.parametrize('front, order', [(False, ['k', 'j']), (True, ['j', 'k'])])
def test_at_once(redis, front, order):
    lease = started(redis, retries_left=2)
    enqueue(redis, 'k')
    redis.delete(keys.wake('q'))
    assert retry(redis, lease, front=front, retries_left=1) == 'ok'
    assert listed(redis) == order
    assert (job(redis)['status'], job(redis)['retries_left']) == ('queued', '1')
    assert redis.hmget(keys.worker('w'), 'failed_job_count', 'total_working_time') == [b'1', b'2.5']
    assert redis.llen(keys.wake('q')) == 1
    assert results(redis) == []
    assert check(redis) == []


@pytest.mark.parametrize('interval, due', [(10, SECOND + 10), (0.5, SECOND + 1), (0.75, SECOND + 1), (1.5, SECOND + 2)])
def test_later_in_whole_seconds(redis, interval, due):
    assert retry(redis, started(redis), interval, retries_left=1) == 'ok'
    assert set(dump(redis)) == {keys.QUEUES, keys.place('scheduled', 'q'), JOB, keys.worker('w')}
    assert members(redis, 'scheduled') == {'j': due}
    assert due - NOW > interval - 1
    assert job(redis)['status'] == 'scheduled'
    assert check(redis) == []


def test_already_only_for_the_same_target(redis):
    lease = started(redis)
    assert retry(redis, lease, 10) == 'ok'
    assert retry(redis, lease, 10) == 'already'
    assert retry(redis, lease, 0) == 'lost'


def test_the_count_of_lost_workers_stays(redis):
    lease = started(redis)
    redis.hset(JOB, mapping={'lost': 2, 'lost_at': 5})
    retry(redis, lease)
    assert (job(redis)['lost'], job(redis)['lost_at']) == ('2', '5')


@pytest.mark.parametrize('ttl', ['inf', 'nan', '1e99', '1.5', '0', '-3', 'x'])
def test_a_broken_ttl_does_not_stop_half_way(redis, ttl):
    lease = started(redis)
    redis.hset(JOB, 'ttl', ttl)
    assert retry(redis, lease) == 'ok'
    assert listed(redis) == ['j']
    assert redis.ttl(JOB) == {'inf': 10**11, '1e99': 10**11, '1.5': 1}.get(ttl, -1)
