"""What is set aside and what is missing: one broken record stops no other, and what was put right comes back."""

import pytest

from rq.store import aside, claim, keys, operate, promote, settle, slots
from rq.store.call import run
from tests.invariants import check
from tests.store.world import (
    DATA,
    JOB,
    NOW,
    QUEUE,
    WIP,
    claims,
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


def of_queue(redis, queue='q'):
    return aside.of_queue(redis, queue)


def back(redis, member='j', queue='q'):
    return run(redis, aside.return_aside(queue, member, NOW))


def sweep(redis, times=1, **words):
    found = [run(redis, aside.sweep('q', now=NOW + 10 * number, **words)) for number in range(times)]
    return found[-1]


class TestReturn:
    """Back into the queue."""

    @pytest.fixture
    def odd(self, redis):
        rest(redis, 'quantum')
        redis.rpush(QUEUE, 'j')
        assert claims(redis).aside == (('j', 'unknown status "quantum"'),)
        return redis

    @pytest.mark.parametrize('status', ['queued', 'created', 'started', 'failed', 'scheduled'])
    def test_once_it_was_put_right(self, odd, status):
        assert back(odd) == ('broken', 'unknown status "quantum"')
        odd.hset(JOB, 'status', status)
        assert back(odd) == ('ok', '')
        assert (listed(odd), job(odd)['status'], of_queue(odd)) == (['j'], 'queued', {})
        assert back(odd) == ('absent', '')
        odd.sadd(keys.QUEUES, QUEUE)
        assert check(odd) == []
        take(odd)

    def test_what_has_a_place_is_only_forgotten(self, odd):
        rest(odd, 'failed')
        assert back(odd) == ('elsewhere', '') and listed(odd) == [] and of_queue(odd) == {}

    def test_what_runs_is_only_forgotten(self, odd):
        odd.hset(JOB, 'status', 'queued')
        odd.rpush(QUEUE, 'j')
        take(odd)
        assert back(odd) == ('elsewhere', '') and listed(odd) == []

    def test_what_is_gone(self, odd):
        odd.delete(JOB)
        assert back(odd) == ('gone', '') and of_queue(odd) == {}
        assert aside.missing(odd, 'q') == (1, 'j', text_of(NOW))

    def test_what_never_was_a_job(self, redis):
        redis.rpush(QUEUE, b'\xff')
        claims(redis)
        with unchanged(redis):
            assert back(redis, 'nobody') == ('absent', '')
            assert back(redis, b'\xff') == ('broken', 'not a job id')

    def test_a_key_that_is_what_it_should_be_again(self, redis):
        redis.set(keys.queue('bad'), 'x')
        claims(redis, queues=('bad',))
        assert back(redis, keys.queue('bad'), 'bad') == ('broken', 'it is a string')
        redis.delete(keys.queue('bad'))
        assert back(redis, keys.queue('bad'), 'bad') == ('elsewhere', '') and of_queue(redis, 'bad') == {}

    def test_beyond_ten_thousand(self, redis):
        redis.hset(keys.aside('q'), mapping={f'x{n}': 'y' for n in range(10_000)})
        rest(redis, 'quantum')
        redis.rpush(QUEUE, 'j')
        claims(redis)
        assert of_queue(redis)['j'] == ''
        redis.hset(JOB, 'status', 'queued')
        assert back(redis) == ('ok', '') and not redis.exists(keys.aside_rest('q'))


class TestOneBrokenKeyStopsNoOther:
    """An error would end a script half-way, with no way back."""

    def test_executions_of_a_job_that_is_claimed(self, redis):
        enqueue(redis, 'a')
        enqueue(redis, 'b')
        redis.set(keys.executions('a'), 'x')
        found = claims(redis, 'e', 'f')
        assert [one.job_id for one in found.taken] == ['b']
        assert 'WRONGTYPE' in of_queue(redis)['a']
        redis.delete(keys.executions('a'))
        assert back(redis, 'a').answer == 'ok' and take(redis, 'g').job_id == 'a'
        assert check(redis) == []

    @pytest.mark.parametrize('kind', ['wip', 'leases'])
    def test_the_books_of_a_queue_that_is_claimed_from(self, redis, kind):
        """Nobody can be taken there, nobody is lost, and other queues are served."""
        enqueue(redis, 'a')
        enqueue(redis, 'b')
        enqueue(redis, 'c', 'other')
        redis.set(keys.place(kind, 'q'), 'x')
        for is_new in (True, False):
            found = claims(redis, 'e', queues=('q', 'other'))
            assert [member for member, _ in found.aside] == ([keys.place(kind, 'q')] if is_new else []), 'said once'
            assert [one.job_id for one in found.taken] in (['c'], [])
            assert listed(redis) == ['a', 'b'] and list(of_queue(redis)) == [keys.place(kind, 'q')]
            run(redis, settle.finish(claim.Lease('c', 'e', 'other', 'w'), 500, None, (), {}, NOW))
        redis.delete(keys.place(kind, 'q'))
        assert take(redis, 'f').job_id == 'a'

    def test_the_books_of_the_worker(self, redis):
        enqueue(redis)
        redis.set(keys.worker('w'), 'x')
        redis.set(keys.worker_executions('w'), 'x')
        redis.set(keys.wake('q'), 'x')
        assert take(redis).job_id == 'j'

    @pytest.mark.parametrize('key', [keys.executions('j'), JOB, keys.execution('j', 'e'), keys.worker_executions('w')])
    def test_renewal(self, redis, key):
        leases = [started(redis), started(redis, 'k', 'f')]
        redis.delete(key)
        redis.set(key, 'x')
        assert run(redis, claim.renew('w', leases, NOW + 20)) == [True, True]
        assert {int(score) for score in members(redis, 'leases').values()} == {int((NOW + 50) * 1000)}

    @pytest.mark.parametrize('key', [keys.executions('a'), keys.execution('a', 'ea'), keys.worker_executions('w')])
    def test_rescue(self, redis, key):
        for job_id in 'abc':
            run(redis, claim.begin(started(redis, job_id, f'e{job_id}')))
        redis.delete(key)
        redis.set(key, 'x')
        found = run(redis, claim.rescue('q', 'v', ['f', 'g', 'h', 'i'], now=NOW + 31))
        taken = {orphan.job_id for orphan in found.orphans}
        assert {'b', 'c'} <= taken and taken | set(of_queue(redis)) == {'a', 'b', 'c'}
        assert not [member for member in members(redis, 'wip') if member.endswith((':ea', ':eb', ':ec'))]

    @pytest.mark.parametrize('status', ['quantum', b'\xff'])
    def test_rescue_of_an_unknown_status(self, redis, status):
        for job_id in 'ab':
            run(redis, claim.begin(started(redis, job_id, f'e{job_id}')))
        redis.hset(keys.job('a'), 'status', status)
        before = redis.dump(keys.job('a'))
        found = run(redis, claim.rescue('q', 'v', ['f', 'g'], now=NOW + 31))
        assert [orphan.job_id for orphan in found.orphans] == ['b']
        assert 'unknown status' in of_queue(redis)['a'] and redis.dump(keys.job('a')) == before
        assert members(redis, 'wip').keys() == {'b:f'}

    @pytest.mark.parametrize('kind', ['wip', 'leases'])
    def test_rescue_of_a_queue_without_books(self, redis, kind):
        redis.set(keys.place(kind, 'q'), 'x')
        assert run(redis, claim.rescue('q', 'v', ['f'], now=NOW)).aside[0][0] == keys.place(kind, 'q')
        assert run(redis, claim.rescue('q', 'v', ['f'], now=NOW)).aside == (), 'said once'

    @pytest.mark.parametrize('broken', ['type', 'status', 'limit', 'list'])
    def test_promotion_of_what_is_due(self, redis, broken):
        for job_id in 'abc':
            rest(redis, 'scheduled', job_id)
        if broken == 'type':
            redis.delete(keys.job('b'))
            redis.set(keys.job('b'), 'x')
        elif broken == 'status':
            redis.hset(keys.job('b'), 'status', 'quantum')
        elif broken == 'limit':
            redis.hset(keys.job('b'), mapping={'rate_limit_key': 'l', 'rate_limit_concurrency': 1})
            redis.set(keys.limit('l'), 'x')
        else:
            redis.set(QUEUE, 'x')
        before = redis.dump(keys.job('b'))
        assert run(redis, promote.promote_due('q', now=NOW)) == 3
        assert members(redis, 'scheduled') == {}
        assert sorted(of_queue(redis)) == (['a', 'b', 'c'] if broken == 'list' else ['b'])
        if broken == 'list':
            redis.delete(QUEUE)
        else:
            assert listed(redis) == ['a', 'c'] and redis.dump(keys.job('b')) == before
        redis.delete(keys.limit('l'))
        redis.hset(keys.job('b'), 'status', 'queued') if broken == 'status' else None
        if broken != 'type':
            assert back(redis, 'b').answer == 'ok' and 'b' in listed(redis)

    def test_a_due_job_without_a_record(self, redis):
        redis.zadd(keys.place('scheduled', 'q'), {'j': 5})
        assert run(redis, promote.promote_due('q', now=NOW)) == 1
        assert aside.missing(redis, 'q') == (1, 'j', text_of(NOW)) and members(redis, 'scheduled') == {}

    def test_a_schedule_that_is_none(self, redis):
        redis.set(keys.place('scheduled', 'q'), 'x')
        assert run(redis, promote.promote_due('q', now=NOW)) == 0
        assert list(of_queue(redis)) == [keys.place('scheduled', 'q')]

    @pytest.mark.parametrize('how', ['finish', 'fail', 'cancel', 'delete'])
    @pytest.mark.parametrize('broken', ['job', 'dependents', 'limit'])
    def test_dependents(self, redis, how, broken):
        """The outcome of a parent is written, the healthy dependents go on."""
        lease = started(redis, 'p')
        for child in ('a', 'b', 'c'):
            rest(redis, 'deferred', child, allow_dependency_failures=1)
            redis.sadd(keys.dependencies(child), 'p', 'z')
            redis.sadd(keys.dependents('p'), child)
        redis.hset(keys.job('z'), mapping={'data': DATA, 'status': 'queued', 'origin': 'q'})
        for child in 'ac':
            redis.srem(keys.dependencies(child), 'z')
        if broken == 'job':
            redis.delete(keys.job('b'))
            redis.set(keys.job('b'), 'x')
        elif broken == 'dependents':
            redis.set(keys.dependents('z'), 'x')
        else:
            redis.srem(keys.dependencies('b'), 'z')
            redis.hset(keys.job('b'), mapping={'rate_limit_key': 'l', 'rate_limit_concurrency': 1})
            redis.set(keys.limit('l'), 'x')
        if how == 'finish':
            run(redis, settle.finish(lease, 500, None, (), {}, NOW))
        elif how == 'fail':
            run(redis, settle.fail(lease, 500, '', (), {}, now=NOW))
        elif how == 'cancel':
            run(redis, operate.cancel('p', True, now=NOW))
        else:
            run(redis, operate.delete('p', now=NOW))
        assert sorted(listed(redis)) == ['a', 'c']
        assert broken == 'job' or list(of_queue(redis)) == ['b'] and members(redis, 'deferred') == {}

    def test_slots(self, redis):
        redis.sadd(keys.QUEUES, QUEUE)
        redis.hset(keys.limit('l'), 'concurrency', 5)
        for number, job_id in enumerate('abcd'):
            rest(redis, 'rate_limited', job_id, rate_limit_key='l', rate_limit_concurrency=5)
            redis.zadd(keys.waiting('l'), {job_id: number})
        redis.delete(keys.job('a'), keys.job('b'))
        redis.set(keys.job('a'), 'x')
        redis.hset(keys.job('c'), 'status', 'quantum')
        assert run(redis, slots.fill('l', 5, NOW)) == ['d']
        assert sorted(of_queue(redis)) == ['a', 'c'] and aside.missing(redis, 'q').latest == 'b'

    def test_emptying(self, redis):
        for job_id in 'abc':
            enqueue(redis, job_id)
        redis.delete(keys.job('a'))
        redis.set(keys.job('a'), 'x')
        redis.hset(keys.job('b'), 'status', 'quantum')
        assert run(redis, operate.empty('q', now=NOW)) == 3
        assert sorted(of_queue(redis)) == ['a', 'b'] and redis.exists(keys.job('a'), keys.job('b')) == 2

    def test_deleting_what_is_no_record(self, redis):
        redis.set(JOB, 'x')
        assert run(redis, operate.delete('j', now=NOW)) == 'ok' and not redis.exists(JOB)

    def test_requeueing_what_is_no_record(self, redis):
        redis.set(JOB, 'x')
        redis.zadd(keys.place('failed', 'q'), {'j': 5})
        with unchanged(redis):
            assert run(redis, operate.requeue(keys.place('failed', 'q'), 'j', now=NOW)).answer == 'broken'


class TestSweep:
    """Ids without a record leave their places within two looks."""

    PLACES = ('scheduled', 'deferred', 'ready', 'finished', 'failed', 'canceled')

    @pytest.mark.parametrize('place', PLACES)
    def test_gone(self, redis, place):
        redis.zadd(keys.place(place, 'q'), {'j': NOW + 500})
        assert sweep(redis) == ((), []), 'it may be about to be saved'
        assert members(redis, place) != {}
        assert sweep(redis, 2) == ((), ['j'])
        assert members(redis, place) == {} and aside.missing(redis, 'q').number == 1

    def test_gone_from_a_list(self, redis):
        redis.rpush(QUEUE, 'a', 'b')
        enqueue(redis, 'c')
        assert sweep(redis, 2).missing in (['a', 'b'], ['b', 'a'])
        assert listed(redis) == ['c']

    def test_a_long_list_is_seen_to_near_its_front(self, redis):
        """Each id further back would cost a walk through the whole list; claims come to those in time."""
        redis.rpush(QUEUE, *(f'gone{n}' for n in range(3000)))
        redis.hset(keys.sweep('q'), 'queue', 2000)  # as an earlier version may have left it
        assert sweep(redis, 2).missing == []
        assert len(sweep(redis, 15).missing) == 100
        redis.lpush(QUEUE, *(f'new{n}' for n in range(5000)))
        assert sweep(redis).missing == [], 'suspects that are far from the front by now stay'

    def test_saved_in_time(self, redis):
        redis.zadd(keys.place('scheduled', 'q'), {'j': NOW + 500})
        sweep(redis)
        rest(redis, 'scheduled')
        assert sweep(redis, 2).missing == [] and members(redis, 'scheduled') != {}

    def test_a_running_one(self, redis):
        lease = started(redis)
        run(redis, claim.begin(lease))
        redis.delete(JOB)
        assert sweep(redis, 2).missing == ['j']
        assert members(redis, 'wip') == members(redis, 'leases') == {}
        assert run(redis, claim.renew('w', [lease], NOW + 5)) == [False], 'its worker ends it'
        assert check(redis) == []

    def test_a_lease_without_its_claim(self, redis):
        redis.zadd(keys.leases('q'), {'j:e': 5})
        sweep(redis)
        assert members(redis, 'leases') == {}

    @pytest.mark.parametrize('place', PLACES)
    def test_another_type(self, redis, place):
        redis.set(JOB, 'x')
        redis.zadd(keys.place(place, 'q'), {'j': NOW + 500})
        assert [member for member, _ in sweep(redis).aside] == ['j']
        assert members(redis, place) == {} and redis.get(JOB) == b'x'

    def test_what_is_in_order_or_of_a_newer_version(self, redis):
        for status in ('scheduled', 'deferred', 'finished', 'failed', 'canceled'):
            rest(redis, status, status)
            rest(redis, status, f'{status}-2')
            redis.hset(keys.job(f'{status}-2'), 'status', 'quantum')
        started(redis, 'a')
        enqueue(redis, 'b')
        redis.zadd(keys.place('finished', 'q'), {'expired': NOW - 5})
        redis.hset(keys.aside('q'), mapping={'finished': 'x', b'\xff': 'y'})
        with unchanged(redis):
            assert sweep(redis, 2) == ((), [])
            redis.delete(keys.sweep('q'), keys.suspects('q'))

    def test_gone_from_aside(self, redis):
        redis.hset(keys.aside('q'), mapping={'j': 'x', b'\xff': 'y', '': 'z'})
        assert sweep(redis, 2).missing == ['j'] and of_queue(redis) == {'\\xff': 'y', '': 'z'}

    def test_one_looks_for_all(self, redis):
        redis.zadd(keys.place('scheduled', 'q'), {'j': NOW + 500})
        run(redis, aside.sweep('q', now=NOW))
        assert run(redis, aside.sweep('q', now=NOW + 0.6)).missing == []
        assert run(redis, aside.sweep('q', now=NOW + 0.75)).missing == ['j']
        assert 0 < redis.ttl(keys.sweep('q')) <= 60

    def test_many_are_looked_at_by_and_by(self, redis):
        redis.zadd(keys.place('failed', 'q'), {f'gone{n}': -1 for n in range(3000)})
        redis.rpush(QUEUE, *(f'gone-too{n}' for n in range(1000)))
        looks = sum(1 for _ in iter(lambda: self._left(redis), 0))
        assert looks < 90

    def _left(self, redis):
        self.now = getattr(self, 'now', NOW) + 2
        run(redis, aside.sweep('q', now=self.now))
        return redis.zcard(keys.place('failed', 'q')) + redis.llen(QUEUE)

    @pytest.mark.parametrize('key', [QUEUE, WIP, keys.place('failed', 'q'), keys.aside('q'), keys.sweep('q')])
    def test_keys_of_another_type(self, redis, key):
        redis.set(key, 'x')
        redis.set(keys.suspects('q'), 'x')
        redis.set(keys.missing('q'), 'x')
        redis.zadd(keys.place('scheduled', 'q'), {'j': NOW + 500})
        assert sweep(redis, 2).missing == ['j']


def test_text_of_what_is_aside(redis):
    redis.hset(keys.aside('q'), mapping={b'\xff': b'\xfe'})
    assert of_queue(redis) == {'\\xff': '\\xfe'} and text(b'\xff') == '\\xff'
