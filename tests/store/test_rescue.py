"""rescue: executions whose lease ran out, ours and those of RQ 3.0."""

import pytest

from rq.defaults import POISON_WINDOW, WIP_SECONDS
from rq.store import claim, keys, operate, settle
from rq.store.aside import missing
from rq.store.call import run
from tests.invariants import check
from tests.store.world import (
    DATA,
    JOB,
    LEASES,
    MS,
    NOW,
    QUEUE,
    SECOND,
    WIP,
    claims,
    dump,
    enqueue,
    job,
    listed,
    members,
    rest,
    started,
    take,
    text,
    text_of,
    unchanged,
)

TIMES = ()
LATER = NOW + 31


def rescue(redis, *executions, now=LATER, **words):
    words = {'worker': 'v', **words}
    return run(redis, claim.rescue('q', executions=executions or ('f',), now=now, **words))


def begun(redis, job_id='j', execution='e', **words):
    lease = started(redis, job_id, execution, **words)
    run(redis, claim.begin(lease))
    return lease


def by_rq_3(redis, score=SECOND, member='j:theirs', **fields):
    rest(redis, 'started', worker_name='old', **fields)
    redis.zadd(WIP, {member: score})
    redis.zadd(keys.executions('j'), {'theirs': score + 60})
    redis.hset(keys.execution('j', 'theirs'), mapping={'id': 'theirs', 'worker_name': 'old'})
    redis.expire(keys.executions('j'), 1000)
    redis.expire(keys.execution('j', 'theirs'), 1000)
    redis.sadd(keys.worker_executions('old'), member)
    redis.expire(keys.worker_executions('old'), 1000)


@pytest.mark.parametrize('now', [NOW, NOW + 29.9])
def test_a_living_lease_is_left_alone(redis, now):
    begun(redis)
    with unchanged(redis):
        assert rescue(redis, now=now) == claim.Rescued([], 0)


def test_not_begun_goes_to_the_front_uncharged(redis):
    started(redis, ttl=90, retries_left=1)
    enqueue(redis, 'k')
    redis.hset(JOB, mapping={'lost': 1, 'lost_at': 5})
    redis.delete(keys.worker('w'), keys.wake('q'))
    assert rescue(redis) == claim.Rescued([], 1)
    found = job(redis)
    assert (found['status'], found['enqueued_at'], found['retries_left']) == ('queued', text_of(LATER), '1')
    assert (found['lost'], found['lost_at'], redis.ttl(JOB)) == ('1', '5', 90)
    assert listed(redis) == ['j', 'k']
    assert redis.llen(keys.wake('q')) == 1
    assert set(dump(redis)) == {keys.QUEUES, JOB, keys.job('k'), QUEUE}
    assert check(redis) == []
    with unchanged(redis):
        assert rescue(redis) == claim.Rescued([], 0)


def test_begun_is_adopted(redis):
    begun(redis)
    redis.delete(keys.worker('w'), keys.wake('q'))
    found = rescue(redis)
    (orphan,) = found.orphans
    assert orphan[:7] == ('j', 'f', 'w', 1, None, 0, LATER)
    assert {name: text(orphan.raw[name]) for name in (b'status', b'execution', b'lost')} == {
        b'status': 'started',
        b'execution': 'f',
        b'lost': '1',
    }
    assert found.released == 0
    assert dump(redis) == {
        keys.QUEUES: {QUEUE},
        JOB: {
            'status': 'started',
            'enqueued_at': text_of(NOW),
            'started_at': text_of(NOW),
            'last_heartbeat': text_of(NOW),
            'worker_name': 'w',
            'execution': 'f',
            'origin': 'q',
            'data': DATA,
            'lost': '1',
            'lost_at': str(MS + 31_000),
        },
        WIP: {'j:f': SECOND + 31 + WIP_SECONDS},
        LEASES: {'j:f': MS + 61_000},
        keys.executions('j'): {'f': SECOND + 31 + WIP_SECONDS + 60},
        keys.execution('j', 'f'): {
            'id': 'f',
            'job_id': 'j',
            'created_at': f'{LATER:.6f}',
            'last_heartbeat': f'{LATER:.6f}',
            'worker_name': 'v',
            'begun': '1',
        },
        keys.worker_executions('v'): {'j:f'},
    }
    assert check(redis) == []
    with unchanged(redis):  # the reply was lost: the adopted one has a lease of its own
        assert rescue(redis) == claim.Rescued([], 0)


def test_what_left_no_record_may_have_begun(redis):
    begun(redis)
    redis.delete(keys.execution('j', 'e'))
    assert [orphan.lost_worker for orphan in rescue(redis).orphans] == ['w']
    assert check(redis) == []


