"""fail and stop: the job is given up."""

import base64
import zlib

import pytest

from rq.store import keys, settle
from rq.store.call import run
from tests.invariants import check
from tests.store.world import JOB, NOW, SECOND, dump, enqueue, job, members, results, started, text_of

TIMES = (1.5, 4.0, 2.5)


def fail(redis, lease, ttl=600, verb=settle.fail, **words):
    times = [TIMES] if verb is settle.fail else []  # of a stop they are not told
    return run(redis, verb(lease, ttl, 'Traceback ä', *times, words.pop('changed', {}), **words, now=NOW + 9))


both = pytest.mark.parametrize('verb, status', [(settle.fail, 'failed'), (settle.stop, 'stopped')])


@both
def test_everything_it_leaves(redis, verb, status):
    lease = started(redis)
    assert fail(redis, lease, verb=verb, changed={'description': 'new', 'retries_left': 0}) == 'ok'
    found = dump(redis)
    assert found[keys.place('failed', 'q')] == {'j': SECOND + 9 + 600}
    assert found[JOB]['status'] == status
    times_told = status == 'failed'
    assert found[JOB].get('ended_at') == (text_of(4) if times_told else None)
    assert (found[JOB]['retries_left'], found[JOB]['description']) == ('0', 'new')
    assert found[JOB]['last_heartbeat'] == text_of(NOW + 9)
    (result,) = results(redis)
    assert zlib.decompress(base64.b64decode(result.pop('exc_string'))).decode() == 'Traceback ä'
    times = {'execution_started_at': '1.500000', 'execution_ended_at': '4.000000'}
    assert result == {'type': '2', 'worker_name': 'w', 'execution_id': 'e', **(times if times_told else {})}
    working = {'total_working_time': '2.5'} if times_told else {}
    assert found[keys.worker('w')] == {'state': 'busy', 'claim': 'e', 'failed_job_count': '1', **working}
    assert set(found) == {keys.QUEUES, keys.place('failed', 'q'), JOB, keys.results('j'), keys.worker('w')}
    assert check(redis) == []


@both
@pytest.mark.parametrize(
    'ttl, life, score', [(600, 600, SECOND + 609), (-1, -1, -1), (-5, -1, -5), (10**13, 10**11, None)]
)
def test_failure_ttl(redis, verb, status, ttl, life, score):
    redis.sadd(keys.dependents('j'), 'x')
    assert fail(redis, started(redis), ttl, verb) == 'ok'
    assert redis.ttl(JOB) == redis.ttl(keys.results('j')) == redis.ttl(keys.dependents('j')) == life
    if score:
        assert members(redis, 'failed') == {'j': score}
    assert job(redis)['status'] == status
    assert check(redis) == []


@both
def test_failure_ttl_0_keeps_only_the_registry_entry(redis, verb, status):
    redis.sadd(keys.dependents('j'), 'x')
    lease = started(redis)
    assert fail(redis, lease, 0, verb) == 'ok'
    assert set(dump(redis)) == {keys.QUEUES, keys.place('failed', 'q'), keys.worker('w')}
    assert members(redis, 'failed') == {'j': SECOND + 9}
    assert fail(redis, lease, 0, verb) == 'gone'


def test_failure_ttl_0_and_again(redis):
    lease = started(redis)
    enqueue(redis)
    assert fail(redis, lease, 0) == 'ok'
    assert job(redis)['status'] == 'queued'
    assert check(redis) == []


def test_not_stored(redis):
    assert fail(redis, started(redis), stored=False, changed={'retries_left': 0}) == 'ok'
    assert set(dump(redis)) == {keys.QUEUES, JOB, keys.worker('w')}
    assert (job(redis)['status'], job(redis)['retries_left'], redis.ttl(JOB)) == ('failed', '0', -1)
    assert 'ended_at' not in job(redis)
    assert redis.hget(keys.worker('w'), 'failed_job_count') == b'1'


def test_a_returned_retry_too_many(redis):
    assert run(redis, settle.fail(started(redis), 600, '', TIMES, {}, returned=b'retry', now=NOW)) == 'ok'
    (result,) = results(redis)
    assert (result['type'], base64.b64decode(result['return_value'])) == ('5', b'retry')
    assert 'exc_string' not in result


def test_text_that_is_no_unicode(redis):
    run(redis, settle.fail(started(redis), 600, 'a\ud800b', TIMES, {}, now=NOW))
    assert zlib.decompress(base64.b64decode(results(redis)[0]['exc_string'])) == b'a?b'
