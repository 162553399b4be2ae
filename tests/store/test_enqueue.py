"""enqueue: new ids, ids that exist in every status, repeated calls."""

import pytest
from redis.exceptions import OutOfMemoryError, ResponseError

from rq.store import claim, enter, keys, settle
from rq.store.call import run
from tests.invariants import check
from tests.store.world import (
    DATA,
    JOB,
    NOW,
    QUEUE,
    RESTING,
    WAKE,
    claims,
    dump,
    enqueue,
    job,
    listed,
    record,
    rest,
    started,
    take,
    text_of,
    unchanged,
)

TIMES = ()


def test_a_new_job(redis):
    assert enqueue(redis, description='d', timeout=180) == 'ok'
    assert dump(redis) == {
        JOB: {
            'status': 'queued',
            'enqueued_at': text_of(NOW),
            'origin': 'q',
            'data': DATA,
            'description': 'd',
            'timeout': '180',
        },
        QUEUE: ['j'],
        keys.QUEUES: {QUEUE},
    }
    assert redis.ttl(JOB) == -1
    assert redis.llen(WAKE) == 1
    assert 0 < redis.ttl(WAKE) <= 60
    assert check(redis) == []


def test_order_and_front(redis):
    enqueue(redis, 'a')
    enqueue(redis, 'b')
    enqueue(redis, 'c', front=True)
    assert listed(redis) == ['c', 'a', 'b']


def test_without_a_time_it_asks_the_server(redis):
    entered = run(redis, enter.enqueue(record()))
    seconds, micros = redis.time()
    assert entered.answer == 'ok'
    assert 0 <= seconds + micros / 1e6 - entered.at < 5
    assert job(redis)['enqueued_at'] == text_of(entered.at)


def test_ttl_on_the_hash_and_the_dependency_sets(redis):
    redis.sadd(keys.dependents('j'), 'x')
    redis.sadd(keys.dependencies('j'), 'y')
    enqueue(redis, ttl=90)
    assert [redis.ttl(key) for key in (JOB, keys.dependents('j'), keys.dependencies('j'))] == [90, 90, 90]


@pytest.mark.parametrize('ttl', [10**12, 10**30])
def test_a_ttl_that_the_server_would_refuse_is_cut(redis, ttl):
    assert enqueue(redis, ttl=ttl) == 'ok'
    assert redis.ttl(JOB) == 10**11


def test_at_most_eight_tokens(redis):
    for number in range(12):
        enqueue(redis, f'j{number}')
    assert redis.llen(WAKE) == 8


@pytest.mark.parametrize('status', RESTING)
def test_an_id_that_exists_leaves_its_place(redis, status):
    rest(redis, status, lost=2, lost_at=1, again='1')
    assert enqueue(redis) == 'ok'
    assert job(redis) == {'status': 'queued', 'enqueued_at': text_of(NOW), 'origin': 'q', 'data': DATA}
    assert listed(redis) == ['j']
    assert check(redis) == []


@pytest.mark.parametrize('status', ['finished', 'deferred', 'canceled', 'queued'])
def test_from_another_queue(redis, status):
    if status == 'queued':
        enqueue(redis, queue='other')
    else:
        rest(redis, status, queue='other')
    assert enqueue(redis) == 'ok'
    assert (listed(redis), listed(redis, 'other')) == (['j'], [])
    assert check(redis) == []


def test_a_hash_without_status_counts_as_created(redis):
    redis.hset(JOB, mapping={'data': 'old', 'origin': 'q'})
    assert enqueue(redis) == 'ok'
    assert job(redis)['data'] == DATA
    assert check(redis) == []


def test_an_id_that_was_set_aside_comes_back(redis):
    rest(redis, 'quantum')
    redis.rpush(QUEUE, 'j')
    assert claims(redis).taken == []
    assert enqueue(redis) == 'ok'
    assert not redis.exists(keys.aside('q'))
    assert check(redis) == []


