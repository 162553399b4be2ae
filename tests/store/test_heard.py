"""When a lease has run out, as far as one can know: signs of life of workers, and clocks that were changed."""

import pytest

from rq.store import claim, keys, workers
from rq.store.call import run
from tests.store.test_rescue import begun, by_rq_3
from tests.store.world import JOB, LEASES, MS, NOW, SECOND, WIP, claims, enqueue, text_of

HOUR = 3600


def beat(redis, moment, name='w'):
    run(redis, workers.born(name, ['q'], 10**7, {'instance': 'i'}, 'i', moment))
    assert run(redis, workers.beat(name, 10**7, 'i', now=moment)) == 'ok'


def rescue(redis, moment, **words):
    return run(redis, claim.rescue('q', 'v', ['f'], now=moment, **words))


def is_taken(redis):
    return redis.zscore(WIP, 'j:e') is None


def test_without_any_sign_of_life_a_lease_counts(redis):
    begun(redis)
    assert len(rescue(redis, NOW + 31).orphans) == 1


@pytest.mark.parametrize('seen', [True, False])
def test_the_clock_is_put_forward(redis, seen):
    """Whether or not a worker has been heard of since."""
    begun(redis)
    beat(redis, NOW)
    later = NOW + HOUR
    if seen:
        beat(redis, later)
    found = rescue(redis, later + 1)
    assert found.orphans == [] and found.is_early and not is_taken(redis)


def test_owners_that_are_not_heard_of_in_time_are_dead(redis):
    begun(redis)
    beat(redis, NOW)
    beat(redis, NOW + HOUR)
    for seconds in (5, 9.9):
        beat(redis, NOW + HOUR + seconds)
        assert rescue(redis, NOW + HOUR + seconds).is_early
    found = rescue(redis, NOW + HOUR + 10.1)
    assert len(found.orphans) == 1 and not found.is_early


def test_usual_pauses_are_no_silence(redis):
    begun(redis)
    for seconds in range(0, 31, 5):
        beat(redis, NOW + seconds)
    assert len(rescue(redis, NOW + 31).orphans) == 1


def test_a_second_silence_counts_as_well(redis):
    begun(redis)
    beat(redis, NOW)
    beat(redis, NOW + HOUR)
    beat(redis, NOW + HOUR + 8)
    beat(redis, NOW + HOUR + 8 + 16)  # longer than half a lease
    assert rescue(redis, NOW + HOUR + 8 + 25).is_early


def test_a_farewell_is_taken_at_once(redis):
    begun(redis)
    beat(redis, NOW)
    redis.zadd(LEASES, {'j:e': 0})
    assert len(rescue(redis, NOW + HOUR).orphans) == 1


def test_who_cleans_by_name_means_it(redis):
    begun(redis)
    beat(redis, NOW)
    assert len(rescue(redis, NOW + HOUR, cleaning=True).orphans) == 1


@pytest.mark.parametrize(('seconds', 'taken'), [(20, False), (40, True)])
def test_those_of_rq_3_are_heard_of_less_often(redis, seconds, taken):
    by_rq_3(redis, SECOND + 60)
    beat(redis, NOW)
    for more in range(0, seconds + 1, 5):
        beat(redis, NOW + HOUR + more)
    assert bool(rescue(redis, NOW + HOUR + seconds).orphans) == taken


def test_the_clock_is_put_back(redis):
    """A lease of the time before is as long as it was, and no longer."""
    begun(redis)
    back = NOW - HOUR
    beat(redis, back)
    assert rescue(redis, back).orphans == []
    assert redis.zscore(LEASES, 'j:e') == pytest.approx(MS - HOUR * 1000 + 30_000, abs=1000)
    for seconds in range(0, 30, 10):
        beat(redis, back + seconds)
        assert rescue(redis, back + seconds).orphans == []
    assert len(rescue(redis, back + 32).orphans) == 1


@pytest.mark.parametrize(('timeout', 'lease_seconds', 'length'), [(180, 30, 30), (500, 0, 560)])
def test_for_a_batch_as_well(redis, timeout, lease_seconds, length):
    """It has no records: the job tells when it was heard of. A lease for the worker's own process is long."""
    redis.hset(keys.worker('w'), mapping={'state': 'busy', 'birth': 'b', 'instance': 'i'})
    enqueue(redis, timeout=timeout)
    (execution,) = claim.for_batch(['e'])
    assert len(claims(redis, execution, lease_seconds=lease_seconds).taken) == 1
    assert not redis.exists(keys.execution('j', execution))
    back = NOW - HOUR
    for moment in (back, back + 1):  # once
        beat(redis, moment)
        assert rescue(redis, moment) == ([], 0, False, ())
        assert redis.zscore(LEASES, f'j:{execution}') == pytest.approx(MS + (length - HOUR) * 1000, abs=1000)
    assert redis.hget(JOB, 'last_heartbeat') == text_of(back).encode()
    for seconds in range(10, length, 10):
        beat(redis, back + seconds)
    assert rescue(redis, back + length + 2).released == 1


def test_a_batch_without_a_time_waits(redis):
    redis.hset(keys.worker('w'), mapping={'state': 'busy', 'birth': 'b', 'instance': 'i'})
    enqueue(redis)
    claims(redis, *claim.for_batch(['e']))
    redis.hset(JOB, 'last_heartbeat', 'no time')
    before = redis.zscore(LEASES, 'j:x')
    assert rescue(redis, NOW - HOUR) == ([], 0, False, ()) and redis.zscore(LEASES, 'j:x') == before == MS + 30_000


def test_long_leases_stay_long(redis):
    begun(redis)
    redis.zadd(LEASES, {'j:e': MS + 240_000})
    assert rescue(redis, NOW + 3).orphans == []
    assert redis.zscore(LEASES, 'j:e') == MS + 240_000


def test_half_a_retry_of_rq_3(redis):
    """It says scheduled, and died before it gave the job a time."""
    by_rq_3(redis)
    redis.hset(JOB, 'status', 'scheduled')
    found = rescue(redis, NOW + 1)
    assert [orphan.job_id for orphan in found.orphans] == ['j'] and redis.hget(JOB, 'status') == b'started'


def test_a_scheduled_job_is_left_alone(redis):
    by_rq_3(redis)
    redis.hset(JOB, 'status', 'scheduled')
    redis.zadd(keys.place('scheduled', 'q'), {'j': SECOND + 60})
    assert rescue(redis, NOW + 1).orphans == [] and redis.hget(JOB, 'status') == b'scheduled'
    assert redis.zcard(WIP) == 0


def test_whoever_renews_is_in_the_books_again(redis):
    """They may have expired, because the clock was put forward."""
    lease = begun(redis)
    redis.delete(keys.executions('j'), keys.worker_executions('w'))
    assert run(redis, claim.renew('w', [lease], NOW + 1)) == [True]
    assert redis.zscore(keys.executions('j'), 'e') and redis.sismember(keys.worker_executions('w'), 'j:e')
    assert redis.ttl(keys.executions('j')) > 0 and redis.ttl(keys.worker_executions('w')) > 0


def test_a_key_that_is_no_hash(redis):
    begun(redis)
    redis.set(keys.HEARD, 'x')
    beat(redis, NOW)
    assert redis.hget(keys.HEARD, 'at') == str(MS).encode()