def test_the_mark_outlives_a_long_outage(redis):
    begun(redis)
    started(redis, 'k', 'e2')
    assert redis.ttl(keys.execution('j', 'e')) == redis.ttl(keys.execution('k', 'e2')) == 86400


def test_two_rescuers(redis):
    begun(redis)
    assert len(rescue(redis).orphans) == 1
    assert rescue(redis, 'g', worker='u') == claim.Rescued([], 0)
    assert rescue(redis, 'g', worker='u', now=LATER + 31).orphans[0][:4] == ('j', 'g', 'v', 2)


def test_a_noted_failure_goes_along(redis):
    run(redis, claim.note(begun(redis), {'kind': 'raised'}, 1, NOW))
    assert rescue(redis).orphans[0][4:6] == ({'kind': 'raised'}, 1)
    assert rescue(redis, 'g', now=LATER + 31).orphans[0][4:6] == ({'kind': 'raised'}, 1)


@pytest.mark.parametrize('note', ['{', '[]', b'\xff'])
def test_a_broken_note_reads_as_none(redis, note):
    begun(redis)
    redis.hset(keys.execution('j', 'e'), 'failure', note)
    assert rescue(redis).orphans[0].failure is None


def test_lost_workers_are_counted_within_a_window(redis):
    begun(redis)
    times = []
    now = NOW
    for number in range(3):
        now += 31
        times.append(rescue(redis, f'f{number}', now=now).orphans[0].times_lost)
    assert times == [1, 2, 3]
    assert job(redis)['lost_at'] == str(MS + 31_000)
    now = NOW + 31 + POISON_WINDOW + 1
    assert rescue(redis, 'g', now=now).orphans[0].times_lost == 1


def test_the_count_is_kept_by_retries_and_forgotten_by_enqueue(redis):
    begun(redis)
    rescue(redis)
    run(redis, settle.retry(claim.Lease('j', 'f', 'q', 'v'), 0, False, TIMES, {}, LATER))
    run(redis, claim.begin(take(redis, 'g', now=LATER)))
    assert rescue(redis, 'h', now=LATER + 31).orphans[0].times_lost == 2
    run(redis, settle.fail(claim.Lease('j', 'h', 'q', 'v'), 600, '', TIMES, {}, now=LATER))
    enqueue(redis)
    run(redis, claim.begin(take(redis, 'i', now=NOW)))
    assert rescue(redis, 'k').orphans[0].times_lost == 1


@pytest.mark.parametrize('begins', [False, True])
@pytest.mark.parametrize('queue', ['q', 'other'])
def test_a_second_enqueue_came_meanwhile(redis, begins, queue):
    begun(redis) if begins else started(redis)
    enqueue(redis, queue=queue, description='new')
    found = rescue(redis)
    if begins:
        run(redis, settle.fail(claim.Lease('j', 'f', 'q', 'v'), 600, '', TIMES, {}, now=LATER))
    else:
        assert found.released == 1
    assert listed(redis, queue) == ['j']
    assert 'again' not in job(redis)
    assert job(redis)['description'] == 'new'
    assert check(redis) == []


def test_no_more_than_execution_ids(redis):
    for number in range(5):
        begun(redis, f'j{number}', f'e{number}')
    assert [o.job_id for o in rescue(redis, 'f0', 'f1').orphans] == ['j0', 'j1']
    assert len(rescue(redis, *'abcdef').orphans) == 3
    assert check(redis) == []


@pytest.mark.parametrize('lease, seconds', [(0, 160), (600, 600)])
def test_the_lease_of_the_rescuer(redis, lease, seconds):
    begun(redis, timeout=100)
    rescue(redis, lease_seconds=lease)
    assert members(redis, 'leases') == {'j:f': MS + 31_000 + seconds * 1000}
    assert members(redis, 'wip') == {'j:f': SECOND + 31 + seconds}


