"""claim: which ids may be claimed, what a claim leaves behind, and calls whose reply was lost."""

import pytest

from rq.defaults import LEASE_SECONDS, WIP_SECONDS
from rq.store import claim, keys, operate, settle
from rq.store.aside import Missing, missing
from rq.store.call import run
from tests.invariants import check
from tests.store.world import (
    DATA,
    JOB,
    LEASES,
    MS,
    NOW,
    QUEUE,
    RESTING,
    SECOND,
    WAKE,
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

DAY = 86400


def aside(redis, queue='q'):
    return text(redis.hgetall(keys.aside(queue)))


def test_everything_it_leaves(redis):
    enqueue(redis, ttl=500)
    redis.delete(WAKE)
    found = claims(redis)
    assert (found.dropped, found.more) == ([], False)
    (taken,) = found.taken
    assert taken[:4] == (0, 'j', 'e', NOW)
    assert text(taken.raw) | {'nonce': ''} == {
        'status': 'queued',
        'enqueued_at': text_of(NOW),
        'origin': 'q',
        'data': DATA,
        'ttl': '500',
        'nonce': '',
    }
    assert dump(redis) == {
        JOB: {
            'status': 'started',
            'enqueued_at': text_of(NOW),
            'started_at': text_of(NOW),
            'last_heartbeat': text_of(NOW),
            'worker_name': 'w',
            'execution': 'e',
            'origin': 'q',
            'data': DATA,
            'ttl': '500',
        },
        keys.QUEUES: {QUEUE},
        WIP: {'j:e': SECOND + WIP_SECONDS},
        LEASES: {'j:e': MS + LEASE_SECONDS * 1000},
        keys.executions('j'): {'e': SECOND + WIP_SECONDS + 60},
        keys.execution('j', 'e'): {
            'id': 'e',
            'job_id': 'j',
            'created_at': f'{NOW:.6f}',
            'last_heartbeat': f'{NOW:.6f}',
            'worker_name': 'w',
        },
        keys.worker_executions('w'): {'j:e'},
        keys.worker('w'): {'state': 'busy', 'claim': 'e'},
    }
    assert redis.ttl(JOB) == -1
    assert redis.ttl(keys.execution('j', 'e')) == DAY
    assert redis.ttl(keys.executions('j')) == redis.ttl(keys.worker_executions('w')) == WIP_SECONDS + 60
    assert check(redis) == []


def test_nothing_to_take(redis):
    with unchanged(redis):
        assert claims(redis, worker='other').taken == []
        redis.delete(keys.worker('other'))


@pytest.mark.parametrize('lease, timeout, seconds', [(0, None, 240), (0, 100, 160), (0, -1, 420), (10, 100, 10)])
def test_lease_times(redis, lease, timeout, seconds):
    started(redis, timeout=timeout) if lease is None else enqueue(redis, timeout=timeout)
    claims(redis, lease_seconds=lease)
    assert members(redis, 'leases') == {'j:e': MS + seconds * 1000}
    assert members(redis, 'wip') == {'j:e': SECOND + (WIP_SECONDS if lease else seconds)}


@pytest.mark.parametrize('timeout', ['inf', '-inf', 'nan', '1e300', 'soon', ''])
def test_a_timeout_that_is_none_does_not_lose_the_job(redis, timeout):
    rest(redis, 'queued', timeout=timeout)
    redis.rpush(QUEUE, 'j')
    assert len(claims(redis, lease_seconds=0).taken) == 1
    assert [*members(redis, 'leases')] == ['j:e']


def test_the_claim_outlives_its_lease_for_rq_cleaners(redis):
    enqueue(redis)
    claims(redis, lease_seconds=600)
    assert members(redis, 'wip') == {'j:e': SECOND + 600}


@pytest.mark.parametrize('begun', [False, True])
def test_begun_at_once(redis, begun):
    enqueue(redis)
    claims(redis, begun=begun)
    assert redis.hget(keys.execution('j', 'e'), 'begun') == (b'1' if begun else None)


class TestQueues:
    """Several queues in one call."""

    def test_in_the_order_given(self, redis):
        for queue in ('a', 'b', 'c'):
            enqueue(redis, queue, queue=queue)
        names = ('b', 'c', 'a')
        taken = [claims(redis, f'e{n}', queues=names).taken[0] for n in range(3)]
        assert [(each.queue, each.job_id) for each in taken] == [(0, 'b'), (1, 'c'), (2, 'a')]

    def test_several_at_once(self, redis):
        for number in range(4):
            enqueue(redis, f'j{number}', queue='ab'[number // 3])
        taken = claims(redis, 'e0', 'e1', 'e2', 'e3', 'e4', queues=('a', 'b')).taken
        assert [each[:3] for each in taken] == [(n // 3, f'j{n}', f'e{n}') for n in range(4)]
        assert check(redis) == []

    def test_a_token_for_what_is_left_behind(self, redis):
        for number in range(3):
            enqueue(redis, f'j{number}', queue='aab'[number])
        redis.delete(keys.wake('a'), keys.wake('b'))
        claims(redis, queues=('a', 'b'))
        assert (redis.llen(keys.wake('a')), redis.llen(keys.wake('b'))) == (1, 1)
        claims(redis, 'f', queues=('a', 'b'))
        assert redis.llen(keys.wake('a')) == 1

    def test_a_listing_on_a_foreign_queue(self, redis):
        rest(redis, 'queued', queue='home')
        redis.rpush(QUEUE, 'j')
        assert take(redis).queue == 'home'
        assert members(redis, 'wip', 'home') == {'j:e': SECOND + WIP_SECONDS}

    def test_a_queue_of_another_type_does_not_stand_in_the_way(self, redis):
        redis.set(keys.queue('bad'), 'x')
        enqueue(redis, 'j')
        enqueue(redis, 'k')
        found = claims(redis, 'e', 'f', 'g', queues=('q', 'bad', 'q2'))
        assert [each.job_id for each in found.taken] == ['j', 'k']
        assert 'no list' in aside(redis, 'bad')[keys.queue('bad')]
        assert claims(redis, 'h', queues=('bad', 'q')).taken == []


class TestWhichIds:
    """The table of section 2 of the design."""

    @pytest.mark.parametrize('status', ['queued', 'created', None])
    def test_claimed(self, redis, status):
        redis.hset(JOB, mapping={'data': DATA, 'origin': 'q'} | ({'status': status} if status else {}))
        redis.rpush(QUEUE, 'j')
        redis.sadd(keys.QUEUES, QUEUE)
        take(redis)
        assert check(redis) == []

    @pytest.mark.parametrize('origin', [None, ''])
    def test_without_an_origin_it_gets_that_of_its_list(self, redis, origin):
        redis.hset(JOB, mapping={'data': DATA, 'status': 'queued'} | ({} if origin is None else {'origin': ''}))
        redis.rpush(QUEUE, 'j')
        redis.sadd(keys.QUEUES, QUEUE)
        assert claims(redis).taken[0].raw[b'origin'] == b'q'
        assert check(redis) == []

    def test_started_without_a_living_claim(self, redis):
        started(redis)
        redis.delete(WIP, LEASES)
        redis.rpush(QUEUE, 'j')
        take(redis, 'f')
        assert job(redis)['execution'] == 'f'

    def test_started_and_held(self, redis):
        started(redis)
        redis.rpush(QUEUE, 'j')
        before = job(redis)
        assert claims(redis, 'f') == claim.Claims([], [b'j'], False)
        assert job(redis) == before
        assert check(redis) == []

    @pytest.mark.parametrize('member', ['j:theirs', 'j'])
    def test_started_and_held_by_rq_3(self, redis, member):
        rest(redis, 'started')
        redis.zadd(keys.executions('j'), {'theirs': SECOND + 500})
        redis.zadd(WIP, {member: SECOND + 500})
        redis.rpush(QUEUE, 'j')
        assert claims(redis).dropped == [b'j']

    @pytest.mark.parametrize('status', [s for s in RESTING if s != 'created'])
    def test_dropped(self, redis, status):
        rest(redis, status)
        before = dump(redis)
        redis.rpush(QUEUE, 'j')
        assert claims(redis) == claim.Claims([], [b'j'], False)
        redis.delete(keys.worker('w'))
        assert dump(redis) == before

    @pytest.mark.parametrize('job_id', [b'gone', b'\xff\xfe\x00', b'', b'a b', b'a:b', b'*'])
    def test_no_hash(self, redis, job_id):
        redis.rpush(QUEUE, job_id)
        found = claims(redis)
        if job_id == b'gone':
            assert (found.taken, found.dropped, found.aside) == ([], [b'gone'], ())
            assert missing(redis, 'q') == Missing(1, 'gone', text_of(NOW)) and aside(redis) == {}
        else:
            assert (found.taken, found.dropped, found.aside) == ([], [], ((text(job_id), 'not a job id'),))
            assert list(aside(redis)) == [text(job_id)] and missing(redis, 'q') is None

    @pytest.mark.parametrize('job_id', [b'j\xff', b'j\n', 'ä'.encode(), b''])
    def test_junk_with_a_hash(self, redis, job_id):
        redis.hset(keys.JOB_PREFIX.encode() + job_id, mapping={'status': 'queued', 'data': DATA, 'origin': 'q'})
        redis.rpush(QUEUE, job_id)
        assert claims(redis).taken == []
        assert aside(redis) == {text(job_id): f'{text_of(NOW)} not a job id'}

    def test_an_old_id_with_odd_letters(self, redis):
        rest(redis, 'queued', 'my job: 1/2')
        redis.rpush(QUEUE, 'my job: 1/2')
        assert run(redis, settle.finish(take(redis), 500, None, (), {}, NOW)) == 'ok'
        assert members(redis, 'finished') == {'my job: 1/2': SECOND + 500}

    @pytest.mark.parametrize('status', ['quantum', 'finished failed', 'QUEUED', '\udcff'])
    def test_unknown_status(self, redis, status):
        rest(redis, status.encode('utf-8', 'surrogateescape'))
        before = job(redis)
        redis.rpush(QUEUE, 'j', 'k')
        rest(redis, 'queued', 'k')
        assert claims(redis).taken[0].job_id == 'k'
        assert 'unknown status' in aside(redis)['j']
        assert job(redis) == before

    @pytest.mark.parametrize('command', [('set', 'x'), ('sadd', 'x'), ('rpush', 'x')])
    def test_another_type(self, redis, command):
        getattr(redis, command[0])(JOB, command[1])
        rest(redis, 'queued', 'k')
        redis.rpush(QUEUE, 'j', 'k')
        assert claims(redis).taken[0].job_id == 'k'
        assert 'another type' in aside(redis)['j']
        assert redis.exists(JOB)

    def test_aside_has_an_end(self, redis):
        redis.hset(keys.aside('q'), mapping={f'x{n}': 'y' for n in range(10_000)})
        redis.rpush(QUEUE, b'\xff')
        assert claims(redis).aside == (('\\xff', 'not a job id'),)
        assert redis.hlen(keys.aside('q')) == 10_000
        assert redis.smembers(keys.aside_rest('q')) == {b'\xff'}, 'it has no reason, but is not lost'

    def test_turns(self, redis):
        redis.rpush(QUEUE, *[f'gone{n}' for n in range(claim.TURNS + 1)])
        enqueue(redis)
        found = claims(redis)
        assert (found.taken, len(found.dropped), found.more) == ([], claim.TURNS, True)
        assert claims(redis).taken[0].job_id == 'j'

    def test_a_mark_left_by_somebody_else_is_not_taken_along(self, redis):
        rest(redis, 'queued', again='1')
        redis.rpush(QUEUE, 'j')
        take(redis)
        assert 'again' not in job(redis)


class TestRepeated:
    """A call that is sent again with the same execution ids."""

    @pytest.mark.parametrize('repeated', [False, True])
    def test_gives_the_same_job(self, redis, repeated):
        enqueue(redis)
        enqueue(redis, 'k')
        first = claims(redis)
        with unchanged(redis):
            second = claims(redis, repeated=repeated, now=NOW + 3)
        assert [each[:3] for each in second.taken] == [each[:3] for each in first.taken] == [(0, 'j', 'e')]
        assert second.taken[0].at == NOW + 3
        assert claims(redis, 'f').taken[0].job_id == 'k'

    def test_gives_the_whole_batch(self, redis):
        for number in range(5):
            enqueue(redis, f'j{number}')
        first = claims(redis, 'e0', 'e1', 'e2')
        with unchanged(redis):
            second = claims(redis, 'e0', 'e1', 'e2', repeated=True)
        assert sorted(each[:3] for each in second.taken) == [each[:3] for each in first.taken]

    def test_when_the_worker_was_forgotten(self, redis):
        enqueue(redis)
        enqueue(redis, 'k')
        claims(redis)
        redis.delete(keys.worker('w'))
        assert claims(redis, repeated=True).taken[0].job_id == 'j'

    def test_without_an_origin(self, redis):
        redis.hset(JOB, mapping={'data': DATA, 'status': 'queued'})
        redis.rpush(QUEUE, 'j')
        claims(redis)
        assert claims(redis, repeated=True).taken[0][:3] == (0, 'j', 'e')

    def test_from_a_foreign_queue(self, redis):
        rest(redis, 'queued', queue='home')
        redis.rpush(QUEUE, 'j')
        claims(redis)
        assert claims(redis, repeated=True).taken[0][:3] == (0, 'j', 'e')

    def test_takes_another_when_the_first_is_no_longer_ours(self, redis):
        enqueue(redis)
        enqueue(redis, 'k')
        claims(redis)
        run(redis, operate.cancel('j', now=NOW))
        assert claims(redis, repeated=True).taken[0].job_id == 'k'

    def test_takes_one_when_nothing_was_taken(self, redis):
        assert claims(redis).taken == []
        enqueue(redis)
        assert claims(redis, repeated=True).taken[0].job_id == 'j'


class TestWorkerHash:
    """The state of the worker; no ghost without an end."""

    def test_of_a_living_worker(self, redis):
        redis.hset(keys.worker('w'), mapping={'birth': 'x', 'state': 'started'})
        redis.expire(keys.worker('w'), 1000)
        claims(redis)
        assert text(redis.hgetall(keys.worker('w'))) == {'birth': 'x', 'state': 'idle'}
        assert redis.ttl(keys.worker('w')) == 1000

    def test_of_one_that_expired(self, redis):
        claims(redis)
        assert redis.ttl(keys.worker('w')) == 480

    def test_busy_with_an_earlier_job(self, redis):
        started(redis)
        assert claims(redis, 'f').taken == []
        assert redis.hget(keys.worker('w'), 'state') == b'busy'


def test_full_memory_does_not_lose_a_job(redis):
    enqueue(redis)
    redis.config_set('maxmemory', 1)
    try:
        lease = take(redis)
        assert run(redis, claim.renew('w', [lease], NOW)) == [True]
        assert run(redis, claim.begin(lease)) == 'ok'
        assert run(redis, settle.finish(lease, 500, b'1', (), {}, NOW)) == 'ok'
    finally:
        redis.config_set('maxmemory', 0)
    assert listed(redis) == []
    assert check(redis) == []


def test_nothing_is_taken_while_suspended(redis):
    enqueue(redis)
    redis.set(keys.SUSPENDED, 1)
    claims = run(redis, claim.claim('w', ['q'], ['e'], now=NOW))
    assert claims.suspended and claims.taken == [] and listed(redis) == ['j']
    assert dump(redis)[keys.worker('w')] == {'state': 'suspended'}
    redis.delete(keys.SUSPENDED)
    claims = run(redis, claim.claim('w', ['q'], ['e'], now=NOW))
    assert not claims.suspended and len(claims.taken) == 1 and check(redis) == []
