"""Executions claimed for a batch have no record before there is something to say of them; their claim holds."""

from typing import Any

import pytest
from redis import Redis

from rq import SimpleWorker
from rq.rules.lease import Lease, is_of_batch
from rq.store import claim, keys, settle
from rq.store.call import Answer, run
from tests.invariants import check
from tests.store.world import LEASES, MS, NOW, SECOND, WIP, claims, dump, enqueue, job, results

LATE = NOW + 3600
TIMES = (NOW + 1, NOW + 2, 1.0)


def known(redis: Redis) -> None:
    """Worker w is in the books."""
    redis.hset(keys.worker('w'), mapping={'state': 'busy', 'birth': 'b'})
    redis.expire(keys.worker('w'), 480)


def taken(redis: Redis, *ids: str, **words: Any) -> list[Lease]:
    """Jobs of these ids, claimed together by worker w, who is in the books."""
    known(redis)
    for job_id in ids:
        enqueue(redis, job_id, **words)
    executions = claim.for_batch([f'e{number:031}' for number, _ in enumerate(ids)])
    assert [one.job_id for one in claims(redis, *executions).taken] == list(ids)
    return [Lease(job_id, execution, 'q', 'w') for job_id, execution in zip(ids, executions, strict=True)]


def books(redis: Redis, lease: Lease) -> list[bool]:
    """Whether there is a record, and an entry among the executions of the job."""
    place = redis.zscore(keys.executions(lease.job_id), lease.execution)
    return [bool(redis.exists(keys.execution(lease.job_id, lease.execution))), place is not None]


def test_ids_of_a_batch_are_known_by_their_first_letter() -> None:
    assert claim.for_batch(['0123', 'fed']) == ['x123', 'xed']
    assert is_of_batch('x123') and not is_of_batch('0123')


def test_a_claim_leaves_leases_and_no_records(redis: Redis) -> None:
    leases = taken(redis, 'a', 'b')
    assert [books(redis, lease) for lease in leases] == [[False, False]] * 2
    for lease in leases:
        assert redis.zscore(WIP, lease.member) == SECOND + lease.wip_seconds
        assert redis.zscore(LEASES, lease.member) == MS + 30_000
        assert redis.sismember(keys.worker_executions('w'), lease.member)
        assert job(redis, lease.job_id)['execution'] == lease.execution
    assert check(redis) == []


def test_whoever_looks_at_the_worker_sees_them(redis: Redis) -> None:
    leases = taken(redis, 'a', 'b')
    worker = SimpleWorker(['q'], connection=redis, name='w')
    found = worker.get_current_executions(refresh=True)
    assert sorted(one.composite_key for one in found) == [one.member for one in leases]
    assert {one.worker_name for one in found} == {'w'} and redis.scard(keys.worker_executions('w')) == 2


def test_who_holds_a_slot_has_a_record(redis: Redis) -> None:
    enqueue(redis, 'a')
    redis.hset(keys.job('a'), mapping={'rate_limit_key': 'k', 'slot_of': 'k'})
    (one,) = claims(redis, *claim.for_batch(['e1', 'e2'])).taken
    assert books(redis, Lease('a', one.execution, 'q', 'w')) == [True, True]


def test_all_of_it_is_as_with_records_once_they_end(redis: Redis) -> None:
    left = []
    for ids in (['e0', 'e1', 'e2'], claim.for_batch(['e0', 'e1', 'e2'])):
        redis.flushall()
        known(redis)
        for job_id in 'abc':
            enqueue(redis, job_id)
        for one, last in zip(claims(redis, *ids).taken, ids, strict=True):
            assert one.execution == last
        leases = [Lease(job_id, execution, 'q', 'w') for job_id, execution in zip('abc', ids, strict=True)]
        some = [settle.Success(lease, 500, b'7', TIMES, {}) for lease in leases[:2]]
        assert run(redis, settle.finish_many(some, now=NOW)) == [True, True]
        assert run(redis, settle.finish(*some[0]._replace(lease=leases[2]), now=NOW)) is Answer.OK
        left.append(str(dump(redis)).replace("'x", "'e"))
        assert check(redis) == [] and not redis.keys('*:execution*')
    assert left[0] == left[1]


@pytest.mark.parametrize('many', [False, True])
@pytest.mark.parametrize('way', ['begin', 'note'])
def test_a_record_that_was_made_goes_with_the_outcome(redis: Redis, way: str, many: bool) -> None:
    lease, other = taken(redis, 'a', 'b')
    if way == 'begin':
        assert run(redis, claim.begin(lease)) == 'ok'
    else:
        assert run(redis, claim.note(lease, {'type': 'E'}, 1, now=NOW))
    assert [books(redis, one) for one in (lease, other)] == [[True, True], [False, False]]
    one = settle.Success(lease, 500, None, TIMES, {})
    if many:
        assert run(redis, settle.finish_many([one, one._replace(lease=other)], now=NOW)) == [True, True]
    else:
        assert run(redis, settle.finish(*one, now=NOW)) is Answer.OK
    assert books(redis, lease) == [False, False] and not redis.exists(keys.executions('a'))
    assert len(results(redis, 'a')) == 1