def test_a_key_of_another_type_is_refused_and_kept(redis):
    redis.set(JOB, 'mine')
    with unchanged(redis), pytest.raises(ResponseError, match='WRONGTYPE'):
        enqueue(redis)


def test_what_the_new_payload_lacks_does_not_stay(redis):
    enqueue(redis, _failure_callback_name='m.g', _success_callback_name='m.h', group_id='g', ended_at=None)
    redis.hset(JOB, mapping={'started_at': 'x', 'ended_at': 'x', 'worker_name': 'w', 'last_heartbeat': 'x'})
    enqueue(redis)
    assert set(job(redis)) == {'status', 'enqueued_at', 'origin', 'data'}


def test_what_was_to_expire_after_its_outcome_does_not_vanish_from_the_queue(redis):
    lease = started(redis)
    run(redis, settle.finish(lease, 500, None, TIMES, {}, NOW))
    assert redis.ttl(JOB) == 500
    enqueue(redis)
    assert redis.ttl(JOB) == -1


class TestQueued:
    """The payload is replaced; the id is not listed again."""

    def test_stays_where_it_is(self, redis):
        enqueue(redis)
        enqueue(redis, 'k')
        redis.delete(WAKE)
        assert enqueue(redis, now=NOW + 1, description='new') == 'ok'
        assert listed(redis) == ['j', 'k']
        assert job(redis)['description'] == 'new'
        assert job(redis)['enqueued_at'] == text_of(NOW + 1)
        assert not redis.exists(WAKE)

    def test_moves_to_the_front_when_asked(self, redis):
        for name in ('i', 'j', 'k'):
            enqueue(redis, name)
        enqueue(redis, front=True)
        assert listed(redis) == ['j', 'i', 'k']

    @pytest.mark.parametrize('position', [999, 1000, 1500, 2000])
    def test_is_found_near_both_ends(self, redis, position):
        others = [f'x{number}' for number in range(2500)]
        enqueue(redis)
        redis.delete(QUEUE)
        redis.rpush(QUEUE, *others[:position], 'j', *others[position:])
        enqueue(redis)
        deep = 1000 <= position < 1501
        assert listed(redis).count('j') == (2 if deep else 1)
        assert listed(redis).index('j') == position

    def test_a_deep_second_listing_runs_once(self, redis):
        enqueue(redis)
        redis.delete(QUEUE)
        redis.rpush(QUEUE, *['x'] * 1200, 'j', *['x'] * 1200)
        enqueue(redis, front=True)
        redis.lrem(QUEUE, 0, 'x')
        assert listed(redis) == ['j', 'j']
        lease = take(redis)
        assert claims(redis, 'f') == claim.Claims([], [b'j'], False)
        run(redis, settle.finish(lease, 500, None, TIMES, {}, NOW))
        assert check(redis) == []

    def test_not_listed_at_all_is_listed(self, redis):
        rest(redis, 'queued')
        enqueue(redis)
        assert listed(redis) == ['j']


