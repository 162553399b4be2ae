"""born, beat, gone: the books of living workers."""

import pytest

from rq.store import keys, workers
from rq.store.call import run
from tests.store.world import MS, NOW, dump, text, text_of, unchanged

WORKER = keys.worker('w')


def born(redis, instance='i', seen='', now=NOW, **fields):
    return run(redis, workers.born('w', ['a', 'b'], 480, {'pid': 7, 'instance': instance, **fields}, seen, now))


def beat(redis, instance='i', now=NOW):
    return run(redis, workers.beat('w', 480, instance, now))


def gone(redis, instance='i', now=NOW):
    return run(redis, workers.gone('w', ['a', 'b'], instance, now))


class TestBorn:
    def test_everything_it_leaves(self, redis):
        redis.hset(WORKER, mapping={'state': 'idle', 'failed_job_count': 3})  # a ghost
        redis.sadd(keys.worker_executions('w'), 'x:y')
        assert born(redis) == 'ok'
        assert dump(redis) == {
            WORKER: {'pid': '7', 'instance': 'i', 'birth': text_of(NOW), 'last_heartbeat': text_of(NOW)},
            keys.WORKERS: {WORKER},
            keys.workers('a'): {WORKER},
            keys.workers('b'): {WORKER},
            keys.HEARD: {'at': str(MS), 'since': '0', 'silent': '0'},
        }
        assert redis.ttl(WORKER) == 480

    def test_repeated(self, redis):
        born(redis)
        with unchanged(redis):
            assert born(redis) == 'ok'

    def test_taken(self, redis):
        born(redis)
        with unchanged(redis):
            assert born(redis, 'other') == 'taken'
            assert born(redis, 'other', seen='third') == 'taken'

    def test_in_place_of_the_one_that_was_seen(self, redis):
        born(redis, hostname='x')
        assert born(redis, 'other', seen='i', now=NOW + 1) == 'ok'
        assert text(redis.hgetall(WORKER)) == {
            'pid': '7',
            'instance': 'other',
            'birth': text_of(NOW + 1),
            'last_heartbeat': text_of(NOW + 1),
        }

    def test_after_a_death(self, redis):
        born(redis)
        gone(redis)
        assert born(redis, 'other') == 'ok'
        assert redis.ttl(WORKER) == 480

    def test_in_place_of_rq_3_which_knows_no_instances(self, redis):
        redis.hset(WORKER, mapping={'birth': 'x', 'hostname': 'h'})
        assert born(redis, seen='other') == 'taken'
        assert born(redis, seen='') == 'ok'


class TestBeat:
    def test_ok(self, redis):
        born(redis)
        redis.sadd(keys.worker_executions('w'), 'x:y')
        redis.expire(WORKER, 5)
        assert beat(redis, now=NOW + 5) == 'ok'
        assert redis.hget(WORKER, 'last_heartbeat') == text_of(NOW + 5).encode()
        assert redis.ttl(WORKER) == redis.ttl(keys.worker_executions('w')) == 480
        with unchanged(redis):
            assert beat(redis, now=NOW + 5) == 'ok'

    @pytest.mark.parametrize('how', ['expired', 'ghost', 'taken over', 'dead', 'rq 3'])
    def test_gone(self, redis, how):
        born(redis)
        if how == 'taken over':
            born(redis, 'other', seen='i')
        elif how == 'dead':
            gone(redis)
        else:
            redis.delete(WORKER)
        if how == 'ghost':
            redis.hset(WORKER, 'state', 'idle')
        if how == 'rq 3':
            redis.hset(WORKER, 'birth', 'x')
        life = redis.ttl(WORKER)
        with unchanged(redis):
            assert beat(redis) == 'gone'
        assert redis.ttl(WORKER) == life


class TestGone:
    def test_ok(self, redis):
        born(redis)
        redis.sadd(keys.worker_executions('w'), 'x:y')
        assert gone(redis, now=NOW + 9) == 'ok'
        assert set(dump(redis)) == {WORKER, f'{keys.PREFIX}:heard'}
        assert redis.hget(WORKER, 'death') == text_of(NOW + 9).encode()
        assert redis.ttl(WORKER) == 60
        with unchanged(redis):
            assert gone(redis, now=NOW + 9) == 'ok'

    def test_after_its_hash_expired(self, redis):
        born(redis)
        redis.delete(WORKER)
        assert gone(redis) == 'ok'
        assert set(dump(redis)) == {f'{keys.PREFIX}:heard'}

    def test_a_namesake_stays(self, redis):
        born(redis)
        born(redis, 'other', seen='i')
        with unchanged(redis):
            assert gone(redis) == 'gone'

    def test_a_namesake_of_rq_3_stays(self, redis):
        born(redis)
        redis.hdel(WORKER, 'instance')
        with unchanged(redis):
            assert gone(redis) == 'gone'

    def test_others_stay(self, redis):
        born(redis)
        redis.sadd(keys.WORKERS, 'x')
        gone(redis)
        assert redis.smembers(keys.WORKERS) == {b'x'}
