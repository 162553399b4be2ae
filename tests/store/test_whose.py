"""The claim of one of a batch counts as long as its job says so: RQ 3.0 leaves it in the wip set whatever it does."""

from typing import Any

import pytest
from redis import Redis

from rq.store import claim, keys, settle
from rq.store.call import Answer, run
from tests.invariants import check
from tests.store.test_batch_books import TIMES, books, taken
from tests.store.world import JOB, LEASES, NOW, WIP, job, results

#: what the record says, and whether the claim of worker w counts then
SAYS: list[tuple[dict[str, Any], bool]] = [
    ({'worker_name': 'w'}, True),
    ({'worker_name': ''}, True),
    ({'worker_name': 'v'}, False),
    ({'execution': 'another'}, False),
    ({'execution': ''}, False),
    ({'status': 'canceled'}, False),
    ({'status': 'queued'}, True),  # by a `save`: it stands in no list
    ({'status': 'created'}, True),
    *(({'status': status}, True) for status in ('scheduled', 'deferred', 'finished')),
]
PLACES = {
    'scheduled': 'scheduled',
    'deferred': 'deferred',
    'finished': 'finished',
    'failed': 'failed',
    'stopped': 'failed',
}


@pytest.mark.parametrize(('fields', 'counts'), SAYS)
def test_what_the_record_says(redis: Redis, fields: dict[str, Any], counts: bool) -> None:
    lease, other = taken(redis, 'j', 'k')
    redis.hset(JOB, mapping=fields)
    assert run(redis, claim.renew('w', [lease, other], NOW + 1)) == [counts, True]
    gone = [redis.zscore(WIP, lease.member), redis.zscore(LEASES, lease.member)] == [None, None]
    assert gone is not counts and redis.sismember(keys.worker_executions('w'), lease.member) == counts
    assert (run(redis, claim.begin(lease)) == 'ok') is counts and books(redis, lease) == [counts] * 2


@pytest.mark.parametrize(('fields', 'counts'), SAYS)
def test_outcomes(redis: Redis, fields: dict[str, Any], counts: bool) -> None:
    lease, _ = taken(redis, 'j', 'k')
    redis.hset(JOB, mapping=fields)
    one = settle.Success(lease, 500, None, TIMES, {})
    if fields != {'worker_name': 'w'}:  # it goes by itself
        assert run(redis, settle.finish_many([one], now=NOW)) == [False]
    assert run(redis, settle.finish(*one, now=NOW)) is (Answer.OK if counts else Answer.LOST)
    assert (job(redis)['status'] == 'finished') is counts and len(results(redis, 'j')) == counts
    assert redis.zscore(WIP, lease.member) is None and redis.zscore(LEASES, lease.member) is None
    assert not redis.sismember(keys.worker_executions('w'), lease.member)


@pytest.mark.parametrize('status', [*PLACES, 'queued'])
def test_who_stands_in_the_place_of_its_status_is_not_ours(redis: Redis, status: str) -> None:
    lease, _ = taken(redis, 'j', 'k')
    redis.hset(JOB, 'status', status)
    if status == 'queued':
        redis.rpush(keys.queue('q'), 'j')
    else:
        redis.zadd(keys.place(PLACES[status], 'q'), {'j': 5})
    assert run(redis, claim.begin(lease)) == 'lost' and not run(redis, claim.note(lease, {}, 0))
    assert run(redis, settle.fail(lease, 500, 'text', TIMES, {}, now=NOW)) in (Answer.LOST, Answer.ALREADY)
    assert job(redis)['status'] == status and results(redis, 'j') == [] and not redis.zscore(WIP, lease.member)


@pytest.mark.parametrize('verb', ['fail', 'retry', 'stop', 'release'])
@pytest.mark.parametrize('how', ['canceled', 'another'])
def test_no_outcome_of_what_is_not_ours(redis: Redis, how: str, verb: str) -> None:
    lease, _ = taken(redis, 'j', 'k')
    redis.hset(JOB, *(('status', how) if how == 'canceled' else ('execution', how)))
    before = job(redis)
    call = {
        'fail': lambda: settle.fail(lease, 500, 'text', TIMES, {}, attempt={'n': 1}, cause=('A', 'B')),
        'retry': lambda: settle.retry(lease, 0, False, TIMES, {}, attempt={'n': 1}, cause=('A', 'B')),
        'stop': lambda: settle.stop(lease, 500, 'text', {}),
        'release': lambda: settle.release(lease),
    }[verb]()
    assert run(redis, call) is Answer.LOST
    assert job(redis) == before and redis.zscore(WIP, lease.member) is None


def test_a_record_of_another_type_says_nothing_against_it(redis: Redis) -> None:
    lease, _ = taken(redis, 'j', 'k')
    redis.delete(JOB)
    redis.set(JOB, 'no hash')
    assert run(redis, claim.renew('w', [lease], NOW + 1)) == [True] and redis.zscore(WIP, lease.member)


def test_of_a_deleted_job_nobody_is_left(redis: Redis) -> None:
    lease, _ = taken(redis, 'j', 'k')
    redis.delete(JOB)
    assert run(redis, claim.renew('w', [lease], NOW + 1)) == [False]
    assert run(redis, settle.finish(lease, 500, None, TIMES, {}, now=NOW)) is Answer.GONE
    assert not redis.exists(JOB) and check(redis) == []


def test_an_older_one_with_books_counts_as_before(redis: Redis) -> None:
    """What RQ 3.0 can find it takes out of the wip set."""
    lease = taken(redis, 'j', 'k')[0]
    run(redis, claim.begin(lease))
    redis.hset(JOB, 'worker_name', 'v')
    assert run(redis, claim.renew('w', [lease], NOW + 1)) == [True]