def test_begin_and_note_make_the_record_that_a_claim_makes(redis: Redis) -> None:
    lease, other = taken(redis, 'a', 'b')
    assert run(redis, claim.begin(lease)) == 'ok'
    assert run(redis, claim.note(other, {'type': 'E'}, 2, now=NOW))
    records = [redis.hgetall(keys.execution(one.job_id, one.execution)) for one in (lease, other)]
    plain = {b'id', b'job_id', b'created_at', b'last_heartbeat', b'worker_name'}
    assert set(records[0]) == plain | {b'begun'} and set(records[1]) == plain | {b'failure', b'told'}
    for record, one in zip(records, (lease, other), strict=True):
        assert (record[b'id'], record[b'job_id']) == (one.execution.encode(), one.job_id.encode())
        assert record[b'worker_name'] == b'w' and float(record[b'created_at']) > 1e9
        assert 86_300 < redis.ttl(keys.execution(one.job_id, one.execution)) <= 86_400
        assert 0 < redis.ttl(keys.executions(one.job_id)) <= one.wip_seconds + 60
    assert redis.zscore(keys.executions('b'), other.execution) == SECOND + other.wip_seconds + 60
    assert check(redis) == []
    run(redis, claim.begin(lease))
    assert redis.hgetall(keys.execution('a', lease.execution)) == records[0]  # twice is as once


def test_a_short_claim_lasts_once_it_has_begun(redis: Redis) -> None:
    lease, other = (one._replace(lease_ms=600_000, wip_seconds=600) for one in taken(redis, 'a', 'b'))
    assert run(redis, claim.begin(lease, lasting=True, now=NOW)) == 'ok'
    assert (redis.zscore(LEASES, lease.member), redis.zscore(WIP, lease.member)) == (MS + 600_000, SECOND + 600)
    assert redis.zscore(LEASES, other.member) == MS + 30_000
    redis.zrem(WIP, other.member)
    assert run(redis, claim.begin(other, lasting=True, now=NOW)) == 'lost' and redis.zscore(WIP, other.member) is None


def test_of_a_claim_that_is_gone_nobody_makes_a_record(redis: Redis) -> None:
    lease, _ = taken(redis, 'a', 'b')
    redis.zrem(WIP, lease.member)
    assert run(redis, claim.begin(lease)) == 'lost' and not run(redis, claim.note(lease, {}, 0))
    assert books(redis, lease) == [False, False]


def test_a_renewal_makes_none(redis: Redis) -> None:
    lease, other = taken(redis, 'a', 'b')
    run(redis, claim.begin(other))
    assert run(redis, claim.renew('w', [lease, other], now=NOW + 9)) == [True, True]
    assert [books(redis, one) for one in (lease, other)] == [[False, False], [True, True]]
    assert redis.zscore(LEASES, lease.member) == MS + 39_000 and check(redis) == []


def test_of_a_lost_worker_goes_back_what_has_no_record(redis: Redis) -> None:
    begun, noted, waiting = taken(redis, 'a', 'b', 'c')
    run(redis, claim.begin(begun))
    run(redis, claim.note(noted, {'type': 'E'}, 1))
    found = run(redis, claim.rescue('q', 'v', ['n1', 'n2', 'n3'], now=LATE))
    assert {one.job_id: one.lost_worker for one in found.orphans} == {'a': 'w', 'b': 'w'} and found.released == 1
    assert job(redis, 'c')['status'] == 'queued' and job(redis, 'c')['alone'] == '1'
    assert not redis.exists(keys.worker_executions('w'))
    late = settle.Success(waiting, 500, None, TIMES, {})
    assert run(redis, settle.finish(*late, now=LATE)) is Answer.LOST and check(redis) == []


def test_who_is_no_part_of_a_batch_and_has_no_record_may_have_begun(redis: Redis) -> None:
    enqueue(redis, 'a')
    claims(redis, 'e1')
    redis.delete(keys.execution('a', 'e1'))
    found = run(redis, claim.rescue('q', 'v', ['n1'], now=LATE))
    assert [one.job_id for one in found.orphans] == ['a'] and found.released == 0


@pytest.mark.parametrize('verb', ['fail', 'retry', 'stop', 'release'])
def test_every_outcome_leaves_no_books(redis: Redis, verb: str) -> None:
    lease, other = taken(redis, 'a', 'b')
    run(redis, claim.begin(other))
    for one in (lease, other):
        calls: dict[str, Any] = {
            'fail': lambda one: settle.fail(one, 500, 'text', TIMES, {}, attempt={'n': 1}, cause=('A', 'B')),
            'retry': lambda one: settle.retry(one, 0, False, TIMES, {}, attempt={'n': 1}, cause=('A', 'B')),
            'stop': lambda one: settle.stop(one, 500, 'text', {}),
            'release': settle.release,
        }
        assert run(redis, calls[verb](one)) is Answer.OK
        assert books(redis, one) == [False, False]
    assert not redis.keys('*:execution*') and check(redis) == []