class TestStarted:
    """Queued once, after the outcome of what runs."""

    def test_again(self, redis):
        lease = started(redis)
        assert enqueue(redis, description='new') == 'again'
        assert listed(redis) == []
        assert (job(redis)['status'], job(redis)['again'], job(redis)['execution']) == ('started', '1', 'e')
        assert check(redis) == []
        assert run(redis, settle.finish(lease, 500, b'1', TIMES, {'description': 'old'}, NOW)) == 'ok'
        assert listed(redis) == ['j']
        assert job(redis)['description'] == 'new'
        assert 'again' not in job(redis)
        assert check(redis) == []

    def test_twice_again_is_queued_once_with_the_last_payload(self, redis):
        lease = started(redis)
        assert [enqueue(redis, description=d) for d in ('one', 'two')] == ['again', 'again']
        run(redis, settle.finish(lease, 500, None, TIMES, {}, NOW))
        assert listed(redis) == ['j']
        assert job(redis)['description'] == 'two'

    def test_front(self, redis):
        lease = started(redis)
        enqueue(redis, 'k')
        enqueue(redis, front=True)
        run(redis, settle.finish(lease, 500, None, TIMES, {}, NOW))
        assert listed(redis) == ['j', 'k']

    @pytest.mark.parametrize('front', [False, True])
    def test_on_another_queue(self, redis, front):
        lease = started(redis)
        redis.delete(keys.QUEUES)
        enqueue(redis, 'k', queue='a queue: 2')
        for _ in range(2):
            assert enqueue(redis, queue='a queue: 2', front=front) == 'again'
            assert (job(redis)['origin'], listed(redis, 'a queue: 2')) == ('q', ['k'])
            assert check(redis) == []
        assert run(redis, settle.finish(lease, 500, None, TIMES, {}, NOW)) == 'ok'
        assert listed(redis, 'a queue: 2') == (['j', 'k'] if front else ['k', 'j'])
        assert listed(redis) == []
        assert check(redis) == []

    def test_without_a_living_claim_it_is_queued(self, redis):
        started(redis)
        redis.delete(keys.wip('q'), keys.leases('q'))
        assert enqueue(redis) == 'ok'
        assert listed(redis) == ['j']

    @pytest.mark.parametrize('member', ['j:theirs', 'j'])
    def test_by_rq_3(self, redis, member):
        rest(redis, 'started')
        redis.zadd(keys.executions('j'), {f'old{number}': number for number in range(20)} | {'theirs': 99})
        redis.zadd(keys.wip('q'), {member: NOW + 30})
        assert enqueue(redis) == 'again'
        assert listed(redis) == []


@pytest.mark.parametrize('status', [*RESTING, 'queued', 'started', None])
def test_unique(redis, status):
    if status == 'started':
        started(redis)
    elif status:
        rest(redis, status)
    else:
        redis.hset(JOB, 'meta', 'something')
    with unchanged(redis):
        assert enqueue(redis, unique=True) == 'duplicate'


def test_unique_is_free_again_when_the_hash_is_gone(redis):
    enqueue(redis)
    redis.delete(JOB, QUEUE)
    assert enqueue(redis, unique=True) == 'ok'


class TestRepeated:
    """The reply was lost, and the client sends the same call again."""

    @pytest.mark.parametrize('unique', [False, True])
    def test_at_once(self, redis, unique):
        call = enter.enqueue(record(), unique=unique, now=NOW)
        assert run(redis, call) == ('ok', NOW)
        with unchanged(redis):
            assert run(redis, call) == ('already', NOW)

    def test_when_the_job_runs(self, redis):
        call = enter.enqueue(record(), now=NOW)
        run(redis, call)
        take(redis)
        with unchanged(redis):
            assert run(redis, call).answer == 'already'

    def test_of_an_again(self, redis):
        started(redis)
        call = enter.enqueue(record(), now=NOW)
        assert run(redis, call).answer == 'again'
        with unchanged(redis):
            assert run(redis, call).answer == 'already'

    def test_two_calls_are_two_enqueues(self, redis):
        assert enter.enqueue(record()).args[5] != enter.enqueue(record()).args[5]


def test_full_memory_refuses_before_any_write(redis):
    run(redis, enter.enqueue(record('warm'), now=NOW))
    redis.config_set('maxmemory', 1)
    try:
        with unchanged(redis), pytest.raises(OutOfMemoryError):
            run(redis, enter.enqueue(record(), now=NOW))
    finally:
        redis.config_set('maxmemory', 0)


@pytest.mark.parametrize('name', ['by', 'enqueued_from'])
def test_who_enqueued_it_before_is_forgotten(redis, name):
    """Under either name that this has had."""
    rest(redis, 'finished', **{name: 'shop/views.py:41 checkout'})
    assert enqueue(redis) == 'ok' and name not in job(redis)
