"""finish: the success, its result and how long both are kept."""

import base64

import pytest

from rq.store import keys, settle
from rq.store.call import run
from tests.invariants import check
from tests.store.world import (
    DATA,
    JOB,
    NOW,
    QUEUE,
    SECOND,
    dump,
    enqueue,
    job,
    members,
    results,
    started,
    text_of,
)

TIMES = (1.5, 4.0, 2.5)


def finish(redis, lease, ttl=500, value=b'7', times=TIMES, **changed):
    return run(redis, settle.finish(lease, ttl, value, times, changed, NOW + 9))


def test_everything_it_leaves(redis):
    lease = started(redis)
    redis.hset(keys.worker('w'), 'birth', 'x')
    assert finish(redis, lease, repeats_left=3) == 'ok'
    assert dump(redis) == {
        JOB: {
            'status': 'finished',
            'enqueued_at': text_of(NOW),
            'started_at': text_of(NOW),
            'last_heartbeat': text_of(NOW + 9),
            'ended_at': text_of(4),
            'worker_name': 'w',
            'execution': 'e',
            'origin': 'q',
            'data': DATA,
            'repeats_left': '3',
        },
        keys.QUEUES: {QUEUE},
        keys.place('finished', 'q'): {'j': SECOND + 9 + 500},
        keys.results('j'): [
            {
                'type': '1',
                'worker_name': 'w',
                'execution_id': 'e',
                'execution_started_at': '1.500000',
                'execution_ended_at': '4.000000',
                'return_value': base64.b64encode(b'7').decode(),
            }
        ],
        keys.worker('w'): {
            'birth': 'x',
            'state': 'busy',
            'claim': 'e',
            'successful_job_count': '1',
            'total_working_time': '2.5',
        },
    }


@pytest.mark.parametrize('times', [(), TIMES])
def test_none_and_unknown_times(redis, times):
    finish(redis, started(redis), value=None, times=times)
    assert set(results(redis)[0]) - {'execution_started_at', 'execution_ended_at'} == {
        'type',
        'worker_name',
        'execution_id',
    }
    assert ('execution_started_at' in results(redis)[0]) is bool(times)


@pytest.mark.parametrize(
    'ttl, life, score',
    [
        (500, 500, SECOND + 509),
        (-1, -1, float('inf')),
        (-7, -1, float('inf')),
        (10**12, 10**11, None),
        (10**400, 10**11, None),
    ],
)
def test_result_ttl(redis, ttl, life, score):
    redis.sadd(keys.dependents('j'), 'x')
    redis.sadd(keys.dependencies('j'), 'x')
    redis.xadd(keys.results('j'), {'type': 1})
    redis.expire(keys.results('j'), 10)
    assert finish(redis, started(redis), ttl) == 'ok'
    both = (JOB, keys.results('j'))
    assert [redis.ttl(key) for key in both] == [life, life]
    if life > 0:
        assert redis.ttl(keys.dependents('j')) == redis.ttl(keys.dependencies('j')) == life
    if score:
        assert members(redis, 'finished') == {'j': score}
    assert check(redis) == []


def test_result_ttl_0_removes_the_job(redis):
    redis.sadd(keys.dependents('j'), 'x')
    redis.sadd(keys.dependencies('j'), 'x')
    redis.xadd(keys.results('j'), {'type': 1})
    lease = started(redis)
    assert finish(redis, lease, 0) == 'ok'
    assert set(dump(redis)) == {keys.QUEUES, keys.worker('w')}
    assert finish(redis, lease, 0) == 'gone'


def test_result_ttl_0_and_again(redis):
    lease = started(redis)
    enqueue(redis)
    assert finish(redis, lease, 0) == 'ok'
    assert job(redis)['status'] == 'queued'
    assert check(redis) == []


def test_the_history_is_bounded(redis):
    for number in range(300):
        finish(redis, started(redis, execution=f'e{number}'))
    assert redis.xlen(keys.results('j')) <= 110
    assert results(redis)[-1]['execution_id'] == 'e299'
    assert redis.hget(keys.worker('w'), 'successful_job_count') == b'300'