class TestWhatIsOnlyCleanedUp:
    """Entries that hold nothing."""

    def test_a_lease_without_claim(self, redis):
        lease = begun(redis)
        run(redis, settle.finish(lease, 500, None, TIMES, {}, NOW))
        redis.zadd(LEASES, {'j:e': MS})
        assert rescue(redis) == claim.Rescued([], 0)
        assert check(redis) == []

    @pytest.mark.parametrize('how', ['hash gone', 'finished', 'another type', 'taken over'])
    def test_a_claim_on(self, redis, how):
        begun(redis)
        if how == 'hash gone':
            redis.delete(JOB)
        elif how == 'finished':
            rest(redis, 'finished')
        elif how == 'another type':
            redis.delete(JOB)
            redis.set(JOB, 'x')
        else:
            redis.zadd(WIP, {'j:new': SECOND + 500})
            redis.zadd(LEASES, {'j:new': MS + 500_000})
            redis.hset(JOB, 'execution', 'new')
        before = redis.dump(JOB)
        found = rescue(redis)
        assert found[:2] == ([], 0) and redis.dump(JOB) == before
        assert [member for member, _ in found.aside] == (['j'] if how == 'another type' else [])
        assert (missing(redis, 'q') is not None) is (how == 'hash gone')
        left = ['j:new'] if how == 'taken over' else []
        assert ([*members(redis, 'wip')], [*members(redis, 'leases')]) == (left, left)
        assert not redis.exists(keys.execution('j', 'e'))

    def test_a_corrupt_one_does_not_stand_in_the_way(self, redis):
        begun(redis)
        begun(redis, 'k', 'e2')
        redis.delete(JOB)
        redis.set(JOB, 'x')
        redis.zadd(LEASES, {b'\xff\xfe': 1})
        redis.zadd(WIP, {b'\xff\xfe': 1})
        assert [orphan.job_id for orphan in rescue(redis, 'f', 'g', 'h').orphans] == ['k']
        assert members(redis, 'wip') == {'k:f': SECOND + 31 + WIP_SECONDS}


def test_a_name_that_is_no_text(redis):
    by_rq_3(redis)
    redis.hset(keys.execution('j', 'theirs'), 'worker_name', b'w\xff')
    assert rescue(redis).orphans[0].lost_worker == 'w\\xff'


class TestRq3:
    """wip entries without a lease row belong to RQ 3.0: its score is their end."""

    def test_not_overdue(self, redis):
        by_rq_3(redis, SECOND + 32)
        with unchanged(redis):
            assert rescue(redis) == claim.Rescued([], 0)

    def test_endless(self, redis):
        by_rq_3(redis, float('inf'))
        with unchanged(redis):
            assert rescue(redis) == claim.Rescued([], 0)

    @pytest.mark.parametrize('member', ['j:theirs', 'j'])
    def test_overdue(self, redis, member):
        by_rq_3(redis, SECOND + 31, member)
        assert rescue(redis).orphans[0][:4] == ('j', 'f', 'old', 1)
        assert [*members(redis, 'wip')] == [*members(redis, 'leases')] == ['j:f']
        assert not redis.exists(keys.worker_executions('old'))
        redis.sadd(keys.QUEUES, QUEUE)
        assert check(redis) == []

    def test_after_an_earlier_execution_of_ours(self, redis):
        by_rq_3(redis, execution='ours-long-ago')
        assert len(rescue(redis).orphans) == 1

    def test_beside_a_living_execution_of_ours(self, redis):
        lease = begun(redis)
        redis.zadd(WIP, {'j:theirs': SECOND})
        assert rescue(redis, now=NOW + 1) == claim.Rescued([], 0)
        assert [*members(redis, 'wip')] == ['j:e']
        assert run(redis, settle.finish(lease, 500, None, TIMES, {}, NOW)) == 'ok'

    def test_of_a_job_that_is_elsewhere(self, redis):
        by_rq_3(redis)
        run(redis, operate.delete('j'))
        redis.zadd(WIP, {'j:theirs': SECOND})
        assert rescue(redis) == claim.Rescued([], 0)
        assert members(redis, 'wip') == {}

    def test_ours_come_first_and_the_limit_holds(self, redis):
        by_rq_3(redis)
        begun(redis, 'k', 'e2')
        assert [orphan.job_id for orphan in rescue(redis).orphans] == ['k']
        assert [orphan.job_id for orphan in rescue(redis, 'g').orphans] == ['j']


def test_a_claim_that_rescue_put_back_can_be_taken_again(redis):
    started(redis)
    rescue(redis)
    assert claims(redis, 'g').taken[0].job_id == 'j'
    assert check(redis) == []


@pytest.mark.parametrize('now', [NOW, ''])
def test_a_farewell_is_taken_at_once_and_is_no_loss(redis, now):
    lease = begun(redis)
    run(redis, claim.renew('w', [lease._replace(lease_ms=0)], NOW))
    assert [orphan.times_lost for orphan in rescue(redis, now=now).orphans] == [0]


def test_while_rq_3_cleans_its_claims_are_left_to_it(redis):
    """It writes by what it has read before; a lock that is two minutes old is that of a dead cleaner."""
    by_rq_3(redis)
    redis.set(keys.clean_registries('q'), 1, ex=899)
    with unchanged(redis):
        assert rescue(redis) == claim.Rescued([], 0)
    assert len(rescue(redis, cleaning=True).orphans) == 1
    redis.flushall()
    by_rq_3(redis)
    redis.set(keys.clean_registries('q'), 1, ex=770)
    assert len(rescue(redis, 'g').orphans) == 1
