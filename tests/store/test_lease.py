"""begin, renew, note: what the holder of a claim writes while it runs."""

import pytest

from rq.defaults import LEASE_SECONDS, WIP_SECONDS
from rq.store import claim, keys, operate
from rq.store.call import run
from tests.invariants import check
from tests.store.world import MS, NOW, SECOND, enqueue, job, members, started, take, text, text_of, unchanged

DAY = 86400
EXECUTION = keys.execution('j', 'e')
LOSSES = ['cancel', 'delete', 'rq', 'rescue']


def lose(redis, how):
    """Somebody takes the claim away."""
    if how == 'cancel':
        assert run(redis, operate.cancel('j', now=NOW)).answer == 'ok'
    elif how == 'delete':
        assert run(redis, operate.delete('j')) == 'ok'
    elif how == 'rq':
        redis.zrem(keys.wip('q'), 'j:e')
    else:
        redis.hset(EXECUTION, 'begun', 1)
        assert len(run(redis, claim.rescue('q', 'v', ['f'], now=NOW + 31)).orphans) == 1


class TestBegin:
    def test_ok(self, redis):
        lease = started(redis)
        before = text(redis.hgetall(EXECUTION))
        assert run(redis, claim.begin(lease)) == 'ok'
        assert text(redis.hgetall(EXECUTION)) == before | {'begun': '1'}
        with unchanged(redis):
            assert run(redis, claim.begin(lease)) == 'ok'

    @pytest.mark.parametrize('how', LOSSES)
    def test_lost(self, redis, how):
        lease = started(redis)
        lose(redis, how)
        with unchanged(redis):
            assert run(redis, claim.begin(lease)) == 'lost'

    def test_leaves_no_ghost(self, redis):
        lease = started(redis)
        redis.delete(EXECUTION)
        assert run(redis, claim.begin(lease)) == 'ok'
        assert redis.ttl(EXECUTION) == DAY


class TestRenew:
    def test_ok(self, redis):
        lease = started(redis)
        for key in (EXECUTION, keys.executions('j'), keys.worker_executions('w')):
            redis.expire(key, 1)
        assert run(redis, claim.renew('w', [lease], NOW + 5)) == [True]
        assert members(redis, 'leases') == {'j:e': MS + 5000 + LEASE_SECONDS * 1000}
        assert members(redis, 'wip') == {'j:e': SECOND + 5 + WIP_SECONDS}
        assert redis.zscore(keys.executions('j'), 'e') == SECOND + 5 + WIP_SECONDS + 60
        assert redis.hget(EXECUTION, 'last_heartbeat') == f'{NOW + 5:.6f}'.encode()
        assert job(redis)['last_heartbeat'] == text_of(NOW + 5)
        assert redis.ttl(EXECUTION) == DAY
        assert redis.ttl(keys.executions('j')) == redis.ttl(keys.worker_executions('w')) == WIP_SECONDS + 60
        with unchanged(redis):
            assert run(redis, claim.renew('w', [lease], NOW + 5)) == [True]
        assert check(redis) == []

    def test_a_longer_life_is_kept(self, redis):
        lease = started(redis)
        redis.expire(EXECUTION, 5000)
        run(redis, claim.renew('w', [lease], NOW + 5))
        assert redis.ttl(EXECUTION) == 5000

    def test_its_own_times(self, redis):
        lease = started(redis)._replace(lease_ms=600_000)
        run(redis, claim.renew('w', [lease], NOW))
        assert members(redis, 'leases') == {'j:e': MS + 600_000}
        assert members(redis, 'wip') == {'j:e': SECOND + 600}
        run(redis, claim.renew('w', [lease._replace(lease_ms=0)], NOW))
        assert members(redis, 'leases') == {'j:e': 0}  # a farewell

    @pytest.mark.parametrize('how', LOSSES)
    def test_lost(self, redis, how):
        lease = started(redis)
        lose(redis, how)
        redis.zadd(keys.leases('q'), {'j:e': 5})
        before = job(redis)
        assert run(redis, claim.renew('w', [lease], NOW + 5)) == [False]
        assert 'j:e' not in members(redis, 'leases')
        assert job(redis) == before
        assert not redis.exists(EXECUTION) or how in ('cancel', 'rq')

    def test_some_of_several(self, redis):
        leases = [started(redis, f'j{n}', f'e{n}') for n in range(4)]
        run(redis, operate.cancel('j2', now=NOW))
        assert run(redis, claim.renew('w', leases, NOW)) == [True, True, False, True]

    def test_a_namesake_does_not_keep_the_claim_of_a_dead_one(self, redis):
        started(redis)
        mine = started(redis, 'k', 'f')
        run(redis, claim.renew('w', [mine], NOW + 20))
        assert members(redis, 'leases') == {'j:e': MS + 30_000, 'k:f': MS + 50_000}

    def test_none(self, redis):
        assert run(redis, claim.renew('w', [], NOW)) == []

    def test_leaves_no_ghost_of_a_job(self, redis):
        lease = started(redis)
        redis.delete(keys.job('j'), EXECUTION)
        assert run(redis, claim.renew('w', [lease], NOW)) == [True]
        assert not redis.exists(keys.job('j'), EXECUTION)


class TestNote:
    def test_ok(self, redis):
        lease = started(redis)
        before = text(redis.hgetall(EXECUTION))
        for _ in range(2):
            assert run(redis, claim.note(lease, {'kind': 'raised', 'text': 'ä'}, 1, NOW)) is True
            noted = text(redis.hgetall(EXECUTION))
            assert noted == before | {'failure': '{"kind": "raised", "text": "\\u00e4"}', 'told': '1'}
        assert redis.ttl(EXECUTION) == DAY

    @pytest.mark.parametrize('how', LOSSES)
    def test_lost(self, redis, how):
        lease = started(redis)
        lose(redis, how)
        with unchanged(redis):
            assert run(redis, claim.note(lease, {}, 1, NOW)) is False

    def test_a_note_alone_is_enough_to_be_adopted(self, redis):
        enqueue(redis)
        lease = take(redis)
        redis.delete(EXECUTION)
        run(redis, claim.note(lease, {'kind': 'raised'}, 1, NOW))
        (orphan,) = run(redis, claim.rescue('q', 'v', ['f'], now=NOW + 31)).orphans
        assert (orphan.failure, orphan.told) == ({'kind': 'raised'}, 1)
