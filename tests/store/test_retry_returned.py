"""retry_returned: the function asked for another attempt itself; unlike a retry it leaves a result."""

import base64

import pytest

from rq.store import keys, settle
from rq.store.call import run
from tests.invariants import check
from tests.store.world import NOW, SECOND, enqueue, job, listed, members, results, started

TIMES = (1.5, 4.0, 2.5)


@pytest.mark.parametrize('interval, status', [(0, 'queued'), (10, 'scheduled')])
@pytest.mark.parametrize('ttl, life', [(600, 600), (-1, -1), (10**12, 10**11)])
def test_ok(redis, interval, status, ttl, life):
    lease = started(redis)
    changed = {'number_of_retries': 1, 'enqueue_at_front_on_retry': 0}
    call = settle.retry_returned(lease, interval, False, ttl, b'retry', TIMES, changed, NOW)
    assert run(redis, call) == 'ok'
    assert (job(redis)['status'], job(redis)['number_of_retries']) == (status, '1')
    assert (listed(redis), members(redis, 'scheduled')) == ((['j'], {}) if not interval else ([], {'j': SECOND + 10}))
    assert results(redis) == [
        {
            'type': '4',
            'worker_name': 'w',
            'execution_id': 'e',
            'execution_started_at': '1.500000',
            'execution_ended_at': '4.000000',
            'return_value': base64.b64encode(b'retry').decode(),
        }
    ]
    assert redis.ttl(keys.results('j')) == life
    assert redis.hget(keys.worker('w'), 'failed_job_count') == b'1'
    assert check(redis) == []


def test_front(redis):
    lease = started(redis)
    enqueue(redis, 'k')
    run(redis, settle.retry_returned(lease, 0, True, 600, b'', TIMES, {}, NOW))
    assert listed(redis) == ['j', 'k']
